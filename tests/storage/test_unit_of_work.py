"""What `run` returned from is stored; what failed never was."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, select, text
from sqlalchemy.exc import DataError, IntegrityError

from waggle.domain.customer import Customer
from waggle.domain.event import Event
from waggle.domain.product import Product
from waggle.errors import BadSettings, TemporaryFailure
from waggle.ports.journey_engine import EngineMessage
from waggle.ports.unit_of_work import Arrival, Transaction
from waggle.storage import tables
from waggle.storage.among import among
from waggle.storage.failures import translated
from waggle.storage.repositories import SqlTransaction
from waggle.storage.store import Store, open_engine, open_store, upgrade

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def put(sku: str, quantity: int = 1) -> "Work":
    return Work(sku, quantity)


class Work:
    """Stores one product."""

    def __init__(self, sku: str, quantity: int) -> None:
        self._product = Product(sku=sku, quantity=quantity)

    def __call__(self, tx: Transaction) -> None:
        tx.products.save(self._product)


class Gate:
    """A work that holds up the line until it is opened, so that those behind it are committed together."""

    def __init__(self, store: Store) -> None:
        self._entered = threading.Event()
        self._open = threading.Event()
        self._held = asyncio.create_task(store.run(self._hold))

    async def held(self, works: Sequence[Callable[[Transaction], None]], store: Store) -> list[asyncio.Task[None]]:
        """Return *works* standing in line."""
        assert await asyncio.to_thread(self._entered.wait, 60)
        tasks = [asyncio.create_task(store.run(work)) for work in works]
        await asyncio.sleep(0)
        return tasks

    async def open(self) -> None:
        self._open.set()
        await self._held

    def _hold(self, tx: Transaction) -> None:
        self._entered.set()
        assert self._open.wait(60)


async def known(store: Store, sku: str) -> bool:
    return await store.read(lambda tx: tx.products.get(sku)) is not None


async def test_what_run_returned_from_is_seen_by_another_connection(store: Store, database_url: str) -> None:
    await store.run(put("honey"))

    other = open_store(database_url)
    try:
        assert await known(other, "honey")
    finally:
        other.close()


async def test_a_work_that_raises_undoes_what_it_did_and_passes_its_error_on(store: Store) -> None:
    def fail(tx: Transaction) -> None:
        tx.products.save(Product(sku="honey"))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.run(fail)

    assert not await known(store, "honey")


async def test_of_works_that_are_committed_together_one_that_fails_undoes_only_itself(store: Store) -> None:

    def fail(tx: Transaction) -> None:
        tx.products.save(Product(sku="broken"))
        raise ZeroDivisionError

    gate = Gate(store)
    works = await gate.held([put("a"), fail, put("b"), put("c")], store)
    await gate.open()
    answers = await asyncio.gather(*works, return_exceptions=True)

    assert [type(answer) for answer in answers] == [type(None), ZeroDivisionError, type(None), type(None)]
    assert [await known(store, sku) for sku in ("a", "broken", "b", "c")] == [True, False, True, True]


async def test_a_work_that_breaks_a_constraint_undoes_only_itself(store: Store) -> None:
    orphan = EngineMessage(name="cart-updated", enrolment_id="nobody", message_id="nobody", time_to_live_s=1)

    def belong_to_nobody(tx: Transaction) -> None:
        tx.products.save(Product(sku="a"))
        tx.engine_messages.add(orphan, NOON)

    answers = await asyncio.gather(store.run(belong_to_nobody), store.run(put("b")), return_exceptions=True)

    assert isinstance(answers[0], IntegrityError)
    assert [await known(store, sku) for sku in ("a", "b")] == [False, True]


async def test_a_caller_that_gives_up_does_not_hurt_the_others(store: Store) -> None:
    gate = Gate(store)
    given_up, last = await gate.held([put("a"), put("b")], store)
    given_up.cancel()
    await gate.open()
    await last

    assert await known(store, "b")


async def test_a_hundred_counters_at_once_count_to_a_hundred(store: Store) -> None:
    """Each reads and then writes: were they not as if one after another, counts would be lost."""
    await store.run(put("honey", 0))

    def count(tx: Transaction) -> None:
        product = tx.products.get("honey")
        assert product is not None
        tx.products.save(Product(sku="honey", quantity=(product.quantity or 0) + 1))

    await asyncio.gather(*(store.run(count) for _ in range(100)))

    product = await store.read(lambda tx: tx.products.get("honey"))
    assert product is not None
    assert product.quantity == 100


async def test_a_closed_store_says_so(store: Store) -> None:
    store.close()

    with pytest.raises(RuntimeError):
        await store.run(put("honey"))


async def test_an_event_is_admitted_once_and_another_body_under_its_id_is_a_conflict(store: Store) -> None:
    told = Event("e-1", "shop", "stock-changed", "honey", NOON, {"sku": "honey", "quantity": 1})

    async def add(digest: str) -> str:
        return await store.run(lambda tx: tx.events.add(told, NOON, digest))

    assert [await add("x"), await add("x"), await add("y")] == ["accepted", "duplicate", "conflict"]
    assert sorted(await asyncio.gather(*(add("x") for _ in range(8)))) == ["duplicate"] * 8


@pytest.mark.parametrize("count", [1, 64, 65, 100, 365, 1_000])
async def test_of_many_events_at_once_each_is_admitted_once_and_kept_as_it_was_told(store: Store, count: int) -> None:
    told = [
        Event(f"e-{number}", "shop", "stock-changed", f"sku-{number}", NOON, {"sku": f"sku-{number}", "quantity": 1})
        for number in range(count)
    ]
    arrivals = [Arrival(event, NOON, f"digest of {event.id}") for event in told]

    first = await store.run(lambda tx: tx.events.add_all([*arrivals, arrivals[-1]]))
    again = await store.run(lambda tx: tx.events.add_all(arrivals))

    assert first == ["accepted"] * count + ["duplicate"]
    assert again == ["duplicate"] * count
    pending = await store.run(lambda tx: tx.events.pending(count + 1))
    assert [each.event for each in pending] == told


async def test_times_come_back_as_they_went_in_and_a_time_without_zone_is_refused(store: Store) -> None:
    precise = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=UTC)
    await store.run(lambda tx: tx.customers.save(Customer(customer_id="c-1", identified_at=precise)))

    found = await store.read(lambda tx: tx.customers.get("c-1"))
    assert found is not None
    assert found.identified_at == precise
    assert found.identified_at.tzinfo is UTC
    naive = Customer(customer_id="c-2", identified_at=precise.replace(tzinfo=None))
    with pytest.raises(Exception, match="a time without a zone"):
        await store.run(lambda tx: tx.customers.save(naive))


# SQLite: what the file, its folder and its disk can do to us.


@pytest.fixture
def impatient(sqlite_url: str) -> Iterator[Store]:
    """A store that waits a tenth of a second for a locked file."""
    store = open_store(sqlite_url, busy_timeout_s=0.1)
    yield store
    store.close()


@pytest.fixture
def locked(sqlite_url: str) -> Iterator[None]:
    """Another program is writing the file."""
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


@pytest.mark.usefixtures("locked")
async def test_a_locked_file_is_said_to_be_locked_and_can_still_be_read(impatient: Store) -> None:
    with pytest.raises(TemporaryFailure) as failure:
        await impatient.run(put("honey"))

    assert failure.value.code == "DATABASE_LOCKED"
    assert failure.value.retry_after_s > 0
    assert not await known(impatient, "honey")


async def test_once_the_lock_is_gone_the_next_work_is_done(impatient: Store, sqlite_url: str) -> None:
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(TemporaryFailure):
        await impatient.run(put("honey"))
    other.execute("ROLLBACK")
    other.close()

    await impatient.run(put("honey"))

    assert await known(impatient, "honey")


def test_a_new_file_that_another_program_holds_is_said_to_be_locked(tmp_path: Path) -> None:
    file = tmp_path / "waggle.db"
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(TemporaryFailure, match="DATABASE_LOCKED"):
        open_store(f"sqlite:///{file}", busy_timeout_s=0.1)

    other.close()


async def test_a_file_that_cannot_be_written_is_said_to_be_read_only(impatient: Store) -> None:
    """Permissions do not bind root, so the connection itself is told to refuse writing."""

    @event.listens_for(impatient._engine, "begin")
    def refuse(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")

    with pytest.raises(TemporaryFailure, match="DATABASE_READ_ONLY"):
        await impatient.run(put("honey"))


async def test_a_full_disk_is_said_to_be_full_and_work_goes_on_once_there_is_space(impatient: Store) -> None:
    limits = iter([1_000_000, 1])

    @event.listens_for(impatient._engine, "begin")
    def limit(connection: Connection) -> None:
        # A file that may not grow fails as one on a full disk does.
        connection.exec_driver_sql(f"PRAGMA max_page_count = {next(limits, 1_000_000)}")

    def much(tx: Transaction) -> None:
        tx.products.save(Product(sku="honey", name="x" * 1_000_000))

    gate = Gate(impatient)
    behind = await gate.held([put("a"), much, put("b")], impatient)
    await gate.open()

    # Committed together, they fail together: none is told that it was stored.
    answers = await asyncio.gather(*behind, return_exceptions=True)
    assert [str(answer)[:13] for answer in answers] == ["DATABASE_FULL"] * 3
    assert [await known(impatient, sku) for sku in ("a", "honey", "b")] == [False] * 3
    await impatient.run(put("wax"))

    assert await known(impatient, "wax")


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(TemporaryFailure, match="DATABASE_UNREACHABLE"):
        open_store(f"sqlite:///{tmp_path / 'file' / 'deeper' / 'waggle.db'}")


def test_the_file_survives_a_loss_of_power_as_far_as_sqlite_can(sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with engine.connect() as connection:
        told = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    engine.dispose()

    assert told == ["wal", 2]


# PostgreSQL


@pytest.mark.postgres
async def test_a_server_that_is_away_is_said_to_be_unreachable() -> None:
    with pytest.raises(TemporaryFailure, match="DATABASE_UNREACHABLE"):
        open_store("postgresql://waggle@127.0.0.1:9/waggle")


@pytest.mark.postgres
async def test_a_connection_that_the_server_cut_is_replaced(postgresql_url: str) -> None:
    store = open_store(postgresql_url)
    await store.run(put("honey"))
    other = open_engine(postgresql_url)
    with other.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    other.dispose()

    assert await known(store, "honey")
    store.close()


@pytest.mark.postgres
async def test_a_work_that_lost_against_another_process_is_run_again_from_its_start(postgresql_url: str) -> None:
    store, other = open_store(postgresql_url), open_store(postgresql_url)
    await store.run(put("honey", 0))
    both_have_read = threading.Barrier(2)
    runs: list[int] = []

    def count(tx: Transaction) -> None:
        product = tx.products.get("honey")
        assert product is not None
        runs.append(product.quantity or 0)
        if len(runs) <= 2:
            both_have_read.wait(60)
        tx.products.save(Product(sku="honey", quantity=(product.quantity or 0) + 1))

    await asyncio.gather(store.run(count), other.run(count))

    assert runs == [0, 0, 1]
    product = await store.read(lambda tx: tx.products.get("honey"))
    assert product is not None
    assert product.quantity == 2
    store.close()
    other.close()


@pytest.mark.postgres
async def test_works_that_two_processes_commit_together_lose_nothing_of_each_other(postgresql_url: str) -> None:
    stores = [open_store(postgresql_url), open_store(postgresql_url)]
    await stores[0].run(put("honey", 0))

    def count(tx: Transaction) -> None:
        product = tx.products.get("honey")
        assert product is not None
        tx.products.save(Product(sku="honey", quantity=(product.quantity or 0) + 1))

    await asyncio.gather(*(store.run(count) for _ in range(50) for store in stores))

    product = await stores[0].read(lambda tx: tx.products.get("honey"))
    assert product is not None
    assert product.quantity == 100
    for store in stores:
        store.close()


@pytest.mark.postgres
async def test_a_work_is_done_on_a_new_connection_if_the_server_cut_the_one_at_hand(postgresql_url: str) -> None:
    store, other = open_store(postgresql_url), open_engine(postgresql_url)
    await store.run(put("honey"))
    with other.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    other.dispose()

    await store.run(put("wax"))

    assert await known(store, "wax")
    store.close()


@pytest.mark.postgres
async def test_what_only_reads_cannot_write(postgresql_url: str) -> None:
    store = open_store(postgresql_url)
    with pytest.raises(TemporaryFailure, match="DATABASE_READ_ONLY"):
        await store.read(put("honey"))

    store.close()


@pytest.mark.postgres
async def test_a_connection_on_which_was_read_is_serializable_again(postgresql_url: str) -> None:
    store = open_store(postgresql_url)
    await known(store, "honey")
    with store._engine.connect() as connection:
        told = [connection.exec_driver_sql(f"SHOW transaction_{name}").scalar() for name in ("isolation", "read_only")]

    assert told == ["serializable", "off"]
    store.close()


async def test_what_a_work_has_read_it_sees_changed_once_it_has_changed_it(store: Store) -> None:
    def change(tx: Transaction) -> list[int | None]:
        seen = []
        for quantity in (1, 2):
            found = tx.products.get("honey")
            seen.append(found.quantity if found is not None else None)
            tx.products.save(Product(sku="honey", quantity=quantity))
        found = tx.products.get("honey")
        return [*seen, found.quantity if found is not None else None]

    assert await store.run(change) == [None, 1, 2]


@pytest.mark.postgres
async def test_a_value_that_the_database_cannot_hold_is_our_defect_and_no_outage(postgresql_url: str) -> None:
    store = open_store(postgresql_url)
    with pytest.raises(DataError) as error:
        await store.run(put("ho\x00ney"))

    assert translated(error.value) is None
    store.close()


@pytest.mark.parametrize("url", ["nonsense", "mysql://localhost/waggle", "sqlite://"])
def test_a_url_of_another_kind_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(BadSettings, match="DATABASE_URL"):
        open_store(url)


async def changed_between_two_questions(store: Store, postgresql_url: str) -> list[tuple[int | None, int | None]]:
    """Look at two products that somebody else changes together in the middle; return what each try saw."""
    other = open_engine(postgresql_url)
    for sku in ("first", "second"):
        await store.run(put(sku, 1))
    tries: list[tuple[int | None, int | None]] = []

    def both(tx: Transaction) -> None:
        first = tx.products.get("first")
        with other.begin() as connection:
            connection.execute(text("UPDATE products SET quantity = quantity + 1"))
        second = tx.products.get("second")
        assert first is not None
        assert second is not None
        tries.append((first.quantity, second.quantity))

    await store.look(both)
    other.dispose()
    return tries


@pytest.mark.postgres
async def test_a_look_that_asks_more_than_once_sees_one_moment_in_the_end(postgresql_url: str) -> None:
    store = open_store(postgresql_url)
    # The first try, without a transaction, ends at the second question: it would have told of two moments.
    assert await changed_between_two_questions(store, postgresql_url) == [(2, 2)]
    store.close()


@pytest.mark.postgres
async def test_a_look_that_asks_once_is_not_taken_twice(postgresql_url: str) -> None:
    store = open_store(postgresql_url)
    await store.run(put("honey", 3))
    looks: list[int | None] = []

    def once(tx: Transaction) -> None:
        product = tx.products.get("honey")
        looks.append(None if product is None else product.quantity)

    await store.look(once)
    assert looks == [3]
    store.close()


@pytest.mark.postgres
async def test_a_look_goes_on_after_the_server_cut_the_connection_at_hand(postgresql_url: str) -> None:
    store = open_store(postgresql_url)
    await store.run(put("honey", 3))

    def quantity(tx: Transaction) -> int | None:
        product = tx.products.get("honey")
        return None if product is None else product.quantity

    assert await store.look(quantity) == 3
    other = open_engine(postgresql_url)
    with other.begin() as connection:
        ours = "datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"))  # noqa: S608 -- a constant
    other.dispose()

    assert [await store.look(quantity) for _ in range(3)] == [3, 3, 3]
    store.close()


async def test_how_many_are_asked_for_together_makes_no_other_statement(store: Store) -> None:
    for number in range(5):
        await store.run(put(f"sku-{number}", number))
    statements: set[str] = set()

    def together(tx: Transaction, wanted: Sequence[str]) -> list[int | None]:
        assert isinstance(tx, SqlTransaction)

        @event.listens_for(tx.connection, "before_cursor_execute")
        def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
            statements.add(statement)

        tx.products.prepare(wanted)
        return [None if found is None else found.quantity for found in map(tx.products.get, wanted)]

    names = ["sku-0", 'it\'s "none"', "sku-2", "sku-3", "sku-4"]
    assert await store.read(partial(together, wanted=names[:3])) == [0, None, 2]
    assert await store.read(partial(together, wanted=names)) == [0, None, 2, 3, 4]
    assert len([each for each in statements if "products" in each]) == 1
    assert not [each for each in statements if each.endswith("= 1")]


def test_many_keys_are_looked_up_by_the_index_in_a_file(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'waggle.db'}")
    upgrade(engine)
    statement = select(tables.customers).where(among(tables.customers.c.customer_id, "ids"))
    with engine.connect() as connection:
        asked = str(statement.compile(engine))
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", ('["c-1"]',)).all()
    engine.dispose()

    assert any("SEARCH customers USING INDEX" in row.detail for row in plan)
    assert not any("SCAN customers" in row.detail for row in plan)
