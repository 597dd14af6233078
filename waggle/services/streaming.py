"""Tell others of facts and outcomes: in order, at least once, each stream for itself."""

import asyncio
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from waggle.domain.privacy import Transfer
from waggle.errors import PermanentFailure, Rejected, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.sources import EventStream, Item, OutEvent
from waggle.ports.streams import StreamState, Told
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.disclosure import Disclosure
from waggle.services.own_words import refuse_personal

log = get_logger(__name__)

OUR_SOURCE = "waggle"
"""The `source` of outcomes."""

Begin = Literal["now", "beginning"]

_NUMBERED_AT_ONCE = 5_000
_IDLE_S = 0.2
_HOLD = timedelta(seconds=60)
"""So long a process that died keeps others from telling its streams."""
_HOLD_AGAIN_AFTER = timedelta(seconds=20)
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 300.0
_MOST_DOUBLINGS = 12


@dataclass(frozen=True, slots=True)
class NamedStream:
    """One destination."""

    name: str
    stream: EventStream
    disclosure: Disclosure | None = None
    """Which personal fields it may be told; None: none."""
    begin: Begin = "now"
    """Where it starts when it is new."""


@dataclass(frozen=True, slots=True)
class _Batch:
    position: int
    """Where the stream was."""
    reached: int
    """Where it is once `events` are told; nothing is left of what is between."""
    events: list[OutEvent]
    """At most one call's worth."""
    personal: int
    """How many of them say something personal."""


class Streaming:
    """Runs the streams of one process. Of several processes one tells a stream, and another takes over if it dies."""

    def __init__(self, store: UnitOfWork, streams: Sequence[NamedStream], clock: Clock) -> None:
        self._store = store
        self._streams = streams
        self._clock = clock
        self._holder = str(uuid.uuid4())

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until *stop* is set; a destination that is away holds up no other."""
        if self._streams:
            await asyncio.gather(self._number(stop), *(self._tell_for_ever(stream, stop) for stream in self._streams))

    async def number(self) -> int:
        """Give positions to what has none yet, and return to how many."""
        if not await self._store.read(lambda tx: tx.outcomes.any_unnumbered()):
            return 0

        def number(tx: Transaction) -> int:
            return tx.outcomes.number(_NUMBERED_AT_ONCE)

        return await self._store.run(number)

    async def tell(self, named: NamedStream) -> int:
        """Tell *named* what comes next and return how many; 0: nothing is new, or another process tells it.

        Raises:
            TemporaryFailure, PermanentFailure: it was not told; it is noted.
        """
        batch = await self._next(named)
        if batch is None or batch.reached == batch.position:
            return 0
        try:
            if batch.events:
                await named.stream.publish(batch.events)
        except (TemporaryFailure, PermanentFailure) as failure:
            await self._store.run(partial(self._fail, named=named, code=failure.code))
            raise
        return await self._store.run(partial(self._confirm, named=named, batch=batch))

    async def _next(self, named: NamedStream) -> _Batch | None:
        """Return what comes next; None: another process tells this stream."""

        def look(tx: Transaction) -> _Batch | None:
            now = self._clock.now()
            state = tx.streams.get(named.name)
            held = state is not None and state.holder == self._holder and _holds_on(state, now)
            return _batch(tx, named, state.position, now) if state is not None and held else None

        batch = await self._store.read(look)
        if batch is None and await self._store.run(partial(self._hold, named=named)):
            batch = await self._store.read(look)
        return batch

    def _fail(self, tx: Transaction, named: NamedStream, code: str) -> None:
        tx.streams.fail(named.name, code, self._clock.now())

    def _hold(self, tx: Transaction, named: NamedStream) -> bool:
        now = self._clock.now()
        if tx.streams.get(named.name) is None:
            if named.begin == "now":
                _number_all(tx)
            begin = tx.outcomes.head() if named.begin == "now" else 0
            tx.streams.add(StreamState(name=named.name, position=begin))
        return tx.streams.hold(named.name, self._holder, now, now + _HOLD)

    def _confirm(self, tx: Transaction, named: NamedStream, batch: _Batch) -> int:
        now = self._clock.now()
        if not tx.streams.confirm(named.name, self._holder, batch.position, batch.reached, now):
            log.info("stream was set elsewhere", stream=named.name)
            return 0
        if batch.personal and named.disclosure is not None:
            purpose = named.disclosure.purpose
            tx.transfers.add(Transfer(at=now, destination=named.name, purpose=purpose, count=batch.personal))
        return batch.reached - batch.position

    async def _number(self, stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                numbered = await self.number()
                failures, pause_s = 0, 0.0 if numbered == _NUMBERED_AT_ONCE else _IDLE_S
            except TemporaryFailure as failure:
                failures += 1
                pause_s = _pause_s(failures)
                log.warning("streams wait", code=failure.code, retry_after_s=round(pause_s, 1))
            await _is_set_within(stop, pause_s)

    async def _tell_for_ever(self, named: NamedStream, stop: asyncio.Event) -> None:
        failures = 0
        try:
            while not stop.is_set():
                try:
                    pause_s = 0.0 if await self.tell(named) else _IDLE_S
                    if failures:
                        log.info("stream tells again", stream=named.name)
                    failures = 0
                except TemporaryFailure as failure:
                    failures += 1
                    pause_s = max(_pause_s(failures), min(failure.retry_after_s, _LONGEST_PAUSE_S))
                    log.warning("stream waits", stream=named.name, code=failure.code, retry_after_s=round(pause_s, 1))
                except PermanentFailure as failure:
                    failures, pause_s = failures + 1, _LONGEST_PAUSE_S
                    log.error("stream needs somebody", stream=named.name, code=failure.code, hint=failure.message)  # noqa: TRY400 -- no defect of ours
                if pause_s:
                    await _is_set_within(stop, pause_s)
        finally:
            await named.stream.close()


@dataclass(frozen=True, slots=True)
class StreamLine:
    """How one stream stands."""

    name: str
    position: int
    head: int
    waiting: int
    """How many it has not been told yet."""
    waiting_since: datetime | None
    confirmed_at: datetime | None
    failures: int
    code: str | None
    """Of the last failure, if it has not been told anything since."""
    failed_at: datetime | None


class Outbox:
    """Shows how far the streams are, and sets them back."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def lines(self) -> list[StreamLine]:
        """Return every stream that has ever been told something."""

        def find(tx: Transaction) -> list[StreamLine]:
            return [_line(tx, state) for state in tx.streams.all()]

        return await self._store.read(find)

    async def rewind(self, name: str, to: int | datetime, *, by: str, why: str) -> int:
        """Set a stream back (or on) to a position, or to before what became known at a time; return the position.

        What comes after it is told again, or never.

        Raises:
            Rejected: STREAM_UNKNOWN or POSITION_UNKNOWN; WORDS_REFUSED: *why* may not be kept.
        """
        refuse_personal("why", why)

        def rewind(tx: Transaction) -> int:
            state = tx.streams.get(name)
            if state is None:
                known = ", ".join(each.name for each in tx.streams.all()) or "none yet"
                raise Rejected("STREAM_UNKNOWN", f"there is no stream {name!r}; known: {known}")
            position = to if isinstance(to, int) else tx.outcomes.position_before(to)
            if not 0 <= position <= tx.outcomes.head():
                raise Rejected("POSITION_UNKNOWN", f"positions reach from 0 to {tx.outcomes.head()}")
            tx.streams.rewind(name, position)
            detail = {"from": str(state.position), "to": str(position)}
            at = self._clock.now()
            tx.audit.add(AuditEntry(at=at, actor=by, action="stream-rewound", subject=name, why=why, detail=detail))
            return position

        return await self._store.run(rewind)


