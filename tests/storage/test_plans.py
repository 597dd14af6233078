"""What is asked again and again, or of everybody, is found by an index, however much there is."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event

from waggle.ports.unit_of_work import Transaction
from waggle.storage.postgresql import PostgresqlUnitOfWork
from waggle.storage.repositories import SqlTransaction
from waggle.storage.store import Store

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
WHOSE_ORDERS = {
    "ix_orders_customer_id",
    "ix_orders_cart_id",
    "ix_orders_anonymous_id",
    "ix_carts_customer_id",
    "ix_carts_anonymous_id",
}


async def plan(store: Store, table: str, work: Callable[[Transaction], object]) -> str:
    """Return how the database goes about what *work* asks of *table*."""

    def explained(tx: Transaction) -> str:
        assert isinstance(tx, SqlTransaction)
        connection = tx.connection
        asked: list[tuple[str, Any]] = []

        def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_more: object) -> None:  # noqa: ANN401 -- the driver's
            asked.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        work(tx)
        event.remove(connection, "before_cursor_execute", note)
        explain = "EXPLAIN QUERY PLAN"
        if connection.dialect.name == "postgresql":
            # A table without rows is read faster than its index.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            explain = "EXPLAIN"
        about = [(statement, given) for statement, given in asked if f"FROM {table}" in statement]
        lines = [
            row for statement, given in about for row in connection.exec_driver_sql(f"{explain} {statement}", given)
        ]
        return "\n".join(str(row[-1]) for row in lines)

    return await store.read(explained)


@pytest.mark.parametrize(
    ("table", "look", "index"),
    [
        ("messages", lambda tx: tx.messages.overdue(NOW, 1), "ix_messages_open"),
        ("coupons", lambda tx: tx.coupons.stale(NOW, 1), "ix_coupons_reserved"),
        ("engine_messages", lambda tx: tx.engine_messages.unclaimed_starts(NOW, 1), "ix_enrolments_entering"),
        ("engine_messages", lambda tx: tx.engine_messages.refused_starts(1), "ix_enrolments_entering"),
    ],
    ids=["messages", "coupons", "unclaimed starts", "refused starts"],
)
async def test_a_sweep_looks_only_at_what_is_still_open(
    store: Store, table: str, look: Callable[[Transaction], object], index: str
) -> None:
    found = await plan(store, table, look)

    # Which table of a join comes first PostgreSQL decides by what it has counted, here nothing yet.
    assert index in found or (table == "engine_messages" and isinstance(store, PostgresqlUnitOfWork))
    assert f"SCAN {table}\n" not in f"{found}\n"
    assert "Seq Scan" not in found


async def test_the_orders_of_some_are_found_without_a_look_at_those_of_all_guests(store: Store) -> None:
    found = await plan(store, "orders", lambda tx: tx.orders.of_customers(["c-1", "c-2"]))

    assert {index for index in WHOSE_ORDERS if index in found} == WHOSE_ORDERS
    assert "customer_id=NULL" not in found
    assert "SCAN orders" not in found
    assert "Seq Scan" not in found
