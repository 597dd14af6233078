"""The one door in: what comes is checked, stored durably, and answered item by item."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from waggle.domain.event import FACTS, Event, Fact, Problem, Receipt
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.field_rules import problem_in_fact, problem_in_id

_log = get_logger(__name__)

RefusalCode = Literal[
    "ENVELOPE_INVALID",
    "EVENT_ID_REUSED",
    "FIELD_INVALID",
    "FIELD_MISSING",
    "ID_NOT_OPAQUE",
    "ITEM_UNREADABLE",
    "SOURCE_MISMATCH",
    "TEXT_INVALID",
    "TIME_IMPLAUSIBLE",
    "TIME_IN_FUTURE",
    "TYPE_UNKNOWN",
]
"""Every code a refusal can have."""

CLOCK_TOLERANCE = timedelta(minutes=10)
"""How far a shop's clock may be ahead of ours."""

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for an item that is JSON by its brackets but cannot be decoded, such as a number of 5,000 digits."""

    body: bytes


@dataclass(frozen=True, slots=True)
class _Judged:
    """An item, and either the event it makes or why it makes none."""

    event_id: str | None
    body_sha256: str
    outcome: Event | Problem


class Intake:
    """Accepts the events of sources."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def accept(self, source: str, items: Sequence[object]) -> list[Receipt]:
        """Store the good ones among *items* in one transaction and say of each, in order, what became of it.

        *items* are decoded CloudEvents of *source*: who sends is known from the write key, not from an item.
        Unknown fields of `data` are kept and ignored.

        Raises:
            TemporaryFailure: nothing was stored; all of it may be sent again.
        """
        now = self._clock.now()
        judged = [_judge(source, item, now) for item in items]

        def accept(tx: Transaction) -> list[Receipt]:
            return [_store(tx, source, one, now) for one in judged]

        receipts = await self._store.run(accept)
        for receipt in receipts:
            if receipt.problem is not None:
                _log.warning("event refused", source=source, code=receipt.problem.code, where=receipt.problem.where)
        return receipts


def _store(tx: Transaction, source: str, judged: _Judged, now: datetime) -> Receipt:
    outcome = judged.outcome
    if isinstance(outcome, Event):
        admission = tx.events.add(outcome, now, judged.body_sha256)
        if admission != "conflict":
            return Receipt(outcome.id, admission)
        outcome = Problem(
            "EVENT_ID_REUSED", "$.id", "An event with this id and another content was accepted before. Give a new id."
        )
    tx.events.refuse(source, judged.event_id or "", outcome.code, judged.body_sha256, now)
    return Receipt(judged.event_id, "refused", outcome)


