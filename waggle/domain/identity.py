"""Which ids are one person: what was told of them, and what follows from it whatever the order it came in."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

ClaimKind = Literal["anonymous", "email", "phone"]

GUEST = "guest-"
"""Begins ids that a shop's connector gives to a buyer without an account."""
MOST_CLAIMANTS = 500
"""An address that more customers gave than this is a placeholder of the shop, and makes nobody one person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One customer was told to have one anonymous id, e-mail address or phone number."""

    kind: ClaimKind
    value: str
    """An anonymous id as it is; of an address or number only its blind index."""
    customer_id: str
    source: str
    event_id: str
    """Of the event since which it is known."""
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeWord:
    """Somebody said that two ids are one person, or that they are not; the newest word on a pair counts."""

    source: str
    event_id: str
    customer_id: str
    """The id that stands for both."""
    merged_customer_id: str
    merged: bool
    """False: they are not one person."""
    at: datetime

    @property
    def pair(self) -> frozenset[str]:
        """The two ids, whichever way round."""
        return frozenset({self.customer_id, self.merged_customer_id})


def newest_words(words: Iterable[MergeWord]) -> dict[frozenset[str], MergeWord]:
    """Return the word that counts on each pair; at equal times that they are two."""
    newest: dict[frozenset[str], MergeWord] = {}
    for word in sorted(words, key=lambda word: (word.at, not word.merged, word.source, word.event_id)):
        newest[word.pair] = word
    return newest


def persons(
    customer_ids: Collection[str], shared: Mapping[tuple[str, str], Collection[str]], words: Collection[MergeWord]
) -> dict[str, str]:
    """Return for each of *customer_ids* the id that stands for the person.

    *shared* names who claims the same (kind, value). Two ids of which was said last that they are not one person stay
    apart, whatever they share with each other or with a third. An explicit word counts before what addresses suggest.
    """
    newest = newest_words(words)
    apart = {pair for pair, word in newest.items() if not word.merged}
    together = [word for word in newest.values() if word.merged]
    groups = {each: {each} for each in customer_ids}

    def join(one: str, other: str) -> bool:
        mine, theirs = groups[one], groups[other]
        if mine is theirs:
            return True
        if apart and any(frozenset({a, b}) in apart for a in mine for b in theirs):
            return False
        mine |= theirs
        for each in theirs:
            groups[each] = mine
        return True

    for word in sorted(together, key=lambda word: (word.at, sorted(word.pair))):
        join(word.customer_id, word.merged_customer_id)
    for _, claimants in sorted(shared.items()):
        ordered = sorted(claimants)
        for index, each in enumerate(ordered):
            # With the first of those before whom nobody has set apart from it.
            any(join(earlier, each) for earlier in ordered[:index])
    absorbed = {word.merged_customer_id for word in together}
    return {
        each: min(group, key=lambda member: (member in absorbed, member.startswith(GUEST), member))
        for each, group in groups.items()
    }
