"""The conductor's hold on the shop, which plays in a process of its own."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

_END_S = 5.0


@dataclass(frozen=True, slots=True)
class ShopOpening:
    """What the shop needs to know: whom to talk to, what to play, where to write its journal."""

    api: str
    mailbox: str
    write_key: str
    shoppers: int
    seed: int
    starts_at: datetime
    journal: Path
    holdout_percent: int = 10


@dataclass(frozen=True, slots=True)
class Played:
    """What the shop did last, and when it has something to do next, as far as it knows."""

    sent: int
    next_at: datetime | None


class ShopGoneError(Exception):
    """The shop's process ended; it said why on standard error."""


class ShopProcess:
    """Tells the shop how far to play and waits until it has."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    @asynccontextmanager
    async def opened(cls, opening: ShopOpening) -> AsyncIterator[Self]:
        """Run the shop for as long as the block lasts.

        Raises:
            ShopGoneError: it could not open.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "waggle.demo.shop"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        shop = cls(process)
        try:
            # By the pipe and not as arguments: everybody on the machine can read those, and the write key is among it.
            await shop._ask({"open": _plain(opening)})
            yield shop
        finally:
            await shop._end()

    async def play(self, until: datetime) -> Played:
        """Let the shop do all that is due by *until*.

        Raises:
            ShopGoneError: it ended.
        """
        return await self._ask({"until": until.isoformat()})

    async def admit(self, stragglers: int, at: datetime) -> Played:
        """Let that many more shoppers fill a cart at *at* and leave.

        Raises:
            ShopGoneError: it ended.
        """
        return await self._ask({"stragglers": stragglers, "at": at.isoformat()})

    async def _ask(self, command: Mapping[str, Any]) -> Played:
        if self._process.stdin is None or self._process.stdout is None:
            raise ShopGoneError
        answer = b""
        with suppress(ConnectionError):
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            await self._process.stdin.drain()
            answer = await self._process.stdout.readline()
        if not answer:
            raise ShopGoneError("the simulated shop ended before its time")
        said = json.loads(answer)
        return Played(said["sent"], datetime.fromisoformat(said["next_at"]) if said["next_at"] else None)

    async def _end(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _plain(opening: ShopOpening) -> dict[str, Any]:
    return {**asdict(opening), "starts_at": opening.starts_at.isoformat(), "journal": str(opening.journal)}
