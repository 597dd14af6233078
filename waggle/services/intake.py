"""The one door in: what comes is checked, stored durably, and answered item by item."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from waggle.domain.event import FACTS, OWN_FACTS, Event, Fact, Problem, Receipt
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Arrival, RefusedArrival, Transaction, UnitOfWork
from waggle.services.field_rules import problem_in_fact, problem_in_id
from waggle.services.forbidden_data import Finding, forbidden_in
from waggle.services.gathering import Gathering
from waggle.services.keys import OWN_SOURCE
from waggle.services.setting_aside import set_aside
from waggle.services.stored_forms import UnfitError, stored_form

_log = get_logger(__name__)

RefusalCode = Literal[
    "ENVELOPE_INVALID",
    "EVENT_ID_REUSED",
    "FIELD_INVALID",
    "FIELD_MISSING",
    "FORBIDDEN_DATA",
    "ID_NOT_OPAQUE",
    "ITEM_UNREADABLE",
    "SCOPE_MISSING",
    "SOURCE_MISMATCH",
    "TEXT_INVALID",
    "TIME_IMPLAUSIBLE",
    "TIME_IN_FUTURE",
    "TYPE_UNKNOWN",
]
"""Every code a refusal can have."""

CLOCK_TOLERANCE = timedelta(minutes=10)
"""How far a shop's clock may be ahead of ours."""

KEPT_TOPIC = "event"
"""Under which a refused envelope of our own vocabulary is kept."""

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_NOTHING: frozenset[str] = frozenset()
_MOST_WAITING = 20_000


Also = Callable[[Transaction, Sequence[Receipt]], None]
"""Stores something of the caller's own beside the events, such as how far it has read."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for an item that is JSON by its brackets but cannot be decoded, such as a number of 5,000 digits."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Translated:
    """An item made of what was said in other words; the same words again are a duplicate, however they are read."""

    item: dict[str, Any]
    said: dict[str, Any]
    """What does not change when the sender tries again."""
    topic: str
    """Under which *said* is kept, should it be refused."""


@dataclass(frozen=True, slots=True)
class _Terms:
    """What holds for the items of one call."""

    source: str
    now: datetime
    allowed: frozenset[str]
    only: frozenset[str] | None
    keep: bool
    keep_ip: bool


@dataclass(frozen=True, slots=True)
class _Judged:
    """An item, and either the event it makes or why it makes none."""

    source: str
    event_id: str | None
    body_sha256: str
    outcome: Event | Problem
    came_at: datetime
    keep: bytes | None = None
    """What to set aside, should it be refused."""
    topic: str = KEPT_TOPIC


class Intake:
    """Accepts the events of sources.

    *allow_fields* names, by source, the fields of `data` beyond the vocabulary that are kept; others are dropped.
    *most_waiting* events wait for their commit at most; who comes then is asked to come back. Without *keep_ip* the
    address from which somebody agreed is dropped.
    """

    def __init__(
        self,
        store: UnitOfWork,
        clock: Clock,
        *,
        allow_fields: Mapping[str, frozenset[str]] = MappingProxyType({}),
        most_waiting: int = _MOST_WAITING,
        keep_ip: bool = True,
    ) -> None:
        self._unit_of_work = store
        self._keep_ip = keep_ip
        self._clock = clock
        self._allow_fields = allow_fields
        self._gathering = Gathering(store, _store, most_waiting=most_waiting)

    @property
    def waiting(self) -> int:
        """How many events wait to be stored."""
        return self._gathering.waiting

    def require_room(self, count: int = 1) -> None:
        """Say before any work is done for them whether *count* more events may wait.

        Raises:
            TemporaryFailure: TOO_BUSY.
        """
        self._gathering.require_room(count)

    def now(self) -> datetime:
        """Return the time by which what comes is judged."""
        return self._clock.now()

    async def accept(
        self,
        source: str,
        items: Sequence[object],
        *,
        only: frozenset[str] | None = None,
        keep_refused: bool = False,
        also: Also | None = None,
    ) -> list[Receipt]:
        """Store the good ones among *items* in one transaction and say of each, in order, what became of it.

        *items* are decoded CloudEvents of *source*: who sends is known from the write key, not from an item. *only*
        these types may be sent by it, if given. With *keep_refused* what is refused is set aside with its content, for
        senders that hear no answer; never what must not be held or may not be sent. What *also* stores is stored in the
        same transaction or not at all; an error it raises undoes everything and is passed on.

        Raises:
            TemporaryFailure: nothing was stored; all of it may be sent again.
        """
        if not items and also is None:
            return []
        if also is None:
            self.require_room(len(items))
        allowed = self._allow_fields.get(source, _NOTHING)
        terms = _Terms(source, self._clock.now(), allowed, only, keep_refused, self._keep_ip)
        judged = [_judge(item, terms) for item in items]
        receipts = await (self._gathering.run(judged) if also is None else self._alone(judged, also))
        for receipt in receipts:
            if receipt.problem is not None:
                _log.warning("event refused", source=source, code=receipt.problem.code, where=receipt.problem.where)
        return receipts

    async def _alone(self, judged: Sequence[_Judged], also: Also) -> list[Receipt]:
        def store(tx: Transaction) -> list[Receipt]:
            receipts = _store(tx, judged)
            also(tx, receipts)
            return receipts

        return await self._unit_of_work.run(store)


def _store(tx: Transaction, judged: Sequence[_Judged]) -> list[Receipt]:
    arrivals = [Arrival(one.outcome, one.came_at, one.body_sha256) for one in judged if isinstance(one.outcome, Event)]
    admissions = iter(tx.events.add_all(arrivals))
    receipts = [_receipt(tx, one, next(admissions) if isinstance(one.outcome, Event) else "") for one in judged]
    tx.events.refuse_all(
        [
            RefusedArrival(one.source, one.event_id or "", receipt.problem.code, one.body_sha256, one.came_at)
            for one, receipt in zip(judged, receipts, strict=True)
            if receipt.problem is not None
        ]
    )
    return receipts


def _receipt(tx: Transaction, one: _Judged, admission: str) -> Receipt:
    problem = one.outcome
    if isinstance(problem, Event):
        if admission != "conflict":
            return Receipt(problem.id, admission)
        problem = _REUSED
    kept = None
    if one.keep is not None:
        kept = set_aside(tx, one.source, one.topic, one.keep, problem.code, one.came_at, where=problem.where)
    return Receipt(one.event_id, "refused", problem, kept)


_REUSED = Problem(
    "EVENT_ID_REUSED", "$.id", "An event with this id and another content was accepted before. Give a new id."
)


class RefusedError(Exception):
    """Why an item makes no event."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def _judge(item: object, terms: _Terms) -> _Judged:
    source, now = terms.source, terms.now
    if isinstance(item, Unreadable):
        problem = Problem("ITEM_UNREADABLE", "$", "Send JSON in UTF-8 with numbers of sensible size.")
        kept = item.body if terms.keep else None
        return _Judged(source, None, hashlib.sha256(item.body).hexdigest(), problem, now, kept)
    if isinstance(item, Translated):
        return _judge_translated(item, terms)
    encoded = _encoded(item)
    if not isinstance(item, dict):
        problem = Problem("ENVELOPE_INVALID", "$", "Send one JSON object per event.")
        return _Judged(source, None, hashlib.sha256(encoded).hexdigest(), problem, now, encoded if terms.keep else None)
    event_id, outcome = _outcome(item, encoded, terms)
    if isinstance(outcome, Problem) and outcome.code in _NEVER_KEPT:
        return _Judged(source, event_id, "", outcome, now)
    return _Judged(source, event_id, _body_sha256(item), outcome, now, encoded if terms.keep else None)


