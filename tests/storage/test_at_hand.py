"""A short read in the thread of the event loop sees what is committed, and waits for nobody."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from waggle.domain.product import Product
from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import Transaction
from waggle.storage.sqlite import SqliteUnitOfWork, sqlite_engine
from waggle.storage.store import Store, open_store
from waggle.testing.stores import KEYRING

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    opened = open_store(sqlite_url, busy_timeout_s=0.1)
    yield opened
    opened.close()


async def quantity(store: Store) -> int | None:
    product = await store.look(lambda tx: tx.products.get("honey"))
    return None if product is None else product.quantity


async def put(store: Store, count: int) -> None:
    await store.run(lambda tx: tx.products.save(Product(sku="honey", quantity=count)))


async def test_each_look_sees_what_was_committed_before_it(store: Store) -> None:
    found = [await quantity(store)]
    for count in (1, 2):
        await put(store, count)
        found.append(await quantity(store))

    assert found == [None, 1, 2]


async def test_it_looks_while_somebody_writes(store: Store, sqlite_url: str) -> None:
    await put(store, 1)
    writing = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    writing.execute("BEGIN IMMEDIATE")
    writing.execute("UPDATE products SET quantity = 9")

    assert await quantity(store) == 1
    writing.execute("COMMIT")
    assert await quantity(store) == 9
    writing.close()


async def test_what_fails_in_it_leaves_nothing_open(store: Store) -> None:
    await put(store, 1)

    def fail(tx: Transaction) -> None:
        tx.products.get("honey")
        raise LookupError

    with pytest.raises(LookupError):
        await store.look(fail)
    await put(store, 2)

    assert await quantity(store) == 2


async def test_a_file_that_is_locked_whole_is_said_to_be_and_read_once_it_is_not(sqlite_url: str) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    locking = sqlite3.connect(file, isolation_level=None)
    locking.execute("PRAGMA locking_mode = EXCLUSIVE")
    locking.execute("BEGIN IMMEDIATE")
    locking.execute("INSERT INTO products (sku, quantity) VALUES ('honey', 1)")
    store = SqliteUnitOfWork(sqlite_engine(file, busy_timeout_s=0.05), KEYRING, lambda: None)

    with pytest.raises(TemporaryFailure, match="DATABASE_LOCKED"):
        await quantity(store)
    locking.execute("COMMIT")
    locking.close()
    assert await quantity(store) == 1
    store.close()
