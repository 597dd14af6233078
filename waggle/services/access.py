"""Who asks, and what they may do: keys of programs and tokens of people, known by their hashes."""

import asyncio
import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from waggle.domain.role import ROLES
from waggle.errors import TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.keys import Key, Kind
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.tries import Tries

_log = get_logger(__name__)

PREFIXES: dict[Kind, str] = {"program": "wk_", "person": "wp_"}

_RANDOM_BYTES = 32
_FORM = re.compile(r"w[kp]_[A-Za-z0-9_-]{43}")
_HASH_CHARS_OF_ID = 12
_LAST_CHARS = 4

_RENEWED_AFTER = timedelta(seconds=2)
_GOOD_FOR = timedelta(seconds=5)
_USE_NOTED_EVERY = timedelta(minutes=1)
_REFUSALS_NOTED_EVERY = timedelta(minutes=1)
_SAME_NOTED_EVERY = timedelta(hours=1)
_ITSELF = "waggle"
_LONG_AGO = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks."""

    key_id: str
    name: str
    """What the audit log calls them."""
    kind: Kind
    source: str | None
    """Of the events that they may send."""
    scopes: frozenset[str]
    role: str | None


@dataclass(slots=True)
class _Known:
    """A key that was good when it was last looked at."""

    principal: Principal
    expires_at: datetime | None
    renew_at: datetime
    """From then on one of those who ask looks at it again, while the others go on."""
    good_until: datetime


class Access:
    """Knows whose a token is without asking the database each time: a revocation is in force within 5 s everywhere.

    What is to be remembered (last use, refusals) is written beside the request, which does not wait for it.
    """

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._looks: dict[str, asyncio.Task[Principal | None]] = {}
        self._noted_at: dict[tuple[str, ...], datetime] = {}
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._writes: set[asyncio.Task[None]] = set()
        self._tries = Tries()

    async def principal_of(self, token: str) -> Principal | None:
        """Return whose *token* it is, or None if nobody's, or no longer good."""
        # The form is checked first: what cannot be a token of ours is no work for the database.
        return await self._of_hash(hashed(token), self._clock.now()) if _FORM.fullmatch(token) else None

    async def admit(self, token: str, address: str) -> Principal | None:
        """Return whose *token* it is, or None if nobody's: from one *address* that may be tried only so often.

        When a key was last used is noted at most once a minute.

        Raises:
            TemporaryFailure: TOO_MANY_TRIES. Whoever was admitted before is not held up by others of their address.
        """
        key_hash = hashed(token)
        now = self._clock.now()
        if key_hash not in self._known and (wait_s := self._tries.wait_s(address, now)):
            raise TemporaryFailure("TOO_MANY_TRIES", retry_after_s=wait_s)
        principal = await self._of_hash(key_hash, now) if _FORM.fullmatch(token) else None
        if principal is None:
            self._tries.failed(address, now)
            self.count("tokens-refused", "-", "no key, or none that is still good", _REFUSALS_NOTED_EVERY)
        elif self._is_due(("used", principal.key_id), _USE_NOTED_EVERY, now):
            key_id = principal.key_id
            self._write(lambda tx: tx.keys.used(key_id, now))
        return principal

    def scope_missing(self, principal: Principal, scope: str) -> None:
        """Put into the audit log that *principal* asked for what they may not do."""
        self.count("scope-missing", principal.key_id, scope, _SAME_NOTED_EVERY, actor=principal.name)

    def count(self, action: str, subject: str, why: str, every: timedelta, *, actor: str = _ITSELF) -> None:
        """Put into the audit log that something happened: the first time at once, then at most once in *every*.

        A row says how often since the row before. What was counted after the last row is written by `close`.
        """
        event = (action, subject, why, actor)
        self._counts[event] += 1
        if self._is_due(event, every, self._clock.now()):
            self._write_counts([event])

    async def close(self) -> None:
        """Write what was only counted, and wait for what is being written."""
        self._write_counts(list(self._counts))
        while self._writes:
            await asyncio.wait(self._writes)

    async def _of_hash(self, key_hash: str, now: datetime) -> Principal | None:
        known = self._known.get(key_hash)
        if known is None or now >= known.good_until:
            principal = await self._look_once(key_hash)
        elif now >= known.renew_at:
            known.renew_at = known.good_until
            principal = await self._look_once(key_hash)
        elif known.expires_at is not None and now >= known.expires_at:
            principal = None
        else:
            principal = known.principal
        return principal

    async def _look_once(self, key_hash: str) -> Principal | None:
        """Look at the key, together with whoever else wants to know just now."""
        look = self._looks.get(key_hash)
        if look is None:
            look = self._looks[key_hash] = asyncio.create_task(self._look(key_hash))
        # A caller that goes away takes nothing from the others.
        return await asyncio.shield(look)

    async def _look(self, key_hash: str) -> Principal | None:
        try:
            now = self._clock.now()
            key = await self._store.read(lambda tx: tx.keys.by_hash(key_hash))
            if key is None or not is_good(key, now):
                self._known.pop(key_hash, None)
                return None
            principal = principal_of_key(key)
            self._known[key_hash] = _Known(principal, key.expires_at, now + _RENEWED_AFTER, now + _GOOD_FOR)
            return principal
        finally:
            del self._looks[key_hash]

    def _is_due(self, what: tuple[str, ...], every: timedelta, now: datetime) -> bool:
        if now < self._noted_at.get(what, now - _LONG_AGO) + every:
            return False
        self._noted_at[what] = now
        return True

    def _write_counts(self, events: list[tuple[str, ...]]) -> None:
        now = self._clock.now()
        entries = [
            AuditEntry(at=now, actor=actor, action=action, subject=subject, why=why, detail={"count": str(count)})
            for action, subject, why, actor in events
            if (count := self._counts.pop((action, subject, why, actor), 0))
        ]

        def add(tx: Transaction) -> None:
            for entry in entries:
                tx.audit.add(entry)

        if entries:
            self._write(add)

    def _write(self, work: Callable[[Transaction], object]) -> None:
        writing = asyncio.create_task(self._written(work))
        self._writes.add(writing)
        writing.add_done_callback(self._writes.discard)

    async def _written(self, work: Callable[[Transaction], object]) -> None:
        try:
            await self._store.run(work)
        except TemporaryFailure as failure:
            _log.warning("use of a key not noted", code=failure.code)


def hashed(token: str) -> str:
    """Return what is kept of *token*.

    A token holds 256 random bits: a plain hash cannot be turned back, and is looked up by an index without telling, by
    the time it takes, how much of it was right.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def new_token(kind: Kind) -> tuple[str, str, str, str]:
    """Return a new token, the id of its key, its hash, and the hint by which people tell it from others."""
    prefix = PREFIXES[kind]
    token = prefix + secrets.token_urlsafe(_RANDOM_BYTES)
    key_hash = hashed(token)
    return token, f"k-{key_hash[:_HASH_CHARS_OF_ID]}", key_hash, f"{prefix}...{token[-_LAST_CHARS:]}"


def is_good(key: Key, now: datetime) -> bool:
    """Say whether *key* is neither revoked nor expired."""
    is_revoked = key.revoked_at is not None and key.revoked_at <= now
    return not is_revoked and (key.expires_at is None or now < key.expires_at)


def principal_of_key(key: Key) -> Principal:
    """Return who *key* belongs to; what a person may do is what their role may do now."""
    scopes = frozenset(key.scopes) if key.role is None else ROLES[key.role]
    return Principal(key.key_id, key.name, key.kind, key.source, scopes, key.role)