def _judge_translated(given: Translated, terms: _Terms) -> _Judged:
    said = msgspec.json.encode(given.said, order="sorted")
    found = forbidden_in(given.said, said)
    outcome: Event | Problem
    if found is None:
        event_id, outcome = _outcome(given.item, _encoded(given.item), terms)
    else:
        event_id, outcome = None, _forbidden(found)
    if isinstance(outcome, Problem) and outcome.code in _NEVER_KEPT:
        return _Judged(terms.source, event_id, "", outcome, terms.now)
    digest = hashlib.sha256(said + str(given.item.get("type")).encode()).hexdigest()
    return _Judged(terms.source, event_id, digest, outcome, terms.now, said if terms.keep else None, given.topic)


_NEVER_KEPT = frozenset({"FORBIDDEN_DATA", "SCOPE_MISSING"})
"""Not even as a hash: who knows the rest of it could try all numbers."""


def _outcome(item: dict[str, Any], encoded: bytes, terms: _Terms) -> tuple[str | None, Event | Problem]:
    raw_id = item.get("id")
    event_id = raw_id if problem_in_id(raw_id, "$.id") is None else None
    try:
        return event_id, _event_of(item, encoded, terms)
    except (RefusedError, UnfitError) as refused:
        # An id that holds what must not be held is not repeated.
        return None if refused.problem.code == "FORBIDDEN_DATA" else event_id, refused.problem


