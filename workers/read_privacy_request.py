"""Task `read-privacy-request`: how a customer's request about their data stands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from waggle.services.privacy_answers import PrivacyAnswers
from waggle.task import task

NextStep = Literal["answer", "ask", "explain", "person", "nothing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPrivacyRequest:
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequestRead:
    next_step: NextStep
    """answer: it may be granted. ask: somebody has to confirm it first. explain: the law wants the data kept.
    person: only a person can do it. nothing: it is closed."""
    request_due_at: datetime


@task("read-privacy-request")
async def read_privacy_request(job: ReadPrivacyRequest, answers: PrivacyAnswers) -> PrivacyRequestRead:
    """Look, and decide nothing.

    Raises:
        PermanentFailure: PRIVACY_REQUEST_UNKNOWN.
    """
    found = await answers.read(job.request_id)
    step: NextStep = "answer"
    if found.state in {"done", "refused"}:
        step = "nothing"
    elif found.right == "erasure" and found.legal_hold:
        step = "explain"
    elif found.right == "rectification" and not found.has_content:
        step = "person"
    elif found.state == "unconfirmed":
        step = "ask"
    return PrivacyRequestRead(next_step=step, request_due_at=found.due_at)
