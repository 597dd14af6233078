"""A glance at PostgreSQL is taken in the thread of the event loop, which waits for no server that is slow."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from waggle.domain.product import Product
from waggle.ports.unit_of_work import Transaction
from waggle.storage.store import Store, open_engine, open_store

pytestmark = [pytest.mark.anyio, pytest.mark.postgres]


@pytest.fixture
def store(postgresql_url: str) -> Iterator[Store]:
    opened = open_store(postgresql_url)
    yield opened
    opened.close()


@pytest.fixture
async def threads(store: Store) -> list[bool]:
    """Return where each look was taken: whether it was the thread of the event loop; the first opens a connection."""
    await store.run(lambda tx: tx.products.save(Product(sku="honey", quantity=1)))
    taken: list[bool] = []
    assert await quantity(store, taken) == 1
    assert taken == [False]
    return taken


async def quantity(store: Store, taken: list[bool]) -> int | None:
    def look(tx: Transaction) -> int | None:
        taken.append(threading.current_thread() is threading.main_thread())
        product = tx.products.get("honey")
        return None if product is None else product.quantity

    return await store.look(look)


async def test_a_server_that_answers_at_once_is_asked_by_the_event_loop_itself(
    store: Store, threads: list[bool]
) -> None:
    assert [await quantity(store, threads) for _ in range(3)] == [1, 1, 1]
    assert threads[1:] == [True, True, True]


async def test_while_the_server_does_not_answer_everything_else_goes_on(
    store: Store, threads: list[bool], postgresql_url: str
) -> None:
    other = open_engine(postgresql_url)
    with other.begin() as connection:
        connection.execute(text("LOCK TABLE products IN ACCESS EXCLUSIVE MODE"))
        looking = asyncio.create_task(quantity(store, threads))
        while len(threads) < 3:  # noqa: ASYNC110 -- that it turns is what is looked at
            # Only a loop that is not held up comes by here.
            await asyncio.sleep(0.01)
        assert not looking.done()
    assert await looking == 1
    assert threads[1:] == [True, False], "given up by the loop, and waited for elsewhere"
    other.dispose()


async def test_a_server_that_was_slow_is_asked_elsewhere_for_some_time(
    store: Store, threads: list[bool], postgresql_url: str
) -> None:
    await test_while_the_server_does_not_answer_everything_else_goes_on(store, threads, postgresql_url)
    threads.clear()

    assert await quantity(store, threads) == 1
    assert threads == [False]


async def test_what_fails_by_itself_does_not_make_the_server_far(store: Store, threads: list[bool]) -> None:
    def fail(tx: Transaction) -> None:
        tx.products.get("honey")
        raise LookupError

    with pytest.raises(LookupError):
        await store.look(fail)
    threads.clear()

    assert await quantity(store, threads) == 1
    assert threads == [True]