def _event_of(item: dict[str, Any], encoded: bytes, terms: _Terms) -> Event:
    where = _broken_text(item, encoded)
    if where is not None:
        raise RefusedError(Problem("TEXT_INVALID", where, "Take NUL and halves of surrogate pairs out of the text."))
    found = forbidden_in(item, encoded)
    if found is not None:
        raise RefusedError(_forbidden(found))
    if item.get("specversion") != "1.0":
        raise RefusedError(Problem("ENVELOPE_INVALID", "$.specversion", 'Send CloudEvents with specversion "1.0".'))
    _require(problem_in_id(item.get("id"), "$.id"))
    if item.get("source") not in (None, terms.source):
        raise RefusedError(
            Problem("SOURCE_MISMATCH", "$.source", "Leave source out, or give the one your write key belongs to.")
        )
    fact_type = _fact_type(item.get("type"))
    _require_permission(item["type"], terms)
    happened_at = _time(item.get("time"), terms.now)
    data = item.get("data")
    if not isinstance(data, dict):
        raise RefusedError(Problem("ENVELOPE_INVALID", "$.data", "Give a JSON object."))
    fact = _fact(fact_type, data)
    subject = item.get("subject")
    if subject is None:
        subject = _subject(fact)
    else:
        _require(problem_in_id(subject, "$.subject"))
    stored = stored_form(fact_type, data, terms.allowed)
    if not terms.keep_ip:
        stored.pop("ip", None)
    return Event(id=item["id"], source=terms.source, type=item["type"], subject=subject, time=happened_at, data=stored)


def _forbidden(found: Finding) -> Problem:
    return Problem("FORBIDDEN_DATA", found.where, f"Take it out and never send it: it is a {found.kind}.")


def _require_permission(event_type: str, terms: _Terms) -> None:
    if (event_type in OWN_FACTS and terms.source != OWN_SOURCE) or (
        terms.only is not None and event_type not in terms.only
    ):
        raise RefusedError(Problem("SCOPE_MISSING", "$.type", "Send events of this type with a key that may."))


def _require(problem: Problem | None) -> None:
    if problem is None:
        return
    # What names an envelope is part of its form: only a speaking id is worth a word of its own there.
    raise RefusedError(problem if problem.code == "ID_NOT_OPAQUE" else replace(problem, code="ENVELOPE_INVALID"))


def _fact_type(event_type: object) -> type[Fact]:
    found = FACTS.get(event_type) if isinstance(event_type, str) else None
    if found is None:
        raise RefusedError(Problem("TYPE_UNKNOWN", "$.type", f"Give one of: {', '.join(FACTS)}."))
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
        raise RefusedError(
            Problem("ENVELOPE_INVALID", "$.time", "Give RFC 3339 with offset, such as 2026-05-04T10:00:00Z.")
        ) from None
    if happened_at > now + CLOCK_TOLERANCE:
        raise RefusedError(
            Problem("TIME_IN_FUTURE", "$.time", "Set the clock of the sender, or leave time out: now is then assumed.")
        )
    if happened_at < _EARLIEST:
        raise RefusedError(Problem("TIME_IMPLAUSIBLE", "$.time", "Give the time at which it happened, after 1999."))
    return happened_at


def _fact(fact_type: type[Fact], data: dict[str, Any]) -> Fact:
    try:
        fact = msgspec.convert(data, fact_type, strict=True)
    except msgspec.ValidationError as error:
        # Names types and fields of ours only; the sender's values are not in it.
        said, _, path = str(error).partition(" - at `$")
        code = "FIELD_MISSING" if said.startswith("Object missing") else "FIELD_INVALID"
        raise RefusedError(Problem(code, "$.data" + path.rstrip("`"), f"{said}.")) from None
    problem = problem_in_fact(fact, "$.data")
    if problem is not None:
        raise RefusedError(problem)
    return fact


def fitting_data(event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return how *data* of an event is stored.

    Raises:
        RefusedError, UnfitError: it does not fit the type.
    """
    fact_type = FACTS[event_type]
    _fact(fact_type, data)
    return stored_form(fact_type, data)


def _subject(fact: Fact) -> str:
    """Return whom the event is about: the customer once known, else the first other id."""
    for name in (
        "customer_id",
        "cart_id",
        "anonymous_id",
        "checkout_id",
        "order_id",
        "payment_id",
        "sku",
        "message_id",
        "campaign_id",
    ):
        value = getattr(fact, name, None)
        if value is not None:
            return str(value)
    raise LookupError(type(fact).__name__)


def _body_sha256(item: dict[str, Any]) -> str:
    """Return the SHA-256 of what an item says, as canonical JSON; the same for any order of keys and any spacing."""
    said = {name: item[name] for name in _SAYS if name in item}
    try:
        encoded = msgspec.json.encode(said, order="sorted")
    except UnicodeEncodeError:
        encoded = repr(said).encode("utf-8", "backslashreplace")
    return hashlib.sha256(encoded).hexdigest()


_SAYS = ("type", "time", "subject", "data")


def _encoded(item: object) -> bytes:
    """Return *item* as JSON; escaped where it holds half a surrogate pair, for which there is no UTF-8."""
    try:
        return msgspec.json.encode(item)
    except UnicodeEncodeError:
        return json.dumps(item).encode()


def _broken_text(item: dict[str, Any], encoded: bytes) -> str | None:
    """Return the path of the first text that a database or mail cannot hold: NUL, or half a surrogate pair."""
    # By far the most items end here, at the speed of C.
    if b"\\" not in encoded or (b"\\u0000" not in encoded and b"\\ud" not in encoded):
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
