"""Seals what says something about a person with a key of that person, who is forgotten when the key is destroyed."""

import base64
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, Row, Update, bindparam, insert, select, update

from waggle.errors import PermanentFailure
from waggle.storage.among import among
from waggle.storage.keyring import Keyring
from waggle.storage.tables.vault import person_keys as t

_FORM = "1"
_NONCE_BYTES = 12
_KEY_BYTES = 32

# By name: the migrations use this, too, on a table that may have got more columns since.
_COLUMNS = (t.c.person, t.c.generation, t.c.wrapped_key, t.c.master_key_id, t.c.destroyed_at)
_OF_PERSON = select(*_COLUMNS).where(t.c.person == bindparam("who"))
_OF_PERSONS = select(*_COLUMNS).where(among(t.c.person, "who"))
_KEY_COLUMNS = ("generation", "wrapped_key", "master_key_id")


def _changed(*names: str) -> Update:
    return update(t).where(t.c.person == bindparam("who")).values({name: bindparam(name) for name in names})


_ADD = insert(t)
_RENEW = _changed(*_KEY_COLUMNS)
_DESTROY = _changed(*_KEY_COLUMNS, "destroyed_at", "told")


@dataclass(slots=True)
class _Key:
    """What is known of one person's key; `cipher` None: destroyed."""

    generation: int
    cipher: AESGCM | None
    destroyed_at: datetime | None


