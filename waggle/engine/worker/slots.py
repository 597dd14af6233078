"""The capacity of one task type."""

import asyncio


class Slots:
    """As many jobs at once as there are slots, whoever brought them; those who wait are woken, none sleeps."""

    def __init__(self, limit: int) -> None:
        """Begin with *limit* free slots."""
        self._free = limit
        self._queued = 0
        self._relieved = asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def free(self) -> int:
        """Slots that nobody holds."""
        return self._free

    async def wait_free(self) -> None:
        """Return when a slot is free; it is not taken."""
        while self._free == 0:
            await self._change()

    async def take_one(self) -> None:
        """Take a slot, before anyone in `take_all` does: a job that is already here must not wait for others."""
        self._queued += 1
        try:
            while self._free == 0:
                await self._change()
            self._free -= 1
        finally:
            self._queued -= 1
            self._wake()

    async def take_all(self) -> int:
        """Take every slot that is free, at least one, and return how many."""
        while self._free <= self._queued:
            await self._change()
        taken = self._free - self._queued
        self._free -= taken
        return taken

    def give_back(self, count: int = 1) -> None:
        """Free *count* slots."""
        if count == 0:
            return
        if self._free == 0:
            self._relieved.set()
        self._free += count
        self._wake()

    async def relieved(self, within_s: float) -> bool:
        """Wait until all slots were taken and one came free, and say whether that was *within_s*."""
        self._relieved.clear()
        try:
            async with asyncio.timeout(within_s):
                await self._relieved.wait()
        except TimeoutError:
            return False
        return True

    async def _change(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
