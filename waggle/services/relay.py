"""Take accepted events from the inbox to the projections and the engine, in order, once, whatever dies on the way."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from waggle.domain.event import CustomersSplit
from waggle.domain.sending_rules import TOO_STALE
from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.journey_engine import JourneyEngine
from waggle.ports.unit_of_work import QueuedMessage, StoredEvent, Transaction, UnitOfWork
from waggle.services import held_erasures, identities
from waggle.services.coupons import give_back
from waggle.services.enrolling import Enrolling
from waggle.services.message_closing import ANSWER_LOST, close, doubt
from waggle.services.projections import fact_of, project
from waggle.services.state_rules import StateRules

log = get_logger(__name__)

# Measured on the engine: more than 16 to 32 publications in flight make it slower, not faster.
_IN_FLIGHT = 16
_EVENTS_PER_TRANSACTION = 200
_REACTIONS_PER_TRANSACTION = 500
"""Enrolments that its events may concern, and those of the last event beyond that."""
_CROWD = 1_000
"""Engine messages that may wait to be published before a wave waits too: others wait behind them, such as an exit."""
_ROWS_PER_SWEEP = 200
_START_AGAIN_AFTER = timedelta(seconds=60)
_IDLE_S = 0.05
_SWEEP_EVERY_S = 5.0
_LONGEST_PAUSE_S = 30.0
_MOST_DOUBLINGS = 10
"""Of a pause; two to the power of the failures of a long night is no number any more."""


NOT_STARTED = "not_started"
"""Outcome of an enrolment whose journey never began, with the engine's reason."""


