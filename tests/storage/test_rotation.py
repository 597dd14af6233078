"""Master keys can be changed while everything goes on, and a change that was broken off is ended later."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from waggle.domain.event import Event
from waggle.errors import BadSettings
from waggle.ports.unit_of_work import Transaction
from waggle.storage.keyring import FileKeyring
from waggle.storage.rotation import drop, rotate
from waggle.storage.store import Store, open_engine, open_store
from waggle.storage.tables import person_keys

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


class BrokenOffError(Exception):
    """Stands for a kill."""


@pytest.fixture
def keyring(tmp_path: Path) -> FileKeyring:
    return FileKeyring(tmp_path / "safe" / "master.toml", may_make=True)


async def fill(store: Store, persons: int) -> None:
    def work(tx: Transaction) -> None:
        for number in range(persons):
            data = {"customer_id": f"c-{number}", "email": f"jo.{number}@example.com"}
            event = Event(f"e-{number}", "shop", "customer-identified", f"c-{number}", NOON, data)
            tx.events.add(event, NOON, "0" * 64)

    await store.run(work)


def master_keys(engine: Engine) -> set[str | None]:
    with engine.connect() as connection:
        return set(connection.scalars(select(person_keys.c.master_key_id)))


async def emails(store: Store) -> list[object]:
    return [each.event.data.get("email") for each in await store.run(lambda tx: tx.events.pending(2000))]


async def test_after_a_rotation_nothing_needs_the_old_key_and_all_can_be_read(
    database_url: str, keyring: FileKeyring
) -> None:
    store = open_store(database_url, keyring=keyring)
    await fill(store, 1100)
    await store.run(lambda tx: tx.events.forget("c-7", NOON))
    old = keyring.current().key_id
    told: list[tuple[int, int]] = []
    engine = open_engine(database_url)

    # Another process, which has read the file before.
    done = rotate(engine, FileKeyring(keyring.file, may_make=False), NOON, lambda *count: told.append(count))

    assert (done.rewrapped, done.was_begun, told[-1]) == (1099, False, (1099, 1099))
    assert len(told) == 3
    assert master_keys(engine) == {done.key_id, None}
    drop(engine, keyring, old)
    assert await emails(store) == [None if number == 7 else f"jo.{number}@example.com" for number in range(1100)]
    store.close()
    engine.dispose()


async def test_a_rotation_that_was_broken_off_goes_on_with_the_same_key(
    database_url: str, keyring: FileKeyring
) -> None:
    store = open_store(database_url, keyring=keyring)
    await fill(store, 1100)
    engine = open_engine(database_url)

    def give_up(_done: int, _total: int) -> None:
        raise BrokenOffError

    with pytest.raises(BrokenOffError):
        rotate(engine, keyring, NOON, give_up)
    begun = keyring.current().key_id
    with pytest.raises(BadSettings, match="MASTER_KEY_IN_USE"):
        drop(engine, keyring, next(iter(master_keys(engine) - {begun})) or "")

    done = rotate(engine, keyring, NOON, lambda _done, _total: None)

    assert (done.key_id, done.rewrapped, done.was_begun) == (begun, 600, True)
    assert len(await emails(store)) == 1100
    store.close()
    engine.dispose()
