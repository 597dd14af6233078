"""Calls of other systems: verified, told in our words, and stored with what they say in one transaction."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from waggle.domain.event import Receipt
from waggle.errors import Rejected, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.sources import Call, Delivery, Item, Webhook, WebhookRequest
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.intake import Intake
from waggle.services.privacy_requests import open_request
from waggle.services.setting_aside import set_aside

_log = get_logger(__name__)

KEPT_FOR = timedelta(days=35)
"""How long a call is known again. The most patient vendors (Standard Webhooks, PayU) repeat one for about 3 days."""

_SWEEP_EVERY = timedelta(hours=1)
_SWEPT_AT_ONCE = 1_000
_TELL_EVERY = timedelta(seconds=10)

Outcome = Literal["taken", "repeated", "not-for-us", "set-aside"]


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a call whose signature was good; the system that called need not call again."""

    outcome: Outcome
    receipts: Sequence[Receipt] = ()


class _RepeatedError(Exception):
    """Undoes what a call stored that was taken before."""


class Webhooks:
    """Takes calls of the sources that are set, each through the connector of its system."""

    def __init__(
        self,
        store: UnitOfWork,
        intake: Intake,
        clock: Clock,
        receivers: Mapping[str, Webhook],
        *,
        tell: Callable[[str, str], None] = lambda _source, _outcome: None,
    ) -> None:
        """Make one; *tell* hears of each call its source, and the outcome or the code of its refusal."""
        self._store = store
        self._intake = intake
        self._clock = clock
        self._receivers = receivers
        self._tell = tell
        self._refused: Counter[tuple[str, str]] = Counter()
        self._told_at: datetime | None = None
        self._swept_at: datetime | None = None

    def receiver(self, source: str) -> Webhook | None:
        """Return who takes the calls of *source*; None if it is set nowhere."""
        return self._receivers.get(source)

    async def receive(self, source: str, request: WebhookRequest) -> Taken:
        """Take a call of *source*, one of those that `receiver` knows.

        Raises:
            Rejected: SIGNATURE_MISSING, SIGNATURE_WRONG, SIGNATURE_STALE.
            TemporaryFailure: nothing was stored; the call may come again.
        """
        receiver, now = self._receivers[source], self._clock.now()
        try:
            call = receiver.verify(request, now)
        except Rejected as error:
            await self._note_refusal(source, error.code, now)
            raise
        came = _Came(source, call, request.body, hashlib.sha256(request.body).hexdigest(), now)
        taken = await self._take(came, receiver)
        self._tell(source, taken.outcome)
        await self._store_refusals(now)
        return taken

    def read(self, source: str, topic: str, raw: bytes, now: datetime) -> Sequence[Item]:
        """Read a call again that was set aside: its signature was good when it came.

        Raises:
            Rejected: SOURCE_UNKNOWN, or PAYLOAD_UNREADABLE as before.
        """
        receiver = self._receivers.get(source)
        if receiver is None:
            raise Rejected("SOURCE_UNKNOWN", f"{source} is no source that is set here")
        return receiver.read(Call(topic=topic, delivery_id=hashlib.sha256(raw).hexdigest()), raw, now).items

    async def _take(self, came: "_Came", receiver: Webhook) -> Taken:
        try:
            delivery = receiver.read(came.call, came.body, came.at)
        except Rejected as error:
            return await self._set_aside(came, error)
        known = ""

        def also(tx: Transaction, receipts: Sequence[Receipt]) -> None:  # noqa: ARG001 -- the intake's
            nonlocal known
            known = tx.deliveries.add(came.source, delivery.topic, delivery.delivery_id, came.body_sha256, came.at)
            if known != "accepted":
                raise _RepeatedError
            _act(tx, came, delivery)
            self._sweep(tx, came.at)

        try:
            receipts = await self._intake.accept(came.source, delivery.items, keep_refused=True, also=also)
        except _RepeatedError:
            return await self._keep_conflict(came, delivery) if known == "conflict" else Taken("repeated")
        if delivery.ended is not None:
            _log.warning("source calls no more", source=came.source, why=delivery.ended)
        is_for_us = bool(delivery.items or delivery.rights or delivery.ended)
        return Taken("taken" if is_for_us else "not-for-us", receipts)

    async def _set_aside(self, came: "_Came", error: Rejected) -> Taken:
        topic, delivery_id = came.call.topic, came.call.delivery_id or came.body_sha256

        def keep(tx: Transaction) -> bool:
            if tx.deliveries.add(came.source, topic, delivery_id, came.body_sha256, came.at) == "duplicate":
                return False
            where = error.message.partition(":")[0]
            set_aside(tx, came.source, topic, came.body, error.code, came.at, where=where)
            return True

        if not await self._store.run(keep):
            return Taken("repeated")
        _log.warning("call set aside", source=came.source, topic=topic, code=error.code, why=error.message)
        return Taken("set-aside")

    async def _keep_conflict(self, came: "_Came", delivery: Delivery) -> Taken:
        """Keep a call that bears the id of another: it is signed, so somebody has to look at it."""

        def keep_other(tx: Transaction) -> None:
            set_aside(tx, came.source, delivery.topic, came.body, "DELIVERY_ID_REUSED", came.at)

        await self._store.run(keep_other)
        _log.warning("call set aside", source=came.source, topic=delivery.topic, code="DELIVERY_ID_REUSED")
        return Taken("set-aside")

    async def _note_refusal(self, source: str, code: str, now: datetime) -> None:
        self._tell(source, code)
        self._refused[source, code] += 1
        await self._store_refusals(now)

    async def _store_refusals(self, now: datetime) -> None:
        """Store how many calls were refused, now and then: a forged call must not cost a transaction."""
        if not self._refused or (self._told_at is not None and now < self._told_at + _TELL_EVERY):
            return
        self._told_at = now
        counted, self._refused = self._refused, Counter()

        def store(tx: Transaction) -> None:
            for (source, code), count in sorted(counted.items()):
                tx.deliveries.refuse(source, code, count, now)

        try:
            await self._store.run(store)
        except TemporaryFailure:
            # Who forges calls hears the same as ever; the count waits for the next one.
            self._refused.update(counted)
            return
        for (source, code), count in sorted(counted.items()):
            _log.warning("calls refused", source=source, code=code, count=count)

    def _sweep(self, tx: Transaction, now: datetime) -> None:
        if self._swept_at is None or now >= self._swept_at + _SWEEP_EVERY:
            swept = tx.deliveries.sweep(now - KEPT_FOR, _SWEPT_AT_ONCE)
            self._swept_at = now if swept < _SWEPT_AT_ONCE else None


@dataclass(frozen=True, slots=True)
class _Came:
    """A call whose signature was good."""

    source: str
    call: Call
    body: bytes
    body_sha256: str
    at: datetime


def _act(tx: Transaction, came: _Came, delivery: Delivery) -> None:
    for asked in delivery.rights:
        open_request(tx, asked.right, asked.customer_id, came.source, came.at)
    if delivery.ended is not None:
        tx.deliveries.end(came.source, delivery.ended, came.at)
        entry = AuditEntry(
            at=came.at, actor=came.source, action="source-ended", subject=came.source, why=delivery.ended
        )
        tx.audit.add(entry)