class Vault:
    """The keys of persons, on a connection that is in a transaction.

    A key is read in the transaction that needs it, and known no longer than that: from the commit of an erasure on
    nobody can open what was sealed. *person* is the customer's id, else the anonymous or cart id; names that begin with
    a hyphen stand for nobody (`-webhooks`: payloads that nobody could read yet). *place* is `table.column/row-key`:
    what is moved to another place does not open there.
    """

    def __init__(self, connection: Connection, keyring: Keyring) -> None:
        self._connection = connection
        self._keyring = keyring
        self._known: dict[str, _Key | None] = {}
        self._blinds: dict[str, hmac.HMAC] = {}
        self.has_destroyed = False

    def seal(self, person: str, place: str, text: str) -> str:
        """Return *text* encrypted; a person without a key gets one."""
        key = self._key(person)
        if key is None or key.cipher is None:
            key = self._give(person, key)
        assert key.cipher is not None  # noqa: S101 -- `_give` has just made it
        nonce = secrets.token_bytes(_NONCE_BYTES)
        closed = key.cipher.encrypt(nonce, text.encode(), _bound(key.generation, place))
        return f"{_FORM}.{key.generation}.{base64.urlsafe_b64encode(nonce + closed).decode()}"

    def open(self, person: str, place: str, sealed: str) -> str | None:
        """Return the text again, or None if the key is destroyed: the person was erased.

        Raises:
            PermanentFailure: SEAL_BROKEN, it was changed, or sealed for another person or place.
        """
        form, generation, closed = _parts(sealed, place)
        key = self._key(person)
        # A generation that is yet to come was sealed under another person's name.
        if form != _FORM or key is None or generation > key.generation:
            raise _broken(place)
        if key.cipher is None or key.generation != generation:
            return None
        try:
            return key.cipher.decrypt(closed[:_NONCE_BYTES], closed[_NONCE_BYTES:], _bound(generation, place)).decode()
        except InvalidTag:
            raise _broken(place) from None

    def blind(self, kind: str, value: str) -> str:
        """Return a keyed hash (HMAC-SHA256, hex) by which *value* is found again without being kept."""
        begun = self._blinds.get(kind)
        if begun is None:
            begun = self._blinds[kind] = hmac.new(self._keyring.derived(f"blind index {kind}"), digestmod="sha256")
        # A copy saves the library from looking up its algorithm for each event.
        blind = begun.copy()
        blind.update(value.encode())
        return blind.hexdigest()

    def destroy(self, person: str, at: datetime) -> None:
        """Destroy the person's key, as of *at*; done already for that time or a later one, nothing happens.

        What is sealed afterwards gets a new key. The row stays, so that the erasure can be told after a restore.
        """
        known = self._key(person)
        if known is not None and known.destroyed_at is not None and known.destroyed_at >= at:
            return
        generation = 1 if known is None else known.generation
        row = {"generation": generation, "wrapped_key": None, "master_key_id": None, "destroyed_at": at, "told": 0}
        if known is None:
            self._connection.execute(_ADD, {"person": person, "created_at": at, **row})
        else:
            self._connection.execute(_DESTROY, {"who": person, **row})
        self._known.pop(person, None)
        self.has_destroyed = True

    def destroyed_at(self, person: str) -> datetime | None:
        """Return when the person's key was destroyed last, whether or not they came back since."""
        known = self._key(person)
        return None if known is None else known.destroyed_at

    def prepare(self, persons: Iterable[str]) -> None:
        """Read the keys of many persons at once, before what is theirs is opened one by one."""
        wanted = sorted(set(persons) - self._known.keys())
        for start in range(0, len(wanted), 500):
            some = wanted[start : start + 500]
            self._known.update(dict.fromkeys(some))
            for row in self._connection.execute(_OF_PERSONS, {"who": some}):
                self._known[row.person] = self._opened(row)

    def learn(self, person: str, row: Row[Any]) -> None:
        """Know the person's key from a row that was joined with theirs, whose column `person` is NULL without one."""
        if person not in self._known:
            self._known[person] = None if row.person is None else self._opened(row)

    def provide(self, persons: Iterable[str]) -> None:
        """Do as `prepare` does, and give keys to those who never had one, all with one statement."""
        wanted = set(persons)
        self.prepare(wanted)
        new = sorted(person for person in wanted if self._known[person] is None)
        if not new:
            return
        now, rows = datetime.now(UTC), []
        for person in new:
            self._known[person], row = self._new(None)
            rows.append({"person": person, "created_at": now, "told": 1, **row})
        self._connection.execute(_ADD, rows)

    def _key(self, person: str) -> _Key | None:
        if person not in self._known:
            row = self._connection.execute(_OF_PERSON, {"who": person}).one_or_none()
            self._known[person] = None if row is None else self._opened(row)
        return self._known[person]

    def _opened(self, row: Any) -> _Key:  # noqa: ANN401 -- a row of `_COLUMNS`, or joined with them
        cipher = None
        if row.wrapped_key is not None:
            cipher = AESGCM(self._keyring.of(row.master_key_id).unwrap(base64.b64decode(row.wrapped_key)))
        return _Key(row.generation, cipher, row.destroyed_at)

    def _new(self, known: _Key | None) -> tuple[_Key, dict[str, object]]:
        """Return a new key in the place of *known*, and what is stored of it."""
        master, secret = self._keyring.current(), secrets.token_bytes(_KEY_BYTES)
        generation, destroyed_at = (1, None) if known is None else (known.generation + 1, known.destroyed_at)
        made = _Key(generation, AESGCM(secret), destroyed_at)
        return made, {
            "generation": made.generation,
            "wrapped_key": base64.b64encode(master.wrap(secret)).decode(),
            "master_key_id": master.key_id,
        }

    def _give(self, person: str, known: _Key | None) -> _Key:
        made, row = self._new(known)
        if known is None:
            now = datetime.now(UTC)
            self._connection.execute(_ADD, {"person": person, "created_at": now, "told": 1, **row})
        else:
            self._connection.execute(_RENEW, {"who": person, **row})
        self._known[person] = made
        return made


def _bound(generation: int, place: str) -> bytes:
    """Return what a sealed text is bound to, besides the key."""
    return f"{_FORM}.{generation}.{place}".encode()


def _parts(sealed: str, place: str) -> tuple[str, int, bytes]:
    try:
        form, generation, closed = sealed.split(".")
        return form, int(generation), base64.urlsafe_b64decode(closed)
    except ValueError:
        raise _broken(place) from None


def _broken(place: str) -> PermanentFailure:
    return PermanentFailure("SEAL_BROKEN", f"{place} was changed outside Waggle, or moved there from elsewhere")
