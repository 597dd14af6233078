"""Wrap the keys of persons by another master key, a few at a time while everything else goes on."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, func, select, update

from waggle.errors import BadSettings
from waggle.storage.keyring import FileKeyring, Keyring
from waggle.storage.tables.vault import person_keys as t

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was done: *rewrapped* keys of persons are now wrapped by *key_id*."""

    key_id: str
    rewrapped: int
    was_begun: bool
    """Whether it went on with one that had been broken off, so that there is no new master key."""


def rotate(engine: Engine, keyring: FileKeyring, now: datetime, told: Callable[[int, int], None]) -> Rotation:
    """Make a new master key and wrap every person's key by it; one that was broken off is only ended.

    *told* hears after each transaction how many are done and how many there were to do. Older master keys stay in the
    file, for backups hold keys that they wrap.

    Raises:
        BadSettings: the file of master keys cannot be written.
    """
    was_begun = _left(engine, keyring.current().key_id) > 0
    key_id = keyring.current().key_id if was_begun else keyring.add(now).key_id
    total, done = _left(engine, key_id), 0
    while rewrapped := _rewrap_some(engine, keyring):
        done += rewrapped
        told(done, max(total, done))
    return Rotation(key_id, done, was_begun)


def drop(engine: Engine, keyring: FileKeyring, key_id: str) -> None:
    """Take an older master key out of the file: backups that were made with it can never be read again.

    Raises:
        BadSettings: it is in use, or there is none of this id.
    """
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        used = connection.scalar(select(t.c.person).where(t.c.master_key_id == key_id).limit(1))
    if used is not None:
        raise BadSettings("MASTER_KEY_IN_USE", f"keys of persons are still wrapped by {key_id}; rotate first")
    keyring.drop(key_id)


def _left(engine: Engine, key_id: str) -> int:
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        return connection.scalar(select(func.count()).where(t.c.master_key_id != key_id)) or 0


def _rewrap_some(engine: Engine, keyring: Keyring) -> int:
    with engine.connect() as connection, connection.begin():
        master = keyring.current()
        rows = connection.execute(
            select(t.c.person, t.c.wrapped_key, t.c.master_key_id)
            .where(t.c.master_key_id != master.key_id)
            .order_by(t.c.person)
            .limit(_AT_ONCE)
            .with_for_update()
        ).all()
        for row in rows:
            key = keyring.of(row.master_key_id).unwrap(base64.b64decode(row.wrapped_key))
            wrapped = base64.b64encode(master.wrap(key)).decode()
            changed = update(t).where(t.c.person == row.person)
            connection.execute(changed.values(wrapped_key=wrapped, master_key_id=master.key_id))
        return len(rows)
