"""Whether a customer agreed to be written to."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFact:
    """One statement by a customer on one purpose and channel; facts are only ever added."""

    customer_id: str
    purpose: str
    channel: str
    given: bool
    stated_at: datetime
    text_version: str | None = None


def is_given(facts: Iterable[ConsentFact]) -> bool:
    """Say whether the newest of *facts* gives consent; at equal times a withdrawal wins, and no fact is no consent."""
    newest = max(facts, key=lambda fact: (fact.stated_at, not fact.given), default=None)
    return newest is not None and newest.given
