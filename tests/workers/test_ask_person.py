import pytest

from waggle.errors import TemporaryFailure
from waggle.resources import shipped
from waggle.services.approvals import Approvals, load_questions
from waggle.task import JobOrigin
from waggle.testing.campaigns import stage
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from workers.ask_person import ASK_AGAIN_S, AskPerson, PersonAsked, ask_person

pytestmark = pytest.mark.anyio


async def test_the_job_waits_without_alarm_and_ends_with_the_answer(shop: Shop) -> None:
    enrolment_id = await stage(shop.store, shop.clock, RecordingSender()).begin(shop)
    approvals = Approvals(shop.store, load_questions(shipped("bpmn")), shop.clock)
    job, origin = AskPerson(enrolment_id=enrolment_id), JobOrigin(1, "Task_Approve")

    with pytest.raises(TemporaryFailure, match="WAITING_FOR_A_PERSON") as waiting:
        await ask_person(job, origin, approvals)
    assert (waiting.value.retry_after_s, waiting.value.expected) == (ASK_AGAIN_S, True)

    [line] = await approvals.list()
    await approvals.decide(line.approval_id, "refused", by="marta", comment="not now")
    assert await ask_person(job, origin, approvals) == PersonAsked(approval={"answer": "refused"})
