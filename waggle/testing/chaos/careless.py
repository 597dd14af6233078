"""Waggle with one guard left out: the harness is worth something only if it then finds the harm.

Each says in `shown_at` where a kill brings the harm to light; without one, it shows by itself under load.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import wraps
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar, cast

from waggle.domain.coupon import BudgetUse
from waggle.domain.event import Receipt
from waggle.domain.message import Message
from waggle.errors import TemporaryFailure
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import StoredEvent, Transaction
from waggle.services.intake import Intake
from waggle.services.sending import Sending, Sent
from waggle.storage.store import Store

T = TypeVar("T")

Work = Callable[[Transaction], T]

_WRITE_BEHIND_S = 0.3
_STALE = timedelta(seconds=10)


class Careful:
    """Changes nothing: what each careless one differs from."""

    shown_at: ClassVar[str | None] = None

    def store(self, store: Store, clock: Clock) -> Store:
        """Return the store to work on."""
        return store

    def intake(self, intake: Intake) -> Intake:
        """Return the door in."""
        return intake

    def services(self, services: Mapping[type, object], clock: Clock) -> Mapping[type, object]:
        """Return what tasks get."""
        return services


class ForgetsHandOver(Careful):
    """Takes a message that was handed over by a process now gone for one that never left."""

    shown_at = "worker.EmailSender.answered"

    def store(self, store: Store, clock: Clock) -> Store:
        """Return a store that shows such a row as planned and keeps it from the sweeper."""

        def is_left(message: Message) -> bool:
            lease = message.lease_until
            return message.state == "handed_over" and lease is not None and clock.now() >= lease

        def blind(tx: Transaction) -> Transaction:
            def get(enrolment_id: str, step: str) -> Message | None:
                found = tx.messages.get(enrolment_id, step)
                return replace(found, state="planned", lease_until=None) if found and is_left(found) else found

            def overdue(now: datetime, limit: int) -> list[Message]:
                return [each for each in tx.messages.overdue(now, limit) if not is_left(each)]

            return _instead(tx, messages=_instead(tx.messages, get=get, overdue=overdue))

        return _seen_through(store, blind)


class IgnoresMessageRow(Careful):
    """Sends without looking whether the message is in its final state."""

    shown_at = "worker.send-message.CompleteJob.before"

    def store(self, store: Store, clock: Clock) -> Store:
        """Return a store that shows every final row as planned to whoever is about to send."""

        def blind(tx: Transaction) -> Transaction:
            def get(enrolment_id: str, step: str) -> Message | None:
                found = tx.messages.get(enrolment_id, step)
                return replace(found, state="planned", settled_at=None) if found and found.final else found

            return _instead(tx, messages=_instead(tx.messages, get=get))

        return _seen_through(store, blind)


class AcknowledgesBeforeCommit(Careful):
    """Answers for events that it stores a moment later."""

    shown_at = "api.Gathering.store.before"

    def intake(self, intake: Intake) -> Intake:
        """Return a door that writes behind its answer."""
        return cast("Intake", _WriteBehind(intake))


class MarksAppliedFirst(Careful):
    """Marks events as applied in a transaction of its own, and applies them in the next."""

    shown_at = "relay.MarksAppliedFirst.take.after"

    def store(self, store: Store, clock: Clock) -> Store:
        """Return a store in which the pending events are taken before the work on them is done."""
        return cast("Store", _TakingFirst(store, clock))


class CountsBudgetOutside(Careful):
    """Reads what is left of a coupon budget in another transaction than the one that spends it."""

    def store(self, store: Store, clock: Clock) -> Store:
        """Return a store whose answer about a budget may be some seconds old; what is spent is counted right."""
        known: dict[str, tuple[datetime, BudgetUse]] = {}

        def stale(tx: Transaction) -> Transaction:
            answered: dict[str, BudgetUse] = {}

            def budget_use(campaign: str) -> BudgetUse:
                now = clock.now()
                if campaign not in known or now > known[campaign][0] + _STALE:
                    known[campaign] = (now, tx.coupons.budget_use(campaign))
                answered[campaign] = known[campaign][1]
                return answered[campaign]

            def set_budget_use(campaign: str, use: BudgetUse) -> None:
                true, before = tx.coupons.budget_use(campaign), answered[campaign]
                count, cost_minor = use.count - before.count, use.cost_minor - before.cost_minor
                tx.coupons.set_budget_use(
                    campaign, replace(use, count=true.count + count, cost_minor=true.cost_minor + cost_minor)
                )

            coupons = _instead(tx.coupons, budget_use=budget_use, set_budget_use=set_budget_use)
            return _instead(tx, coupons=coupons)

        return _seen_through(store, stale)


class CompletesFirst(Careful):
    """Tells the engine that a message was sent, and sends it then."""

    shown_at = "worker.Sending.claim.before"

    def services(self, services: Mapping[type, object], clock: Clock) -> Mapping[type, object]:
        """Return the services with a sender that promises."""
        return {**services, Sending: _Promising(cast("Sending", services[Sending]), clock)}


CARELESS: Mapping[str, type[Careful]] = MappingProxyType(
    {
        "": Careful,
        "forgets_hand_over": ForgetsHandOver,
        "ignores_message_row": IgnoresMessageRow,
        "acknowledges_before_commit": AcknowledgesBeforeCommit,
        "marks_applied_first": MarksAppliedFirst,
        "counts_budget_outside": CountsBudgetOutside,
        "completes_first": CompletesFirst,
    }
)
"""By the name that the environment gives; "" is the product as it is."""


class _WriteBehind:
    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._behind: set[asyncio.Task[None]] = set()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever else a door can do
        return getattr(self._intake, name)

    async def accept(self, source: str, items: Sequence[Any], **how: Any) -> list[Receipt]:  # noqa: ANN401 -- as above
        storing = asyncio.create_task(self._store(source, items, how))
        self._behind.add(storing)
        storing.add_done_callback(self._behind.discard)
        return [Receipt(item["id"], "accepted") for item in items]

    async def _store(self, source: str, items: Sequence[Any], how: Mapping[str, Any]) -> None:
        await asyncio.sleep(_WRITE_BEHIND_S)
        await _until_done(lambda: self._intake.accept(source, items, **how))


class _Promising:
    def __init__(self, sending: Sending, clock: Clock) -> None:
        self._sending = sending
        self._clock = clock
        self._promised: set[asyncio.Task[None]] = set()

    async def send(self, **wanted: Any) -> Sent:  # noqa: ANN401 -- what the service takes
        keeping = asyncio.create_task(self._keep(wanted))
        self._promised.add(keeping)
        keeping.add_done_callback(self._promised.discard)
        return Sent("sent", "ok", self._clock.now())

    async def _keep(self, wanted: Mapping[str, Any]) -> None:
        await asyncio.sleep(_WRITE_BEHIND_S)
        await _until_done(lambda: self._sending.send(**wanted))


class _NotTakenError(Exception):
    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit


class _TakingFirst:
    """Runs work that asks for pending events a second time, after it has taken these for it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def run(self, work: Work[T]) -> T:
        try:
            return await self._store.run(self._given(work, None))
        except _NotTakenError as wanted:
            taken = await self._store.run(self._taking(wanted.limit))
            return await self._store.run(self._given(work, taken))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever else a store can do
        return getattr(self._store, name)

    def _taking(self, limit: int) -> Work[list[StoredEvent]]:
        def take(tx: Transaction) -> list[StoredEvent]:
            pending = tx.events.pending(limit)
            tx.events.mark_applied([stored.sequence for stored in pending], self._clock.now())
            return pending

        take.__qualname__ = f"{MarksAppliedFirst.__name__}.take"
        return take

    @staticmethod
    def _given(work: Work[T], taken: list[StoredEvent] | None) -> Work[T]:
        @wraps(work)
        def given(tx: Transaction) -> T:
            def pending(limit: int) -> list[StoredEvent]:
                if taken is None and tx.events.pending(limit):
                    raise _NotTakenError(limit)
                return taken or []

            return work(_instead(tx, events=_instead(tx.events, pending=pending)))

        return given


class _SeenThrough:
    def __init__(self, store: Store, glass: Callable[[Transaction], Transaction]) -> None:
        self._store = store
        self._glass = glass

    async def run(self, work: Work[T]) -> T:
        # The crash points of a transaction are called after its work.
        return await self._store.run(wraps(work)(lambda tx: work(self._glass(tx))))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever else a store can do
        return getattr(self._store, name)


class _Instead:
    """Answers some of what another object answers, and passes on the rest."""

    def __init__(self, of: object, answers: Mapping[str, object]) -> None:
        self._of = of
        self.__dict__.update(answers)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the other can do
        return getattr(self._of, name)


def _seen_through(store: Store, glass: Callable[[Transaction], Transaction]) -> Store:
    return cast("Store", _SeenThrough(store, glass))


def _instead(of: T, **answers: object) -> T:
    return cast("T", _Instead(of, answers))


async def _until_done(attempt: Callable[[], Any]) -> None:
    while True:
        try:
            await attempt()
        except TemporaryFailure as failure:
            await asyncio.sleep(min(failure.retry_after_s, 1.0))
        else:
            return
