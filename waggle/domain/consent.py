"""What a customer agreed to, said no to, or objected to: statements that are only ever added."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ConsentState = Literal["granted", "denied", "withdrawn", "requested", "lapsed"]
"""`requested`: an address waits to be confirmed (double opt-in); `lapsed`: in vain. They decide nothing."""

_DECIDES: frozenset[ConsentState] = frozenset({"granted", "denied", "withdrawn"})

PROFILING = "profiling"
SALE_SHARE = "sale-share"
"""Handing personal data to an advertiser (the "sale" and "share" of CCPA); a purpose of its own."""

OPT_OUT_PURPOSES = frozenset({PROFILING, SALE_SHARE})
"""Purposes of the person, not of a channel: one objection on whatever channel counts for all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentFact:
    """One statement on one purpose and channel, with what proves it."""

    customer_id: str
    """As it was said then; ids that turned out to be one person are read together."""
    purpose: str
    channel: str
    state: ConsentState
    stated_at: datetime
    legal_basis: str = "consent"
    text_version: str | None = None
    """Which wording; every wording is kept, word for word."""
    mechanism: str | None = None
    source: str | None = None
    event_id: str | None = None
    """With `source`: the event that said it; absent from what was known before events were noted."""
    proof_url: str | None = None
    ip: str | None = None
    valid_until: datetime | None = None

    @property
    def given(self) -> bool:
        """Whether it agrees."""
        return self.state == "granted"


def deciding(facts: Iterable[ConsentFact]) -> ConsentFact | None:
    """Return the newest of *facts* that decides; at equal times a no wins over a yes."""
    decisions = (fact for fact in facts if fact.state in _DECIDES)
    return max(decisions, key=lambda fact: (fact.stated_at, not fact.given), default=None)


def is_given(facts: Iterable[ConsentFact], at: datetime | None = None) -> bool:
    """Say whether *facts* amount to consent; no fact is no consent, nor is one whose term is over *at* that time."""
    newest = deciding(facts)
    if newest is None or not newest.given:
        return False
    return at is None or newest.valid_until is None or at < newest.valid_until


def is_refused(facts: Iterable[ConsentFact]) -> bool:
    """Say whether *facts* amount to a no; no fact is no such word."""
    newest = deciding(facts)
    return newest is not None and not newest.given


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """A word that what is known of somebody may not be used, or may be used again (GDPR Art. 18)."""

    customer_id: str
    restricted: bool
    stated_at: datetime
    source: str = ""
    event_id: str = ""


def is_restricted(words: Iterable[Restriction]) -> bool:
    """Say whether the newest of *words* restricts; at equal times the restriction stands."""
    newest = max(words, key=lambda word: (word.stated_at, word.restricted), default=None)
    return newest is not None and newest.restricted
