"""Who is logged in to the console: by a person's token, for a working day, in one browser."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from waggle.domain.role import Role
from waggle.ports.campaigns import ConsoleSession
from waggle.ports.clock import Clock
from waggle.ports.keys import Key
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.access import Access, hashed, is_good

GOOD_FOR: Final = timedelta(hours=10)
_BYTES = 32
_MOST_CHARS = 100


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody logged in."""

    name: str
    role: Role
    form_token: str
    """Stands in every form of theirs, so that no other site can send one in their name."""


class ConsoleSessions:
    """The cookie holds a secret of its own, never the token; revoked or expired, the token ends the session."""

    def __init__(self, store: UnitOfWork, access: Access, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._clock = clock

    async def begin(self, token: str, address: str) -> str | None:
        """Return the secret for the cookie of whoever shows *token*; None: it is no person's, or no longer good.

        Raises:
            TemporaryFailure: TOO_MANY_TRIES from *address*.
        """
        principal = await self._access.admit(token, address)
        if principal is None or principal.kind != "person":
            return None
        secret = secrets.token_urlsafe(_BYTES)
        now = self._clock.now()
        session = ConsoleSession(
            session_hash=hashed(secret), key_id=principal.key_id, began_at=now, expires_at=now + GOOD_FOR
        )
        entry = AuditEntry(at=now, actor=principal.name, action="console-entered", subject=principal.name, why="")

        def keep(tx: Transaction) -> None:
            tx.console_sessions.forget(now)
            tx.console_sessions.save(session)
            tx.audit.add(entry)

        await self._store.run(keep)
        return secret

    async def visitor(self, secret: str) -> Visitor | None:
        """Return who has this cookie, if they may still come in."""
        if not 0 < len(secret) <= _MOST_CHARS:
            return None

        def find(tx: Transaction) -> Key | None:
            session = tx.console_sessions.get(hashed(secret))
            now = self._clock.now()
            if session is None or now >= session.expires_at:
                return None
            key = tx.keys.get(session.key_id)
            return key if key is not None and is_good(key, now) else None

        key = await self._store.read(find)
        if key is None or key.role is None:
            return None
        return Visitor(key.name, key.role, _form_token(secret))

    async def end(self, secret: str) -> None:
        """Forget the cookie."""

        def end(tx: Transaction) -> None:
            tx.console_sessions.end(hashed(secret))

        await self._store.run(end)


def _form_token(secret: str) -> str:
    return hmac.new(secret.encode(), b"console form", hashlib.sha256).hexdigest()