class Relay:
    """One loop; several may run, since each step is a transaction that leaves nothing for two to do."""

    def __init__(
        self,
        store: UnitOfWork,
        engine: JourneyEngine,
        enrolling: Enrolling,
        clock: Clock,
        rules: StateRules = StateRules(),  # noqa: B008 -- frozen
    ) -> None:
        self._store = store
        self._engine = engine
        self._enrolling = enrolling
        self._clock = clock
        self._rules = rules
        self._turned_s: dict[str, float] = {}
        self._engine_trouble = ""
        self._applied = asyncio.Event()

    @property
    def stillness_s(self) -> float:
        """Seconds since the loop that rests longest last took a step; grows if one is stuck, not while it waits."""
        return time.monotonic() - min(self._turned_s.values()) if self._turned_s else 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop* is set; a database or an engine that is away is waited for, never given up."""
        await asyncio.gather(
            self._repeat(stop, "apply events", self.apply_events, _IDLE_S),
            self._repeat(stop, "publish", self.publish, _IDLE_S, wake=self._applied),
            self._repeat(stop, "sweep", self.sweep, _SWEEP_EVERY_S),
        )

    async def apply_events(self) -> int:
        """Apply the oldest accepted events in one transaction, go on with a wave in another; return how much it was.

        So those who wait for a product that thousands wait for are told between the events of all others.
        """

        def what_waits(tx: Transaction) -> tuple[bool, bool]:
            waves = tx.waves.is_any() and not tx.engine_messages.is_crowded(_CROWD)
            return tx.events.oldest_pending_at() is not None, waves

        # An idle relay must not take the one lock for writing twenty times a second.
        events, waves = await self._store.read(what_waits)
        done = await self._apply_pending() if events else 0
        if waves:
            done += await self._store.run(self._tell_on)
        if done:
            self._applied.set()
        return done

    async def publish(self) -> int:
        """Publish the engine messages that are due and return how many were taken up."""

        def due_now(tx: Transaction) -> list[QueuedMessage]:
            return tx.engine_messages.due(self._clock.now(), 4 * _IN_FLIGHT)

        due = await self._store.read(due_now)
        gate = asyncio.Semaphore(_IN_FLIGHT)

        async def one(queued: QueuedMessage) -> None:
            async with gate:
                await self._publish_one(queued)
                self._turn("publish")

        await asyncio.gather(*(one(queued) for queued in due))
        return len(due)

    async def sweep(self) -> int:
        """End messages that cannot leave any more, and start journeys again that nobody claimed."""
        # Mostly nothing is due, and to find that out must not keep anybody from writing.
        if not await self._store.read(self._is_sweeping_due):
            return 0
        worked = await self._store.run(self._sweep)
        if worked:
            log.info("swept", count=worked)
        return worked

    async def _apply_pending(self) -> int:
        try:
            return await self._store.run(self._apply_batch)
        except TemporaryFailure:
            raise
        except Exception as error:  # noqa: BLE001 -- one of the events is bad; found by applying them one by one
            log.warning("a batch of events failed, applying one by one", error=type(error).__name__)
            return await self._apply_one_by_one()

    def _apply_batch(self, tx: Transaction) -> int:
        now = self._clock.now()
        applied: list[int] = []
        taken = reactions = 0
        for stored in tx.events.pending(_EVENTS_PER_TRANSACTION):
            if reactions >= _REACTIONS_PER_TRANSACTION:
                break
            taken += 1
            if self._project(tx, stored, now):
                applied.append(stored.sequence)
            reactions += self._enrolling.react(tx, stored.event, now)
        if applied:
            tx.events.mark_applied(applied, now)
        return taken

    def _project(self, tx: Transaction, stored: StoredEvent, now: datetime) -> bool:
        """Bring what is known up to date; False: *stored* waits for a legal hold, and only ends journeys already."""
        fact = fact_of(stored.event)
        if held_erasures.hold_back(tx, stored, fact, now):
            return False
        identities.erase_others(tx, fact, stored.event, now)
        project(tx, stored.event, fact, self._rules)
        if isinstance(fact, CustomersSplit):
            # The hold may be on the other of what was taken for one person.
            held_erasures.release(tx, fact.customer_id)
            held_erasures.release(tx, fact.merged_customer_id)
        return True

    def _tell_on(self, tx: Transaction) -> int:
        return self._enrolling.tell_on(tx, self._clock.now())

    async def _apply_one_by_one(self) -> int:
        count = 0
        while count < _EVENTS_PER_TRANSACTION and await self._apply_oldest():
            count += 1
        return count

    async def _apply_oldest(self) -> bool:
        """Apply the oldest accepted event, or set it aside if it cannot be; return whether there was one."""
        taken: list[StoredEvent] = []

        def apply(tx: Transaction) -> None:
            now = self._clock.now()
            taken[:] = tx.events.pending(1)
            for stored in taken:
                if self._project(tx, stored, now):
                    tx.events.mark_applied([stored.sequence], now)
                self._enrolling.react(tx, stored.event, now)

        try:
            await self._store.run(apply)
        except TemporaryFailure:
            raise
        except Exception as error:
            [stored] = taken
            log.exception("event set aside", sequence=stored.sequence, type=stored.event.type)
            code = type(error).__name__

            def quarantine(tx: Transaction) -> None:
                tx.events.quarantine(stored.sequence, code, self._clock.now())

            await self._store.run(quarantine)
        return bool(taken)

    async def _publish_one(self, queued: QueuedMessage) -> None:
        def mark_published(tx: Transaction) -> None:
            tx.engine_messages.mark_published(queued.queue_id, self._clock.now())

        try:
            await self._engine.publish(queued.message)
        except TemporaryFailure as failure:
            pause_s = min(failure.retry_after_s * 2 ** min(queued.attempts, _MOST_DOUBLINGS), _LONGEST_PAUSE_S)
            # One line when trouble begins: a thousand messages may wait for one engine.
            say = log.debug if failure.code == self._engine_trouble else log.warning
            say("engine messages wait", code=failure.code, reason=failure.message)
            self._engine_trouble = failure.code
            await self._postpone(queued, pause_s)
        except PermanentFailure as failure:
            log.warning("engine message refused", name=queued.message.name, code=failure.code)
            await self._mark_refused(queued, failure.code)
        else:
            if self._engine_trouble:
                log.info("engine takes messages again")
                self._engine_trouble = ""
            await self._store.run(mark_published)

    async def _postpone(self, queued: QueuedMessage, pause_s: float) -> None:
        def postpone(tx: Transaction) -> None:
            tx.engine_messages.postpone(queued.queue_id, self._clock.now() + timedelta(seconds=pause_s))

        await self._store.run(postpone)

    async def _mark_refused(self, queued: QueuedMessage, code: str) -> None:
        def mark_refused(tx: Transaction) -> None:
            tx.engine_messages.mark_refused(queued.queue_id, code, self._clock.now())

        await self._store.run(mark_refused)

    def _is_sweeping_due(self, tx: Transaction) -> bool:
        now = self._clock.now()
        return bool(
            tx.messages.overdue(now, 1)
            or tx.coupons.stale(now, 1)
            or tx.engine_messages.unclaimed_starts(now - _START_AGAIN_AFTER, 1)
            or tx.engine_messages.refused_starts(1)
        )

    def _sweep(self, tx: Transaction) -> int:
        now = self._clock.now()
        overdue = tx.messages.overdue(now, _ROWS_PER_SWEEP)
        for message in overdue:
            if message.state == "handed_over":
                doubt(tx, message, ANSWER_LOST, now)
            else:
                expired = TOO_STALE if message.reason == TOO_STALE else "expired"
                close(tx, message, "suppressed", expired if now >= message.expires_at else "journey_ended", now)
        stale = tx.coupons.stale(now, _ROWS_PER_SWEEP)
        for coupon in stale:
            give_back(tx, coupon.coupon_id, now)
        unclaimed = tx.engine_messages.unclaimed_starts(now - _START_AGAIN_AFTER, _ROWS_PER_SWEEP)
        for start in unclaimed:
            # The engine refuses the repeat while it keeps the first; later it is harmless.
            tx.engine_messages.add(start, now)
        return len(overdue) + len(stale) + len(unclaimed) + _end_refused(tx, now)

    async def _repeat(
        self,
        stop: asyncio.Event,
        what: str,
        step: Callable[[], Awaitable[int]],
        idle_s: float,
        *,
        wake: asyncio.Event | None = None,
    ) -> None:
        """Take one step after another; *wake* ends a rest, but not a pause that trouble asks for."""
        failures = 0
        while not stop.is_set():
            self._turn(what)
            if wake is not None:
                wake.clear()
            try:
                worked = await step()
                failures = 0
                # Where there was work there may be more.
                pause_s = 0.0 if worked else idle_s
            except TemporaryFailure as failure:
                failures += 1
                pause_s = min(0.2 * 2 ** min(failures, _MOST_DOUBLINGS), _LONGEST_PAUSE_S)
                log.warning("relay waits", step=what, code=failure.code, retry_after_s=pause_s)
            if pause_s:
                await _pause([stop, wake] if wake is not None and not failures else [stop], pause_s)

    def _turn(self, what: str) -> None:
        self._turned_s[what] = time.monotonic()


def _end_refused(tx: Transaction, now: datetime) -> int:
    """End enrolments whose start the engine refused, and return how many; a later event may enrol anew."""
    refused = tx.engine_messages.refused_starts(_ROWS_PER_SWEEP)
    for enrolment_id, code in refused:
        enrolment = tx.enrolments.get(enrolment_id)
        if enrolment is not None:
            tx.enrolments.save(
                replace(enrolment, state="ended", ended_at=now, outcome=NOT_STARTED, outcome_reason=code)
            )
    return len(refused)


async def _pause(interrupts: Sequence[asyncio.Event], seconds: float) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in interrupts]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()
