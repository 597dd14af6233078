"""Which ids are one person, as a repository of a transaction."""

from collections.abc import Collection, Mapping
from typing import Protocol

from waggle.domain.identity import Claim, ClaimKind, MergeWord


class IdentityRepository(Protocol):
    """Rows of customers, carts, orders keep the id that was told; who is one person is found when they are read."""

    def resolve(self, ref: str) -> str:
        """Return the id that stands for the person of *ref*: *ref* itself if it was merged with nobody."""
        ...

    def prepare(self, refs: Collection[str]) -> None:
        """Read many at once, before they are asked for one by one."""
        ...

    def all_of(self, ref: str) -> tuple[str, ...]:
        """Return every customer id of the person, sorted; *ref* alone if it was merged with nobody."""
        ...

    def owner_of(self, anonymous_id: str) -> str | None:
        """Return the id that stands for the one person who gave *anonymous_id* as theirs.

        None: nobody did, or two persons, who share a browser.
        """
        ...

    def anonymous_of(self, ref: str) -> tuple[str, ...]:
        """Return the anonymous ids that the person of *ref* owns, sorted."""
        ...

    def anonymous_of_many(self, refs: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the same of each of these persons, by the id that stands for them."""
        ...

    def blind(self, kind: ClaimKind, value: str) -> str:
        """Return under which value a claim on *value* is kept."""
        ...

    def claims_of(self, customer_id: str) -> list[Claim]:
        """Return the claims of this one id."""
        ...

    def claimants(self, kind: ClaimKind, value: str, limit: int) -> list[str]:
        """Return at most *limit* customer ids with a claim on *value*, as it is kept."""
        ...

    def save_claim(self, claim: Claim) -> None: ...
    def drop_claim(self, claim: Claim) -> None: ...
    def add_word(self, word: MergeWord) -> None:
        """Keep *word*; its event says it once."""
        ...

    def words_on(self, customer_id: str) -> list[MergeWord]:
        """Return all that was said on this one id, the oldest first."""
        ...

    def save_persons(self, persons: Mapping[str, str]) -> None:
        """Keep for each id which one stands for its person."""
        ...

    def customers_with(self, kind: ClaimKind, value: str) -> Collection[str]:
        """Return who has an address or number, given in the clear."""
        ...
