"""Who was erased stays erased, also when an older database is put back, and leaves nothing in the database's files."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, insert, select
from sqlalchemy.event import listens_for

from waggle.domain.event import Event
from waggle.errors import BadSettings
from waggle.ports.unit_of_work import Arrival, Transaction
from waggle.storage.erased import ErasedList, erase_again
from waggle.storage.sqlite import SqliteUnitOfWork
from waggle.storage.store import Store, keyring_of, open_engine, open_store
from waggle.storage.tables import person_keys
from waggle.storage.vault import Vault
from waggle.testing.stores import keyring_for

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
PLACE = "customers.email/c-1"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    return tmp_path / "safe" / "erased.jsonl"


def opened(url: str, listed: Path) -> Store:
    return open_store(url, keyring=keyring_for(url), erased=listed)


async def tell(store: Store, number: int = 1, customer_id: str = "c-1") -> None:
    data = {"customer_id": customer_id, "email": "jo@example.com"}
    event = Event(f"e-{number}", "shop", "customer-identified", customer_id, NOON, data)
    await store.run(lambda tx: tx.events.add(event, NOON, "0" * 64))


async def pending(store: Store) -> list[tuple[str, dict[str, object]]]:
    return [(each.event.type, each.event.data) for each in await store.run(lambda tx: tx.events.pending(100))]


def lines(listed: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in listed.read_text().splitlines()] if listed.exists() else []


def keys_of(url: str) -> list[dict[str, object]]:
    engine = open_engine(url)
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(select(person_keys)).mappings()]
    engine.dispose()
    return rows


def put_back(url: str, rows: list[dict[str, object]]) -> None:
    """Make the keys what they were: the database as it was before the erasure."""
    engine = open_engine(url)
    with engine.begin() as connection:
        connection.execute(delete(person_keys))
        connection.execute(insert(person_keys), rows)
    engine.dispose()


async def test_an_erasure_is_told_outside_the_database_and_names_nobody(database_url: str, listed: Path) -> None:
    store = opened(database_url, listed)
    await tell(store)
    assert lines(listed) == []

    await store.run(lambda tx: tx.events.forget("c-1", NOON))
    store.close()

    [line] = lines(listed)
    assert line["generation"] == 1
    assert "c-1" not in str(line)


async def test_in_an_older_database_the_erased_are_erased_again(database_url: str, listed: Path) -> None:
    store = opened(database_url, listed)
    await tell(store)
    before = keys_of(database_url)
    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON))
    store.close()
    put_back(database_url, before)

    store = opened(database_url, listed)

    assert await pending(store) == [
        ("customer-identified", {"customer_id": "c-1"}),
        ("customer-erased", {"customer_id": "c-1"}),
    ]
    await tell(store, 2)
    assert len(await pending(store)) == 3
    store.close()
    store = opened(database_url, listed)
    assert (await pending(store))[-1] == ("customer-identified", {"customer_id": "c-1", "email": "jo@example.com"})
    store.close()


MANY = 1_200
"""More than two pages of them."""


class KilledError(BaseException):
    """Ends everything where it is raised, as a kill does: nobody catches it."""


async def older_by_many_erasures(url: str, listed: Path, known: int) -> None:
    """Let the database be as it was before MANY persons were erased, of whom it knew the first *known*."""
    store = opened(url, listed)
    people = [f"c-{number:04}" for number in range(MANY)]
    data = [{"customer_id": each, "email": "jo@example.com"} for each in people]
    told = [
        Arrival(Event(f"e-{each['customer_id']}", "shop", "customer-identified", "s", NOON, each), NOON, "0" * 64)
        for each in data
    ]
    await store.run(lambda tx: tx.events.add_all(told[:known]))
    before = keys_of(url)

    def erase(tx: Transaction) -> None:
        for each in people:
            tx.person_keys.destroy(each, NOON)

    await store.run(erase)
    store.close()
    put_back(url, before)


def alive(url: str) -> int:
    return sum(row["wrapped_key"] is not None for row in keys_of(url))


@pytest.mark.parametrize("known", [MANY, 600], ids=["all known", "half of them never known"])
async def test_a_kill_while_many_are_erased_again_leaves_the_others_to_the_next_start(
    database_url: str, listed: Path, known: int
) -> None:
    await older_by_many_erasures(database_url, listed, known)
    engine = open_engine(database_url)
    keyring = keyring_for(database_url) or keyring_of(engine)
    commits = 0

    @listens_for(engine, "commit")
    def kill(_connection: Connection) -> None:
        nonlocal commits
        commits += 1
        # The first only looks whether anybody is to be erased.
        if commits > 2:
            raise KilledError

    with pytest.raises(KilledError):
        erase_again(engine, keyring, ErasedList(listed))
    engine.dispose()
    assert 0 < alive(database_url) < known

    store = opened(database_url, listed)

    assert alive(database_url) == 0
    again = [each for each in await store.run(lambda tx: tx.events.pending(10_000)) if each.event.source == "waggle"]
    assert len(again) == len({each.event.subject for each in again}) == known
    store.close()
    engine = open_engine(database_url)
    assert erase_again(engine, keyring, ErasedList(listed)) == 0
    engine.dispose()
    assert len(keys_of(database_url)) == MANY


async def test_who_was_erased_twice_is_erased_again_in_a_database_from_between(database_url: str, listed: Path) -> None:
    store = opened(database_url, listed)
    await tell(store)
    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON))
    await tell(store, 2)
    between = keys_of(database_url)
    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON + timedelta(days=1)))
    store.close()
    put_back(database_url, between)

    opened(database_url, listed).close()

    assert alive(database_url) == 0


async def test_who_came_back_before_the_backup_is_not_erased_again(database_url: str, listed: Path) -> None:
    store = opened(database_url, listed)
    await tell(store)
    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON))
    await tell(store, 2)
    store.close()
    newer = keys_of(database_url)
    put_back(database_url, [{**newer[0], "destroyed_at": None}])

    store = opened(database_url, listed)

    assert (await pending(store))[-1][1] == {"customer_id": "c-1", "email": "jo@example.com"}
    store.close()


async def test_somebody_the_older_database_never_knew_is_looked_for_once(database_url: str, listed: Path) -> None:
    store = opened(database_url, listed)
    await tell(store, 1, "c-2")
    before = keys_of(database_url)
    await tell(store)
    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON))
    store.close()
    put_back(database_url, before)

    opened(database_url, listed).close()

    found = {str(row["person"]): row["destroyed_at"] is not None for row in keys_of(database_url)}
    assert len(found) == 2
    assert not found.pop("c-2")
    assert "c-1" not in found
    assert len(lines(listed)) == 1


async def test_what_could_not_be_told_is_told_at_the_next_start(database_url: str, listed: Path) -> None:
    store = opened(database_url, listed)
    await tell(store)
    put_in_the_way(listed.parent)
    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON))
    store.close()

    take_away(listed.parent)
    opened(database_url, listed).close()

    assert len(lines(listed)) == 1


async def test_half_a_line_of_a_kill_is_passed_over(database_url: str, listed: Path) -> None:
    store = opened(database_url, listed)
    await tell(store)
    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON))
    store.close()
    with listed.open("a") as file:
        file.write('{"person": "ab')

    opened(database_url, listed).close()


def test_a_list_that_cannot_be_read_stops_the_start(sqlite_url: str, listed: Path) -> None:
    listed.parent.mkdir()
    listed.write_text("nonsense\n")

    with pytest.raises(BadSettings, match="ERASED_LIST_UNREADABLE"):
        opened(sqlite_url, listed)


async def test_after_an_erasure_no_file_of_the_database_holds_the_key_or_the_sealed_text(
    sqlite_url: str, tmp_path: Path
) -> None:
    store = open_store(sqlite_url)

    def seal(tx: Transaction) -> str:
        vault = tx.person_keys
        assert isinstance(vault, Vault)
        return vault.seal("c-1", PLACE, "jo@example.com")

    await store.run(seal)
    await tell(store)
    wrapped = str(keys_of(sqlite_url)[0]["wrapped_key"])
    assert holding(tmp_path, wrapped) != []

    await store.run(lambda tx: tx.events.forget("c-1", NOON))

    assert holding(tmp_path, wrapped) == []
    store.close()
    assert holding(tmp_path, wrapped) == []


async def test_a_reader_delays_the_cleaning_of_the_log_but_does_not_prevent_it(sqlite_url: str, tmp_path: Path) -> None:
    store = open_store(sqlite_url)
    await tell(store)
    wrapped = str(keys_of(sqlite_url)[0]["wrapped_key"])
    engine = open_engine(sqlite_url)
    with engine.connect().execution_options(read_only=True) as reader, reader.begin():
        reader.execute(select(person_keys)).all()
        await store.run(lambda tx: tx.events.forget("c-1", NOON))
        assert holding(tmp_path, wrapped) != []
    engine.dispose()

    assert isinstance(store, SqliteUnitOfWork)
    store._truncate_at_s = 0.0  # as if a moment had passed
    await tell(store, 2, "c-2")

    assert holding(tmp_path, wrapped) == []
    store.close()


def put_in_the_way(folder: Path) -> None:
    """Make a file where a folder should be made."""
    folder.write_text("")


def take_away(file: Path) -> None:
    file.unlink()


def holding(folder: Path, text: str) -> list[str]:
    copy = folder / "copy"
    found = []
    for file in folder.rglob("*"):
        if file.is_file():
            # Copied first: to close a file of SQLite that another connection of this process has open drops its locks.
            shutil.copy(file, copy)
            if text.encode() in copy.read_bytes():
                found.append(file.name)
    copy.unlink(missing_ok=True)
    return found
