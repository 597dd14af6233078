"""What stood in a database of the first version is kept by the next, and counted right."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, make_url, text

from waggle.domain.coupon import BudgetUse
from waggle.storage.repositories import SqlTransaction
from waggle.storage.store import _config, is_up_to_date, open_engine, upgrade

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def first_version(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database that only the first migration has seen."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
    else:
        server: str = request.getfixturevalue("postgresql_server")
        maintenance = open_engine(server).execution_options(isolation_level="AUTOCOMMIT")
        with maintenance.connect() as connection:
            connection.execute(text("DROP DATABASE IF EXISTS old"))
            connection.execute(text("CREATE DATABASE old"))
        maintenance.dispose()
        url = make_url(server).set(database="old").render_as_string(hide_password=False)
    engine = open_engine(url)
    with engine.begin() as connection:
        command.upgrade(_config(connection), "0001")
    yield engine
    engine.dispose()


def put(connection: Connection, table: str, **row: object) -> None:
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), row)  # noqa: S608 -- of ours


def fill(connection: Connection) -> None:
    """One enrolment with a message in doubt and one sent, a link, and three coupons of two campaigns."""
    at = NOON.replace(tzinfo=None) if connection.dialect.name == "sqlite" else NOON
    when = str(at) if connection.dialect.name == "sqlite" else at
    enrolment = {"journey": "abandoned-cart", "business_key": "cart-1", "entry": 1, "held_out": False}
    put(connection, "enrolments", enrolment_id="e-1", state="running", entered_at=when, **enrolment)
    for number, state in enumerate(("in_doubt", "sent")):
        message = {"channel": "email", "purpose": "marketing", "template": "abandoned-cart", "reason": "ok"}
        times = dict.fromkeys(("planned_at", "not_before_at", "expires_at", "handed_over_at"), when)
        ids = {"message_id": f"m-{number}", "enrolment_id": "e-1", "step": f"step-{number}"}
        put(connection, "messages", state=state, attempts=1, **ids, **message, **times)
    put(connection, "links", token="t-1", message_id="m-0", kind="unsubscribe")
    for number, (campaign, state) in enumerate(
        (("a", "issued"), ("a", "reversed"), ("b", "redeemed"), ("a", "reserved"))
    ):
        coupon = {
            "coupon_id": f"c-{number}",
            "enrolment_id": "e-1",
            "step": f"coupon-{number}",
            "code": f"CODE-{number}",
        }
        times = {"reserved_at": when, "expires_at": when}
        put(connection, "coupons", campaign=campaign, state=state, percent=10, cost_minor=100, **coupon, **times)


def test_the_rows_of_the_first_version_are_kept(first_version: Engine) -> None:
    with first_version.begin() as connection:
        fill(connection)

    upgrade(first_version)

    assert is_up_to_date(first_version)
    with first_version.begin() as connection:
        tx = SqlTransaction(connection)
        doubtful, sent = sorted(tx.messages.of_enrolment("e-1"), key=lambda message: message.message_id)
        assert (doubtful.message_id, doubtful.state, doubtful.in_doubt) == ("m-0", "in_doubt", "listed")
        assert (doubtful.doubts, doubtful.doubted_at, doubtful.handed_over_at) == (1, NOON, NOON)
        assert (sent.state, sent.doubts, sent.doubted_at, sent.provider) == ("sent", 0, None, None)
        assert tx.messages.in_doubt() == [doubtful]
        assert [link.token for link in tx.links.of_message("m-0")] == ["t-1"]


def test_the_counters_begin_with_what_the_coupons_sum_up_to(first_version: Engine) -> None:
    with first_version.begin() as connection:
        fill(connection)

    upgrade(first_version)

    with first_version.begin() as connection:
        coupons = SqlTransaction(connection).coupons
        uses = {name: coupons.budget_use(name) for name in ("a", "b", "c")}
    assert uses == {"a": BudgetUse(2, 200), "b": BudgetUse(1, 100), "c": BudgetUse()}


def test_one_can_go_back_to_the_first_version(first_version: Engine) -> None:
    with first_version.begin() as connection:
        fill(connection)
    upgrade(first_version)

    with first_version.begin() as connection:
        command.downgrade(_config(connection), "0001")
    upgrade(first_version)

    with first_version.begin() as connection:
        assert len(SqlTransaction(connection).messages.of_enrolment("e-1")) == 2
