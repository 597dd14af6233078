"""Read queues into the inbox: what came is stored, or refused and set aside, before it is acknowledged."""

import asyncio
from collections.abc import Sequence

import msgspec

from waggle.domain.event import Receipt
from waggle.errors import TemporaryFailure
from waggle.log import get_logger
from waggle.ports.sources import EventQueue, Letter
from waggle.services.intake import Intake, Unreadable

log = get_logger(__name__)

_MOST_BODY_BYTES = 1_000_000
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_MOST_DOUBLINGS = 10


class QueueReader:
    """Takes one queue's letters as events of the source *name*, whatever source their envelopes name."""

    def __init__(self, name: str, queue: EventQueue, intake: Intake) -> None:
        self.name = name
        self._queue = queue
        self._intake = intake

    async def run(self, stop: asyncio.Event) -> None:
        """Read until *stop* is set. A database that is away is waited for: the queue keeps what it has not given."""

        async def take(letters: Sequence[Letter]) -> list[str | None]:
            return await self._insist(letters, stop)

        await self._queue.consume(take, stop)

    async def _insist(self, letters: Sequence[Letter], stop: asyncio.Event) -> list[str | None]:
        """Return what became of *letters*.

        Raises:
            TemporaryFailure: it is time to stop, and the database is still away.
        """
        tried = 0
        while True:
            try:
                return await self.take(letters)
            except TemporaryFailure as failure:
                pause_s = min(_FIRST_PAUSE_S * 2.0 ** min(tried, _MOST_DOUBLINGS), _LONGEST_PAUSE_S)
                log.warning("queue waits", source=self.name, code=failure.code, retry_after_s=pause_s)
                tried += 1
                if await _is_set_within(stop, pause_s):
                    raise

    async def take(self, letters: Sequence[Letter]) -> list[str | None]:
        """Store *letters* and return, for each, None or the code of its refusal; refused ones are set aside.

        Raises:
            TemporaryFailure: nothing was stored.
        """
        items = [_item(letter) for letter in letters]
        try:
            receipts = await self._intake.accept(self.name, items, keep_refused=True)
        except TemporaryFailure:
            raise
        except Exception:
            # One that nobody was prepared for must not hold up the others, nor be lost among them.
            log.exception("letters failed together, taking one by one", source=self.name)
            receipts = [await self._alone(letter, item) for letter, item in zip(letters, items, strict=True)]
        return [receipt.problem.code if receipt.problem is not None else None for receipt in receipts]

    async def _alone(self, letter: Letter, item: object) -> Receipt:
        try:
            [receipt] = await self._intake.accept(self.name, [item], keep_refused=True)
        except TemporaryFailure:
            raise
        except Exception:
            log.exception("letter set aside", source=self.name)
            [receipt] = await self._intake.accept(self.name, [Unreadable(letter.body)], keep_refused=True)
        return receipt


def _item(letter: Letter) -> object:
    """Return the envelope of *letter*; its source is the queue's, whatever it says itself."""
    if len(letter.body) > _MOST_BODY_BYTES:
        return Unreadable(letter.body)
    try:
        said = msgspec.json.decode(letter.body)
    except (ValueError, RecursionError):
        return Unreadable(letter.body)
    if letter.attributes:
        said = {**letter.attributes, "data": said}
    if isinstance(said, dict):
        # An envelope has to name one; for us the queue it lies in is what counts.
        said.pop("source", None)
    return said


async def _is_set_within(stop: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
