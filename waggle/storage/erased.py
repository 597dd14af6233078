"""Who was erased, told outside the database: from a database that is put back in time they are erased again."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, case, func, literal_column, select, update

from waggle.domain.event import Event
from waggle.errors import BadSettings
from waggle.log import get_logger
from waggle.storage.keyring import Keyring, sync_folder
from waggle.storage.repositories import SqlTransaction
from waggle.storage.repositories.base import upsert
from waggle.storage.tables.inbox import events
from waggle.storage.tables.vault import person_keys as t
from waggle.storage.vault import Vault

_log = get_logger(__name__)

_ROWS_AT_ONCE = 500
_NOBODY_HERE = "-erased-"
"""Begins the name of a row for somebody on the list whom the database never knew, or knows no more."""


# Written out, as in the index: a condition given as a parameter is not seen to be the index's.
_UNTOLD = select(t.c.person).where(t.c.told == literal_column("0")).limit(1)


@dataclass(frozen=True, slots=True)
class Erasure:
    """One key that was destroyed: whose, by a keyed hash, and which of the keys they have had."""

    person: str
    generation: int
    at: datetime


class ErasedList:
    """A file of one JSON object a line, only ever added to; it lies outside the database and every backup."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def add(self, erasures: Iterable[Erasure]) -> None:
        """Write *erasures* durably; one that stands there already does no harm.

        Raises:
            OSError: they could not be written.
        """
        lines = "".join(
            json.dumps({"person": each.person, "generation": each.generation, "at": each.at.isoformat()}) + "\n"
            for each in erasures
        )
        is_new = not self.file.exists()
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            # In one write: several processes may add to it.
            os.write(descriptor, lines.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            sync_folder(self.file.parent)

    def read(self) -> Mapping[str, Erasure]:
        """Return the last erasure of each person, by the keyed hash.

        Raises:
            BadSettings: the file cannot be read.
        """
        last: dict[str, Erasure] = {}
        for each in self._lines():
            if each.person not in last or last[each.person].generation < each.generation:
                last[each.person] = each
        return last

    def _lines(self) -> Iterator[Erasure]:
        try:
            with self.file.open(encoding="utf-8") as lines:
                for line in lines:
                    # A kill in the middle of a write leaves half a line; its erasure is told again.
                    if line.endswith("\n"):
                        said = json.loads(line)
                        yield Erasure(said["person"], said["generation"], datetime.fromisoformat(said["at"]))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadSettings(
                "ERASED_LIST_UNREADABLE",
                f"{self.file}, the list of erased persons, cannot be read; without it they might be back",
            ) from error


def tell_erased(engine: Engine, keyring: Keyring, erased: ErasedList) -> None:
    """Write into *erased* whose keys were destroyed since it was last done.

    What cannot be written is logged and tried again at the next erasure or start.
    """
    if not _is_untold(engine):
        return
    with engine.connect() as connection, connection.begin():
        untold = connection.execute(select(t).where(t.c.told == 0).order_by(t.c.person)).all()
        vault = Vault(connection, keyring)
        try:
            erased.add(
                Erasure(
                    _hash(vault, row.person),
                    # Who came back has another key already: the one before it is meant.
                    row.generation if row.wrapped_key is None else row.generation - 1,
                    row.destroyed_at,
                )
                for row in untold
            )
        except OSError as error:
            _log.error("list of erased persons cannot be written", file=str(erased.file), errno=error.errno)
            return
        for start in range(0, len(untold), _ROWS_AT_ONCE):
            some = [row.person for row in untold[start : start + _ROWS_AT_ONCE]]
            connection.execute(update(t).where(t.c.person.in_(some)).values(told=1))


def _is_untold(engine: Engine) -> bool:
    """Say so without taking the write lock, which would hold up every start."""
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        return connection.scalar(_UNTOLD) is not None


def erase_again(engine: Engine, keyring: Keyring, erased: ErasedList) -> int:
    """Erase from a database that is older than *erased* whoever stands there; return how many it found.

    Their keys are destroyed at once, and an event goes into the inbox for what else must go. A few at a time, each time
    for good: after a kill in between, the next call finds the others.
    """
    listed = erased.read()
    if not listed or _knows_all(engine, listed):
        return 0
    search, has_more = _Search(listed), True
    while has_more:
        with engine.connect() as connection, connection.begin():
            has_more = search.go_on(connection, Vault(connection, keyring))
    _log.warning("erased persons erased again from an older database", count=search.found)
    return search.found


def erase_again_in(connection: Connection, vault: Vault, listed: Mapping[str, Erasure]) -> int:
    """Do so in a transaction of the caller's."""
    search = _Search(listed)
    while search.go_on(connection, vault):
        pass
    return search.found


def _knows_all(engine: Engine, listed: Mapping[str, Erasure]) -> bool:
    """Say at a glance whether every erasure that is *listed* was seen to.

    Who was erased more than once counts as often: an older database may know of them by an erasure before the last.
    What is not yet told does not count, since it is not listed.
    """
    last = func.sum(case((t.c.wrapped_key.is_(None), t.c.generation), else_=t.c.generation - 1))
    done = select(last).where(t.c.destroyed_at.is_not(None), t.c.told == 1)
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        return (connection.scalar(done) or 0) >= sum(each.generation for each in listed.values())


class _Search:
    """Goes through all persons of a database once, and erases those who are listed."""

    def __init__(self, listed: Mapping[str, Erasure]) -> None:
        self.found = 0
        self._last = ""
        self._left = dict(listed)

    def go_on(self, connection: Connection, vault: Vault) -> bool:
        """See to the next few; False: there is nobody left."""
        page = select(t).where(t.c.person > self._last).order_by(t.c.person).limit(_ROWS_AT_ONCE)
        rows = connection.execute(page).all()
        for known in rows:
            erasure = self._left.pop(_hash(vault, known.person), None)
            if erasure is None or known.generation > erasure.generation:
                continue
            if known.wrapped_key is not None:
                self.found += 1
                _tell_projections(connection, vault, known.person, erasure)
            _set_destroyed(connection, known.person, erasure)
        if rows:
            self._last = rows[-1].person
            return True
        self._note_absent(connection)
        return bool(self._left)

    def _note_absent(self, connection: Connection) -> None:
        """Give a row to some of those who are not there, so that the next start sees that they were looked for."""
        some = [self._left.pop(person) for person in list(self._left)[:_ROWS_AT_ONCE]]
        rows = [{"person": f"{_NOBODY_HERE}{each.person}", "created_at": each.at} | _destroyed(each) for each in some]
        if rows:
            # Another process that starts at the same time may have looked for them, too.
            connection.execute(upsert(connection.dialect.name, t, tuple(rows[0])), rows)


def _set_destroyed(connection: Connection, person: str, erasure: Erasure) -> None:
    connection.execute(update(t).where(t.c.person == person).values(**_destroyed(erasure)))


def _destroyed(erasure: Erasure) -> dict[str, object]:
    return {
        "generation": erasure.generation,
        "wrapped_key": None,
        "master_key_id": None,
        "destroyed_at": erasure.at,
        "told": 1,
    }


def _tell_projections(connection: Connection, vault: Vault, person: str, erasure: Erasure) -> None:
    if connection.scalar(select(events.c.sequence).where(events.c.customer_id == person).limit(1)) is None:
        return
    name = f"erased-again-{erasure.person[:16]}-{erasure.generation}"
    event = Event(name, "waggle", "customer-erased", person, erasure.at, {"customer_id": person})
    SqlTransaction(connection, vault).events.add(event, datetime.now(UTC), name)


def _hash(vault: Vault, person: str) -> str:
    if person.startswith(_NOBODY_HERE):
        return person.removeprefix(_NOBODY_HERE)
    return vault.blind("erased", person)
