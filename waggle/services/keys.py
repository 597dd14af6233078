"""Keys of programs and tokens of people: made, rotated, revoked; shown once, kept as hashes."""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from waggle.domain.role import SCOPES
from waggle.errors import BadSettings, Rejected
from waggle.ports.clock import Clock
from waggle.ports.keys import Key, Kind
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.access import is_good, new_token
from waggle.services.own_words import refuse_personal

OWN_SOURCE = "waggle"
"""The source of events that happen here rather than in the shop."""
_SENDING = frozenset({"events:write", "events:track"})
_SOURCE = re.compile(r"[a-z0-9][a-z0-9./_-]{0,99}")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: the only time that `token` is seen."""

    key_id: str
    token: str


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key for people on duty."""

    key_id: str
    hint: str
    name: str
    kind: Kind
    source: str | None
    scopes: tuple[str, ...]
    role: str | None
    state: str
    """`good`, `expired` or `revoked`."""
    created_at: datetime
    age_days: int
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
    replaced_by: str | None
    remind: bool
    """Whether it is good, has stood for long, and is not being replaced."""


class Keys:
    """Makes, lists and ends keys; each decision is in the audit log."""

    def __init__(self, store: UnitOfWork, clock: Clock, *, remind_after: timedelta = timedelta(days=90)) -> None:
        self._store = store
        self._clock = clock
        self._remind_after = remind_after

    async def create(
        self, source: str, *, scopes: Collection[str] = ("events:write",), expires: timedelta | None = None, by: str
    ) -> NewKey:
        """Return a new key for the program *source*; it cannot be shown again. Older keys of it stay good.

        Raises:
            BadSettings: SOURCE_NAME, if *source* is no name for one; SCOPE_UNKNOWN; EXPIRY_PAST.
        """
        _check_source(source)
        _check_scopes(scopes)
        _check_expiry(expires)
        token, key_id, key_hash, hint = new_token("program")
        may_send = not _SENDING.isdisjoint(scopes)

        def add(tx: Transaction) -> None:
            now = self._clock.now()
            key = Key(
                key_id=key_id,
                key_hash=key_hash,
                hint=hint,
                name=source,
                kind="program",
                source=source if may_send else None,
                scopes=tuple(sorted(scopes)),
                role=None,
                created_at=now,
                expires_at=None if expires is None else now + expires,
            )
            tx.keys.save(key)
            note_key(tx, key, "key-created", by, now)

        await self._store.run(add)
        return NewKey(key_id, token)

    async def list(self) -> list[KeyLine]:
        """Return every key there ever was, the oldest first."""
        found = await self._store.read(lambda tx: tx.keys.all())
        now = self._clock.now()
        return [self._line(key, now) for key in found]

    async def rotate(self, key_id: str, *, overlap: timedelta, by: str) -> NewKey:
        """Return a new key that may do what *key_id* may; that one stays good for *overlap*, and no longer than before.

        Raises:
            Rejected: KEY_UNKNOWN; KEY_NOT_GOOD: it is revoked, expired, or was rotated before.
            BadSettings: OVERLAP_WRONG.
        """
        if overlap < timedelta():
            raise BadSettings("OVERLAP_WRONG", "--overlap is a duration such as PT24H; PT0S ends the old key at once")

        def swap(tx: Transaction) -> NewKey:
            now = self._clock.now()
            old = _found(tx, key_id)
            if not is_good(old, now) or old.replaced_by is not None:
                raise Rejected("KEY_NOT_GOOD", f"{key_id} is revoked, expired or was rotated before: make a new key")
            token, new_id, key_hash, hint = new_token(old.kind)
            life = None if old.expires_at is None else old.expires_at - old.created_at
            new = replace(
                old,
                key_id=new_id,
                key_hash=key_hash,
                hint=hint,
                created_at=now,
                expires_at=None if life is None else now + life,
                last_used_at=None,
            )
            ends_at = now + overlap if old.expires_at is None else min(old.expires_at, now + overlap)
            tx.keys.save(new)
            tx.keys.save(replace(old, replaced_by=new_id, expires_at=ends_at))
            note_key(tx, old, "key-rotated", by, now, replaced_by=new_id, good_until=ends_at.isoformat())
            return NewKey(new_id, token)

        return await self._store.run(swap)

    async def revoke(self, key_id: str, *, by: str, why: str) -> None:
        """End a key now; every process knows within 5 s.

        Raises:
            Rejected: KEY_UNKNOWN; KEY_NOT_GOOD: it was revoked before; WORDS_REFUSED: *why* may not be kept.
        """
        refuse_personal("why", why)

        def end(tx: Transaction) -> None:
            key = _found(tx, key_id)
            if key.revoked_at is not None:
                raise Rejected("KEY_NOT_GOOD", f"{key_id} was revoked before")
            revoke_key(tx, key, by, self._clock.now(), why)

        await self._store.run(end)

    def _line(self, key: Key, now: datetime) -> KeyLine:
        age = now - key.created_at
        state = "good" if is_good(key, now) else "expired" if key.revoked_at is None else "revoked"
        return KeyLine(
            key_id=key.key_id,
            hint=key.hint,
            name=key.name,
            kind=key.kind,
            source=key.source,
            scopes=key.scopes,
            role=key.role,
            state=state,
            created_at=key.created_at,
            age_days=age.days,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            revoked_at=key.revoked_at,
            replaced_by=key.replaced_by,
            remind=state == "good" and key.replaced_by is None and age >= self._remind_after,
        )


def revoke_key(tx: Transaction, key: Key, by: str, now: datetime, why: str) -> None:
    """End *key* within a transaction."""
    tx.keys.save(replace(key, revoked_at=now))
    note_key(tx, key, "key-revoked", by, now, why=why)


def note_key(  # noqa: PLR0913 -- who did what to which key, when and why
    tx: Transaction, key: Key, action: str, by: str, now: datetime, *, why: str = "", **detail: str
) -> None:
    """Put what happened to *key* into the audit log."""
    holder = {"name": key.name, "kind": key.kind, "scopes": " ".join(key.scopes) or str(key.role)}
    tx.audit.add(AuditEntry(at=now, actor=by, action=action, subject=key.key_id, why=why, detail={**holder, **detail}))


def _found(tx: Transaction, key_id: str) -> Key:
    key = tx.keys.get(key_id)
    if key is None:
        raise Rejected("KEY_UNKNOWN", f"there is no key {key_id!r}; `waggle keys list` shows them")
    return key


def _check_source(source: str) -> None:
    if source == OWN_SOURCE:
        raise BadSettings("SOURCE_NAME", f"{OWN_SOURCE!r} is the source of clicks and unsubscriptions; take another")
    if not _SOURCE.fullmatch(source):
        raise BadSettings("SOURCE_NAME", "a source is up to 100 of a-z, 0-9, '.', '/', '_' and '-', such as shop/eu")


def _check_scopes(scopes: Collection[str]) -> None:
    if not scopes or not set(scopes) <= set(SCOPES):
        raise BadSettings("SCOPE_UNKNOWN", f"a key has one or more of these scopes: {', '.join(SCOPES)}")


def _check_expiry(expires: timedelta | None) -> None:
    if expires is not None and expires <= timedelta():
        raise BadSettings("EXPIRY_PAST", "--expires is a duration from now, such as P90D")
