"""Task `io.camunda.zeebe:userTask`: every user task of the job-based kind; a person answers it on our page."""

from dataclasses import dataclass, field

from waggle.domain.approval import Given
from waggle.errors import TemporaryFailure
from waggle.services.approvals import Approvals
from waggle.task import JobOrigin, task

ASK_AGAIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPerson:
    enrolment_id: str
    step: str | None = None
    """Names the question, where one user task is passed more than once; otherwise the element's id does."""
    shown: dict[str, Given] = field(default_factory=dict)
    """What the form may show: a FEEL context of ids and numbers, such as ={recipients: recipients}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonAsked:
    approval: dict[str, Given]
    """`answer` (approved, refused or withdrawn), and the form's choices, ticks and numbers under their keys."""


@task("io.camunda.zeebe:userTask")
async def ask_person(job: AskPerson, origin: JobOrigin, approvals: Approvals) -> PersonAsked:
    """Put the question on the list and look now and then whether somebody has answered.

    Nothing is kept in memory meanwhile: the row is the question, and the job waits in the engine without using up a
    retry.

    Raises:
        TemporaryFailure: WAITING_FOR_A_PERSON.
        PermanentFailure: ENROLMENT_UNKNOWN, or QUESTION_UNKNOWN.
    """
    reply = await approvals.ask(job.enrolment_id, origin.element_id, step=job.step, shown=job.shown)
    if reply is None:
        raise TemporaryFailure("WAITING_FOR_A_PERSON", retry_after_s=ASK_AGAIN_S, expected=True)
    return PersonAsked(approval={"answer": reply.answer, **reply.answers})
