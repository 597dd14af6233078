"""Keys with which sources send events, seen from where events come in."""

from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.access import Access
from waggle.services.keys import OWN_SOURCE, Keys

__all__ = ["OWN_SOURCE", "WriteKeys"]


class WriteKeys:
    """Makes keys that may send events, and knows whose they are."""

    def __init__(self, store: UnitOfWork, clock: Clock, access: Access | None = None) -> None:
        self._keys = Keys(store, clock)
        self._access = access or Access(store, clock)

    async def create(self, source: str) -> str:
        """Return a new key for *source*; it cannot be shown again. Older keys of the source stay good.

        Raises:
            BadSettings: SOURCE_NAME, if *source* is no name for one.
        """
        return (await self._keys.create(source, by="waggle")).token

    async def source_of(self, key: str) -> str | None:
        """Return whose key it is, or None if nobody's, or if it may not send events."""
        principal = await self._access.principal_of(key)
        return principal.source if principal is not None and "events:write" in principal.scopes else None
