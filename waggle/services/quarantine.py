"""What was set aside, and the people who look at it: list, show, mend, retry, drop."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, cast, get_args

from waggle.domain.event import Receipt
from waggle.errors import Rejected
from waggle.ports.clock import Clock
from waggle.ports.quarantine import SetAside
from waggle.ports.unit_of_work import AuditEntry, Quarantined, RefusedArrival, StoredEvent, Transaction, UnitOfWork
from waggle.services.intake import KEPT_TOPIC, Intake, RefusedError, fitting_data
from waggle.services.json_places import put, shape
from waggle.services.own_words import refuse_personal
from waggle.services.segment import TOPIC as SEGMENT_TOPIC
from waggle.services.segment import Call, CallKind, Ignored, translated
from waggle.services.setting_aside import forbidden_in_bytes
from waggle.services.stored_forms import UnfitError

Read = Callable[[str, str, bytes, datetime], Sequence[object]]
"""Reads (source, topic, raw, now) again, for topics that are not ours; raises Rejected as at the first time."""

_ID = re.compile(r"([qe])([0-9]{1,18})")
_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineLine:
    """One thing that waits for somebody; never what it says."""

    id: str
    """q and a number: could not be understood. e and a number: was accepted and could not be applied."""
    source: str
    what: str
    """The type of an event, or the sender's name of what was sent."""
    code: str
    where: str
    set_aside_at: datetime | None


