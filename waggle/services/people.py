"""Those who work with Waggle: who they are, what their role lets them decide, and their tokens for the API."""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from waggle.domain.role import ROLES, Role
from waggle.errors import BadSettings, Rejected
from waggle.ports.clock import Clock
from waggle.ports.keys import Key, Person
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.access import is_good, new_token
from waggle.services.keys import NewKey, note_key, revoke_key
from waggle.services.own_words import refuse_personal

# No address can be written with these: the audit log keeps the name for ever.
_NAME = re.compile(r"[a-z][a-z0-9._-]{0,39}")


@dataclass(frozen=True, slots=True)
class PersonLine:
    """Somebody, for those on duty."""

    name: str
    role: Role
    added_at: datetime
    tokens: int
    """How many of theirs are good."""


class People:
    """Adds and removes people and gives them tokens; each decision is in the audit log."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def add(self, name: str, role: Role, *, by: str) -> None:
        """Let *name* work in *role*; whoever is known already changes to it, their tokens with them.

        Raises:
            BadSettings: PERSON_NAME.
            Rejected: OWNER_MISSING: nobody would be left who may add people.
        """
        if not _NAME.fullmatch(name):
            raise BadSettings(
                "PERSON_NAME", "a name is up to 40 of a-z, 0-9, '.', '_' and '-', such as kim; the audit log keeps it"
            )

        def put(tx: Transaction) -> None:
            now = self._clock.now()
            known = _working(tx, name)
            if role != "owner" and not _other_owners(tx, name):
                raise Rejected("OWNER_MISSING", "somebody has to be the owner: add an owner first")
            tx.people.save(replace(known, role=role) if known else Person(name=name, role=role, added_at=now))
            for key in tx.keys.of(name, "person"):
                tx.keys.save(replace(key, role=role))
            action = "role-changed" if known else "person-added"
            _note(tx, now, by, action, name, role=role, **({"from": known.role} if known else {}))

        await self._store.run(put)

    async def remove(self, name: str, *, by: str) -> None:
        """Let *name* decide nothing any more; their tokens end.

        Raises:
            Rejected: PERSON_UNKNOWN; OWNER_MISSING, they are the last owner and others are left.
        """

        def end(tx: Transaction) -> None:
            now = self._clock.now()
            person = _found(tx, name)
            others = [each for each in tx.people.all() if each.removed_at is None and each.name != name]
            if others and not _other_owners(tx, name):
                raise Rejected("OWNER_MISSING", f"{name} is the only owner: make somebody else one first")
            tx.people.save(replace(person, removed_at=now))
            for key in tx.keys.of(name, "person"):
                if key.revoked_at is None:
                    revoke_key(tx, key, by, now, "person removed")
            _note(tx, now, by, "person-removed", name, role=person.role)

        await self._store.run(end)

    async def token(self, name: str, *, expires: timedelta, by: str) -> NewKey:
        """Return a new token with which *name* may use the API as their role allows; it cannot be shown again.

        Raises:
            Rejected: PERSON_UNKNOWN.
            BadSettings: EXPIRY_PAST.
        """
        if expires <= timedelta():
            raise BadSettings("EXPIRY_PAST", "--expires is a duration from now, such as P90D")
        token, key_id, key_hash, hint = new_token("person")

        def give(tx: Transaction) -> None:
            now = self._clock.now()
            person = _found(tx, name)
            key = Key(
                key_id=key_id,
                key_hash=key_hash,
                hint=hint,
                name=name,
                kind="person",
                source=None,
                scopes=(),
                role=person.role,
                created_at=now,
                expires_at=now + expires,
            )
            tx.keys.save(key)
            note_key(tx, key, "key-created", by, now)

        await self._store.run(give)
        return NewKey(key_id, token)

    async def list(self) -> list[PersonLine]:
        """Return those who work here, by name."""

        def find(tx: Transaction) -> list[PersonLine]:
            now = self._clock.now()
            return [
                PersonLine(each.name, each.role, each.added_at, _good_tokens(tx, each.name, now))
                for each in tx.people.all()
                if each.removed_at is None
            ]

        return await self._store.read(find)

    async def acting(self, by: str | None, login: str, scope: str) -> str:
        """Return the name under which a decision that needs *scope* is written down.

        *by* is who they say they are, *login* their name on the machine. While nobody was added, either will do.

        Raises:
            BadSettings: PERSON_MISSING: nobody was named, and *login* is not a name that is known here.
            Rejected: PERSON_UNKNOWN; SCOPE_MISSING: their role may not decide this, which is in the audit log too;
                WORDS_REFUSED: *by* may not be kept.
        """
        people = [each for each in await self._store.read(lambda tx: tx.people.all()) if each.removed_at is None]
        if not people:
            if by is not None:
                refuse_personal("by", by)
            return by or login
        named = {each.name: each for each in people}
        if by is None and login not in named:
            raise BadSettings("PERSON_MISSING", "say who you are: --by NAME, or set WAGGLE_PERSON")
        person = named.get(login if by is None else by)
        if person is None:
            raise Rejected("PERSON_UNKNOWN", f"nobody is called {by!r} here; `waggle people list` shows who is")
        if scope not in ROLES[person.role]:
            await self._store.run(partial(_refused, now=self._clock.now(), person=person, scope=scope))
            raise Rejected("SCOPE_MISSING", f"{person.name} is {person.role}, which does not include {scope}")
        return person.name


def _refused(tx: Transaction, now: datetime, person: Person, scope: str) -> None:
    tx.audit.add(AuditEntry(at=now, actor=person.name, action="scope-missing", subject=person.name, why=scope))


def _note(tx: Transaction, now: datetime, by: str, action: str, name: str, **detail: str) -> None:
    tx.audit.add(AuditEntry(at=now, actor=by, action=action, subject=name, why="", detail=detail))


def _working(tx: Transaction, name: str) -> Person | None:
    person = tx.people.get(name)
    return person if person is not None and person.removed_at is None else None


def _found(tx: Transaction, name: str) -> Person:
    person = _working(tx, name)
    if person is None:
        raise Rejected("PERSON_UNKNOWN", f"nobody is called {name!r} here; `waggle people list` shows who is")
    return person


def _other_owners(tx: Transaction, name: str) -> bool:
    return any(each.role == "owner" and each.removed_at is None and each.name != name for each in tx.people.all())


def _good_tokens(tx: Transaction, name: str, now: datetime) -> int:
    return sum(is_good(key, now) for key in tx.keys.of(name, "person"))