class _RefusedError(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def _judge(source: str, item: object, now: datetime) -> _Judged:
    if isinstance(item, Unreadable):
        digest = hashlib.sha256(item.body).hexdigest()
        return _Judged(
            None, digest, Problem("ITEM_UNREADABLE", "$", "Send JSON in UTF-8 with numbers of sensible size.")
        )
    if not isinstance(item, dict):
        return _Judged(None, _digest(item), Problem("ENVELOPE_INVALID", "$", "Send one JSON object per event."))
    raw_id = item.get("id")
    event_id = raw_id if problem_in_id(raw_id, "$.id") is None else None
    body_sha256 = _digest({name: item[name] for name in ("type", "time", "subject", "data") if name in item})
    try:
        outcome: Event | Problem = _event_of(source, item, now)
    except _RefusedError as refused:
        outcome = refused.problem
    return _Judged(event_id, body_sha256, outcome)


def _event_of(source: str, item: dict[str, Any], now: datetime) -> Event:
    where = _broken_text(item)
    if where is not None:
        raise _RefusedError(Problem("TEXT_INVALID", where, "Take NUL and halves of surrogate pairs out of the text."))
    if item.get("specversion") != "1.0":
        raise _RefusedError(Problem("ENVELOPE_INVALID", "$.specversion", 'Send CloudEvents with specversion "1.0".'))
    _require(problem_in_id(item.get("id"), "$.id"))
    if item.get("source") not in (None, source):
        raise _RefusedError(
            Problem("SOURCE_MISMATCH", "$.source", "Leave source out, or give the one your write key belongs to.")
        )
    fact_type = _fact_type(item.get("type"))
    happened_at = _time(item.get("time"), now)
    data = item.get("data")
    if not isinstance(data, dict):
        raise _RefusedError(Problem("ENVELOPE_INVALID", "$.data", "Give a JSON object."))
    fact = _fact(fact_type, data)
    subject = item.get("subject")
    if subject is None:
        subject = _subject(fact)
    else:
        _require(problem_in_id(subject, "$.subject"))
    return Event(id=item["id"], source=source, type=item["type"], subject=subject, time=happened_at, data=data)


def _require(problem: Problem | None) -> None:
    if problem is None:
        return
    # What names an envelope is part of its form: only a speaking id is worth a word of its own there.
    raise _RefusedError(problem if problem.code == "ID_NOT_OPAQUE" else replace(problem, code="ENVELOPE_INVALID"))


def _fact_type(event_type: object) -> type[Fact]:
    found = FACTS.get(event_type) if isinstance(event_type, str) else None
    if found is None:
        raise _RefusedError(Problem("TYPE_UNKNOWN", "$.type", f"Give one of: {', '.join(FACTS)}."))
    return found


def _time(given: object, now: datetime) -> datetime:
    if given is None:
        return now
    try:
        happened_at = msgspec.convert(given, datetime, strict=True)
        if happened_at.tzinfo is None:
            raise ValueError  # noqa: TRY301 - one answer for every way to write no time
        happened_at = happened_at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _RefusedError(
            Problem("ENVELOPE_INVALID", "$.time", "Give RFC 3339 with offset, such as 2026-05-04T10:00:00Z.")
        ) from None
    if happened_at > now + CLOCK_TOLERANCE:
        raise _RefusedError(
            Problem("TIME_IN_FUTURE", "$.time", "Set the clock of the sender, or leave time out: now is then assumed.")
        )
    if happened_at < _EARLIEST:
        raise _RefusedError(Problem("TIME_IMPLAUSIBLE", "$.time", "Give the time at which it happened, after 1999."))
    return happened_at


def _fact(fact_type: type[Fact], data: dict[str, Any]) -> Fact:
    try:
        fact = msgspec.convert(data, fact_type, strict=True)
    except msgspec.ValidationError as error:
        # Names types and fields of ours only; the sender's values are not in it.
        said, _, path = str(error).partition(" - at `$")
        code = "FIELD_MISSING" if said.startswith("Object missing") else "FIELD_INVALID"
        raise _RefusedError(Problem(code, "$.data" + path.rstrip("`"), f"{said}.")) from None
    problem = problem_in_fact(fact, "$.data")
    if problem is not None:
        raise _RefusedError(problem)
    return fact


def _subject(fact: Fact) -> str:
    """Return whom the event is about: the customer once known, else the first other id."""
    for name in ("customer_id", "cart_id", "sku", "order_id", "message_id"):
        value = getattr(fact, name, None)
        if value is not None:
            return str(value)
    raise LookupError(type(fact).__name__)


def _digest(value: object) -> str:
    """Return the SHA-256 of *value* as canonical JSON; the same for any order of keys and any spacing."""
    try:
        encoded = msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError:
        encoded = repr(value).encode("utf-8", "backslashreplace")
    return hashlib.sha256(encoded).hexdigest()


def _broken_text(item: dict[str, Any]) -> str | None:
    """Return the path of the first text that a database or mail cannot hold: NUL, or half a surrogate pair."""
    try:
        encoded = msgspec.json.encode(item)
    except UnicodeEncodeError:
        encoded = b"\\u0000"
    if b"\\u0000" not in encoded:  # by far the most items end here, at the speed of C
        return None
    waiting: list[tuple[str, object]] = [("$", item)]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, str):
            if _is_broken(value):
                return where
        elif isinstance(value, list):
            waiting.extend((f"{where}[{index}]", each) for index, each in enumerate(value))
        elif isinstance(value, dict):
            if any(_is_broken(name) for name in value):
                return where
            waiting.extend((f"{where}.{name}" if name in _OUR_NAMES else where, each) for name, each in value.items())
    return None


_OUR_NAMES = frozenset({"id", "source", "type", "time", "subject", "data", "items"}) | {
    name for fact in FACTS.values() for name in fact.__dataclass_fields__
}
"""Names that may stand in a path: a name of the sender's own might be anything."""


def _is_broken(text: str) -> bool:
    return any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in text)