def _line(tx: Transaction, state: StreamState) -> StreamLine:
    waiting, since = tx.outcomes.waiting(state.position)
    return StreamLine(
        name=state.name,
        position=state.position,
        head=tx.outcomes.head(),
        waiting=waiting,
        waiting_since=since,
        confirmed_at=state.confirmed_at,
        failures=state.failures,
        code=state.code,
        failed_at=state.failed_at,
    )


def envelope(told: Told) -> Item | None:
    """Return *told* as a CloudEvent without personal fields; None: its event was deleted since."""
    if told.event is not None:
        event = told.event
        return _item(event.id, event.source, event.type, event.subject, event.time, event.data)
    if told.outcome is not None:
        outcome = told.outcome
        own = f"outcome-{told.outcome_id}"
        return _item(own, OUR_SOURCE, outcome.type, outcome.subject, outcome.at, outcome.data)
    return None


def _item(id_: str, source: str, type_: str, subject: str, time: datetime, data: object) -> Item:  # noqa: PLR0913, PLR0917 -- an envelope's own parts
    return {
        "specversion": "1.0",
        "id": id_,
        "source": source,
        "type": type_,
        "subject": subject,
        "time": time.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": data,
    }


def _batch(tx: Transaction, named: NamedStream, position: int, now: datetime) -> _Batch:
    events, personal, reached = [], 0, position
    for told in tx.outcomes.after(position, named.stream.most_at_once):
        reached = told.position
        item = envelope(told)
        if item is None:
            continue
        if named.disclosure is not None and told.event_sequence is not None:
            given = named.disclosure.given(tx, told.event_sequence, now)
            item = {**item, "data": {**item["data"], **given}}
            personal += bool(given)
        events.append(OutEvent(position=told.position, item=item))
    return _Batch(position, reached, events, personal)


def _number_all(tx: Transaction) -> None:
    while tx.outcomes.number(_NUMBERED_AT_ONCE) == _NUMBERED_AT_ONCE:
        pass


def _holds_on(state: StreamState, now: datetime) -> bool:
    """Say whether the hold lasts long enough to begin something under it."""
    return state.held_until is not None and now < state.held_until - (_HOLD - _HOLD_AGAIN_AFTER)


def _pause_s(failures: int) -> float:
    longest_s: float = min(_FIRST_PAUSE_S * 2.0 ** min(failures, _MOST_DOUBLINGS), _LONGEST_PAUSE_S)
    return longest_s * random.uniform(0.7, 1.0)  # noqa: S311 -- no secret


async def _is_set_within(stop: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return False
    return True
