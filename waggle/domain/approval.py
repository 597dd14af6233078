"""A question that a journey asks of a person, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Answer = Literal["approved", "refused", "withdrawn"]
"""`withdrawn`: what it was about is off, so that nobody has to answer any more."""
ApprovalState = Literal["waiting", "decided", "lapsed"]
"""`lapsed`: its journey ended without an answer."""
Given = str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """The one row of one question; (enrolment_id, step) names it for ever."""

    approval_id: str
    enrolment_id: str
    step: str
    element_id: str
    """Where in the diagram it is asked."""
    journey: str
    subject: str
    """The business key: what it is about."""
    title: str
    form: str
    roles: tuple[str, ...]
    """Whose role may answer; empty: everybody's that may answer at all."""
    shown: Mapping[str, Given] = field(default_factory=dict)
    requested_by: str | None = None
    """Who asked for what is to be approved, and therefore may not answer."""
    asked_at: datetime
    state: ApprovalState = "waiting"
    answer: Answer | None = None
    answers: Mapping[str, Given] = field(default_factory=dict)
    """What was put into the form."""
    comment: str = ""
    decided_by: str | None = None
    decided_at: datetime | None = None
