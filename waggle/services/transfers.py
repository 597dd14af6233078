"""The register of what left the house: so many records, to whom, for which purpose. Never of whom."""

from dataclasses import dataclass
from datetime import datetime

from waggle.domain.privacy import Transfer
from waggle.ports.unit_of_work import Transaction, UnitOfWork

_NEWEST = 100


def note(tx: Transaction, destination: str, purpose: str, count: int, at: datetime) -> None:
    """Put down that *count* records with personal data went to *destination*; to be called in the transaction of it.

    Whether somebody's data may go is asked before, of each person: `consents.may_transfer`.
    """
    if count:
        tx.transfers.add(Transfer(at=at, destination=destination, purpose=purpose, count=count))


@dataclass(frozen=True, slots=True)
class TransferTotal:
    """All that went to one destination for one purpose."""

    destination: str
    purpose: str
    count: int
    last_at: datetime


class Transfers:
    """Reads the register."""

    def __init__(self, store: UnitOfWork) -> None:
        self._store = store

    async def totals(self) -> list[TransferTotal]:
        """Return the sums by destination and purpose."""
        return await self._store.read(lambda tx: [TransferTotal(*each) for each in tx.transfers.totals()])

    async def newest(self) -> list[Transfer]:
        """Return the last hundred entries, the newest first."""
        return await self._store.read(lambda tx: tx.transfers.newest(_NEWEST))
