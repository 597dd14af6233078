"""Keys with which sources send events; shown once, kept as hashes."""

import hashlib
import re
import secrets

from waggle.errors import BadSettings
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork

PREFIX = "wk_"
_RANDOM_BYTES = 32
OWN_SOURCE = "waggle"
"""The source of events that happen here rather than in the shop."""
_SOURCE = re.compile(r"[a-z0-9][a-z0-9./_-]{0,99}")


class WriteKeys:
    """Makes keys and knows whose they are."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, source: str) -> str:
        """Return a new key for *source*; it cannot be shown again. Older keys of the source stay good.

        Raises:
            BadSettings: SOURCE_NAME, if *source* is no name for one.
        """
        if source == OWN_SOURCE:
            raise BadSettings(
                "SOURCE_NAME", f"{OWN_SOURCE!r} is the source of clicks and unsubscriptions; take another"
            )
        if not _SOURCE.fullmatch(source):
            raise BadSettings(
                "SOURCE_NAME", "a source is up to 100 of a-z, 0-9, '.', '/', '_' and '-', such as shop/eu"
            )
        key = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)

        def add(tx: Transaction) -> None:
            tx.write_keys.add(source, _hashed(key), self._clock.now())

        await self._store.run(add)
        return key

    async def source_of(self, key: str) -> str | None:
        """Return whose key it is, or None if nobody's."""
        return await self._store.read(lambda tx: tx.write_keys.source_of(_hashed(key)))


def _hashed(key: str) -> str:
    # A key holds 256 random bits: a plain hash cannot be turned back, and is looked up in constant time by its index.
    return hashlib.sha256(key.encode()).hexdigest()