@dataclass(frozen=True, slots=True)
class EventCounts:
    """How many events are not applied yet, and why."""

    pending: int
    """The relay will come to them."""
    unapplied: int
    unread: int


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of something that was tried again."""

    id: str
    status: Literal["taken", "released", "refused"]
    """taken: it is in the inbox, or says nothing to us. released: it will be applied again. refused: it still waits."""
    code: str = ""
    where: str = ""


class QuarantineDesk:
    """Looks after what was set aside; what a person decides is in the audit log."""

    def __init__(
        self, store: UnitOfWork, intake: Intake, clock: Clock, *, read: Read | None = None, segment_currency: str = ""
    ) -> None:
        self._store = store
        self._intake = intake
        self._clock = clock
        self._read = read
        self._segment_currency = segment_currency

    async def waiting(
        self, limit: int = _AT_ONCE, *, after: int = 0, source: str | None = None
    ) -> list[QuarantineLine]:
        """Return what waits: first what could not be understood, from behind number *after*, then what failed."""

        def find(tx: Transaction) -> list[QuarantineLine]:
            unread = [_line(each) for each in tx.quarantine.waiting(limit, after=after, source=source)]
            failed = [_failed(each) for each in tx.events.quarantined() if source in {None, each.source}]
            return [*unread, *failed][:limit]

        return await self._store.read(find)

    async def counts(self) -> EventCounts:
        """Return how many there are."""

        def count(tx: Transaction) -> EventCounts:
            return EventCounts(
                pending=tx.events.count_pending(),
                unapplied=len(tx.events.quarantined()),
                unread=sum(tx.quarantine.count_waiting().values()),
            )

        return await self._store.read(count)

    async def refused(self, limit: int = _AT_ONCE) -> list[RefusedArrival]:
        """Return the events turned away last, the newest first; their senders were told, nothing of them is kept."""
        return await self._store.read(lambda tx: tx.events.refused(limit))

    async def shape(self, quarantine_id: str) -> list[tuple[str, str]]:
        """Return what it consists of: each path, and what kind of value stands there; never the value.

        Raises:
            Rejected: QUARANTINE_UNKNOWN.
        """

        def look(tx: Transaction) -> object:
            return _content(tx, quarantine_id)

        return shape(await self._store.read(look))

    async def content(self, quarantine_id: str, *, by: str) -> object:
        """Return what it says, which may tell of somebody: the audit log remembers who looked.

        Raises:
            Rejected: QUARANTINE_UNKNOWN, WORDS_REFUSED.
        """
        refuse_personal("by", by)

        def look(tx: Transaction) -> object:
            found = _content(tx, quarantine_id)
            _note(tx, self._clock.now(), by, "quarantined-shown", quarantine_id, "looked at")
            return found

        return await self._store.run(look)

    async def mend(self, quarantine_id: str, changes: Mapping[str, str], *, by: str, why: str) -> None:
        """Put each value, JSON or else text, at its path such as `data.items[0].quantity`; it still waits for a retry.

        Raises:
            Rejected: QUARANTINE_UNKNOWN, PATH_UNKNOWN, WORDS_REFUSED, or the code of what would still be wrong with an
                event that was accepted before.
        """
        refuse_personal("by", by)
        refuse_personal("why", why)

        def mend(tx: Transaction) -> None:
            content = _content(tx, quarantine_id)
            for path, text in changes.items():
                put(content, path, text)
            kind, number = _parsed(quarantine_id)
            if kind == "e":
                tx.events.mend(number, _mended_data(tx, number, content))
            else:
                _replace(tx, number, content)
            _note(tx, self._clock.now(), by, "quarantined-mended", quarantine_id, why, paths=" ".join(changes))

        await self._store.run(mend)

    async def drop(self, quarantine_id: str, *, by: str, why: str) -> None:
        """Give up what could not be understood: its content goes. An event that was accepted is never dropped.

        Raises:
            Rejected: QUARANTINE_UNKNOWN, WORDS_REFUSED, EVENT_ACCEPTED.
        """
        refuse_personal("by", by)
        refuse_personal("why", why)
        kind, number = _parsed(quarantine_id)
        if kind == "e":
            raise Rejected("EVENT_ACCEPTED", f"{quarantine_id} was acknowledged to its sender: mend it instead")

        def drop(tx: Transaction) -> None:
            _content(tx, quarantine_id)
            now = self._clock.now()
            tx.quarantine.settle(number, "dropped", now)
            _note(tx, now, by, "quarantined-dropped", quarantine_id, why)

        await self._store.run(drop)

    async def retry(self, quarantine_id: str) -> Retried:
        """Try it again as it is now.

        Raises:
            Rejected: QUARANTINE_UNKNOWN.
        """
        kind, number = _parsed(quarantine_id)
        if kind == "e":
            return await self._release(number)
        found = await self._store.read(lambda tx: _waiting(tx, number))
        content = await self._store.read(lambda tx: tx.quarantine.content(number))
        if found is None or content is None:
            raise _unknown(quarantine_id)
        return await self._take(found, content)

    async def retry_all(self, *, source: str | None = None) -> list[Retried]:
        """Try everything again that waits."""
        done: list[Retried] = []
        after = 0
        while lines := await self._unread(after, source):
            done += [await self.retry(f"q{number}") for number in lines]
            after = lines[-1]
        failed = await self._store.read(lambda tx: tx.events.quarantined())
        done += [await self._release(each.sequence) for each in failed if source in {None, each.source}]
        return done

    async def _unread(self, after: int, source: str | None) -> list[int]:
        def find(tx: Transaction) -> list[int]:
            return [each.quarantine_id for each in tx.quarantine.waiting(_AT_ONCE, after=after, source=source)]

        return await self._store.read(find)

    async def _release(self, sequence: int) -> Retried:
        def release(tx: Transaction) -> None:
            if sequence not in {each.sequence for each in tx.events.quarantined()}:
                raise _unknown(f"e{sequence}")
            tx.events.release(sequence)

        await self._store.run(release)
        return Retried(f"e{sequence}", "released")

    async def _take(self, found: SetAside, content: bytes) -> Retried:
        number, now = found.quarantine_id, self._clock.now()

        def settle(tx: Transaction, receipts: Sequence[Receipt]) -> None:
            problem = next((each.problem for each in receipts if each.problem is not None), None)
            if problem is None:
                tx.quarantine.settle(number, "retried", now)
            else:
                tx.quarantine.replace(number, content, problem.code, problem.where)

        try:
            items = self._items(found, content, now)
        except Rejected as error:
            return Retried(f"q{number}", "refused", error.code)
        receipts = await self._intake.accept(found.source, items, also=settle)
        problem = next((each.problem for each in receipts if each.problem is not None), None)
        if problem is not None:
            return Retried(f"q{number}", "refused", problem.code, problem.where)
        return Retried(f"q{number}", "taken")

    def _items(self, found: SetAside, content: bytes, now: datetime) -> Sequence[object]:
        if found.topic == KEPT_TOPIC:
            return [_json(content)]
        if found.topic == SEGMENT_TOPIC:
            message = _json(content)
            if not isinstance(message, dict) or message.get("type") not in get_args(CallKind):
                raise Rejected("CALL_UNKNOWN", "type is no kind of call")
            call = Call(cast("CallKind", message["type"]), message, None)
            read = translated(call, now, self._segment_currency)
            return [] if isinstance(read, Ignored) else [read]
        if self._read is None:
            raise Rejected("TOPIC_UNKNOWN", f"nobody here reads {found.topic}")
        return self._read(found.source, found.topic, content, now)


def _line(found: SetAside) -> QuarantineLine:
    return QuarantineLine(
        id=f"q{found.quarantine_id}",
        source=found.source,
        what=found.topic,
        code=found.code,
        where=found.where,
        set_aside_at=found.set_aside_at,
    )


def _failed(found: Quarantined) -> QuarantineLine:
    return QuarantineLine(
        id=f"e{found.sequence}",
        source=found.source,
        what=found.event_type,
        code=found.code,
        where="",
        set_aside_at=found.settled_at,
    )


def _parsed(quarantine_id: str) -> tuple[str, int]:
    found = _ID.fullmatch(quarantine_id)
    if found is None:
        raise _unknown(quarantine_id)
    return found[1], int(found[2])


def _unknown(quarantine_id: str) -> Rejected:
    shown = quarantine_id if _ID.fullmatch(quarantine_id) else "of this name"
    return Rejected("QUARANTINE_UNKNOWN", f"nothing {shown} waits; `waggle events --quarantined` lists what does")


def _waiting(tx: Transaction, number: int) -> SetAside | None:
    found = tx.quarantine.get(number)
    return found if found is not None and found.state == "waiting" else None


def _content(tx: Transaction, quarantine_id: str) -> Any:  # noqa: ANN401 -- any JSON value
    kind, number = _parsed(quarantine_id)
    if kind == "e":
        stored = _unapplied(tx, number)
        return {"type": stored.event.type, "subject": stored.event.subject, "data": dict(stored.event.data)}
    content = tx.quarantine.content(number) if _waiting(tx, number) is not None else None
    if content is None:
        raise _unknown(quarantine_id)
    return _json(content)


def _unapplied(tx: Transaction, sequence: int) -> StoredEvent:
    waits = sequence in {each.sequence for each in tx.events.quarantined()}
    stored = tx.events.get(sequence) if waits else None
    if stored is None:
        raise _unknown(f"e{sequence}")
    return stored


def _json(content: bytes) -> Any:  # noqa: ANN401 -- any JSON value
    try:
        return json.loads(content)
    except ValueError:
        # It can be looked at and replaced as a whole.
        return content.decode("utf-8", "replace")


def _mended_data(tx: Transaction, sequence: int, content: Any) -> dict[str, Any]:  # noqa: ANN401 -- any JSON value
    stored = _unapplied(tx, sequence)
    kept = replace(stored.event, data=content["data"])
    if (content["type"], content["subject"]) != (stored.event.type, stored.event.subject):
        raise Rejected("PATH_UNKNOWN", "of an event that was accepted only `data` can be mended")
    try:
        return fitting_data(kept.type, kept.data)
    except (RefusedError, UnfitError) as refused:
        problem = refused.problem
        raise Rejected(problem.code, f"{problem.where}: {problem.detail}") from None


def _replace(tx: Transaction, number: int, content: object) -> None:
    found = _waiting(tx, number)
    raw = json.dumps(content).encode()
    forbidden = forbidden_in_bytes(raw)
    if forbidden is not None:
        raise Rejected("FORBIDDEN_DATA", f"{forbidden.where}: it is a {forbidden.kind}")
    if found is not None:
        tx.quarantine.replace(number, raw, found.code, found.where)


def _note(  # noqa: PLR0913, PLR0917 -- who did what to which, when and why
    tx: Transaction, at: datetime, actor: str, action: str, subject: str, why: str, **detail: str
) -> None:
    tx.audit.add(AuditEntry(at=at, actor=actor, action=action, subject=subject, why=why, detail=detail))
