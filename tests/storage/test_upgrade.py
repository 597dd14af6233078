"""What stood in a database of the first version is kept by the next, and counted right."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, Engine, make_url, text

from waggle.domain.coupon import BudgetUse
from waggle.storage.repositories import SqlTransaction
from waggle.storage.store import config_for, is_up_to_date, open_engine, upgrade
from waggle.storage.vault import Vault
from waggle.testing.forensics import files_of, found_in
from waggle.testing.stores import KEYRING

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
            connection.execute(text("DROP DATABASE IF EXISTS old WITH (FORCE)"))
            connection.execute(text("CREATE DATABASE old"))
        maintenance.dispose()
        url = make_url(server).set(database="old").render_as_string(hide_password=False)
    engine = open_engine(url)
    with engine.begin() as connection:
        command.upgrade(config_for(connection), "0001")
    yield engine
    engine.dispose()


def transaction(connection: Connection) -> SqlTransaction:
    return SqlTransaction(connection, Vault(connection, KEYRING))


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

    upgrade(first_version, KEYRING)

    assert is_up_to_date(first_version)
    with first_version.begin() as connection:
        tx = transaction(connection)
        doubtful, sent = sorted(tx.messages.of_enrolment("e-1"), key=lambda message: message.message_id)
        assert (doubtful.message_id, doubtful.state, doubtful.in_doubt) == ("m-0", "in_doubt", "listed")
        assert (doubtful.doubts, doubtful.doubted_at, doubtful.handed_over_at) == (1, NOON, NOON)
        assert (sent.state, sent.doubts, sent.doubted_at, sent.provider) == ("sent", 0, None, None)
        assert tx.messages.in_doubt() == [doubtful]
        assert [link.token for link in tx.links.of_message("m-0")] == ["t-1"]


def test_who_clicked_before_does_not_look_as_if_nothing_was_ever_read(first_version: Engine) -> None:
    with first_version.begin() as connection:
        fill(connection)
        at = NOON.replace(tzinfo=None) if connection.dialect.name == "sqlite" else NOON
        for number, message_id in enumerate(("m-1", "m-1", "gone")):
            told = at + timedelta(hours=number)
            when = str(told) if connection.dialect.name == "sqlite" else told
            names = {"source": "waggle", "event_id": f"click-{number}", "type": "message-clicked"}
            data = json.dumps({"message_id": message_id})
            times = {"time": when, "received_at": when, "body_sha256": "0" * 64}
            put(connection, "events", subject=message_id, data=data, state="applied", **names, **times)

    upgrade(first_version, KEYRING)

    with first_version.begin() as connection:
        messages = transaction(connection).messages.of_enrolment("e-1")
        enrolment = transaction(connection).enrolments.get("e-1")
    assert {each.message_id: each.clicked_at for each in messages} == {"m-0": None, "m-1": NOON}
    assert enrolment is not None
    assert (enrolment.order_id, enrolment.sku, enrolment.watched_price) == (None, None, None)


def test_the_counters_begin_with_what_the_coupons_sum_up_to(first_version: Engine) -> None:
    with first_version.begin() as connection:
        fill(connection)

    upgrade(first_version, KEYRING)

    with first_version.begin() as connection:
        coupons = transaction(connection).coupons
        uses = {name: coupons.budget_use(name) for name in ("a", "b", "c")}
    assert uses == {"a": BudgetUse(2, 200), "b": BudgetUse(1, 100), "c": BudgetUse()}


def test_one_can_go_back_to_the_first_version(first_version: Engine) -> None:
    with first_version.begin() as connection:
        fill(connection)
    upgrade(first_version, KEYRING)

    with first_version.begin() as connection:
        command.downgrade(config_for(connection, KEYRING), "0001")
    upgrade(first_version, KEYRING)

    with first_version.begin() as connection:
        assert len(transaction(connection).messages.of_enrolment("e-1")) == 2


def fill_with_people(connection: Connection) -> None:
    """Many customers as the first version kept them: readable."""
    at = NOON.replace(tzinfo=None) if connection.dialect.name == "sqlite" else NOON
    when = str(at) if connection.dialect.name == "sqlite" else at
    for number in range(1200):
        data = {"customer_id": f"c-{number}", "email": f"ada.{number}@example.com", "time_zone": "Europe/Warsaw"}
        event = {"source": "shop", "event_id": f"e-{number}", "type": "customer-identified", "subject": f"c-{number}"}
        times = {"time": when, "received_at": when}
        put(connection, "events", **event, **times, body_sha256="0" * 64, data=json.dumps(data), state="applied")
        customer = {"email": f"ada.{number}@example.com", "first_name": "Ada-Augusta"}
        times = dict.fromkeys(("email_at", "first_name_at", "identified_at"), when)
        put(
            connection,
            "customers",
            customer_id=f"c-{number}",
            **customer,
            **dict.fromkeys(("email_at", "first_name_at", "identified_at"), when),
        )


def test_what_was_readable_is_sealed_and_reads_as_before(first_version: Engine) -> None:
    with first_version.begin() as connection:
        fill_with_people(connection)

    upgrade(first_version, KEYRING)

    with first_version.begin() as connection:
        rows = str(connection.execute(text("SELECT * FROM events")).all())
        rows += str(connection.execute(text("SELECT * FROM customers")).all())
        assert "example.com" not in rows
        assert "Augusta" not in rows
        tx = transaction(connection)
        ada = tx.customers.get("c-1199")
        assert ada is not None
        assert (ada.email, ada.first_name) == ("ada.1199@example.com", "Ada-Augusta")
        connection.execute(text("UPDATE events SET state = 'pending' WHERE event_id = 'e-7'"))
        [told] = tx.events.pending(5)
        assert told.event.data["email"] == "ada.7@example.com"


@pytest.mark.parametrize("first_version", ["sqlite"], indirect=True)
def test_after_the_upgrade_no_page_of_the_file_is_readable_any_more(first_version: Engine) -> None:
    folder = Path(str(first_version.url.database)).parent
    with first_version.begin() as connection:
        fill_with_people(connection)
        connection.execute(text("DELETE FROM customers WHERE customer_id = 'c-3'"))
    assert found_in(b"".join(content for _, content in files_of([folder])), ["Augusta"])

    upgrade(first_version, KEYRING)

    assert not found_in(b"".join(content for _, content in files_of([folder])), ["Augusta", "ada.3@example.com"])


def test_on_the_way_back_what_events_hold_can_be_read_again(first_version: Engine) -> None:
    with first_version.begin() as connection:
        fill_with_people(connection)
    upgrade(first_version, KEYRING)

    with first_version.begin() as connection:
        command.downgrade(config_for(connection, KEYRING), "0002")
        data = connection.scalar(text("SELECT data FROM events WHERE event_id = 'e-5'"))
    assert "ada.5@example.com" in str(data)


def test_customers_of_before_are_sealed_and_found_by_their_address(first_version: Engine) -> None:
    with first_version.begin() as connection:
        at = str(NOON.replace(tzinfo=None)) if connection.dialect.name == "sqlite" else NOON
        # A short name may stand by chance in what is sealed.
        told = {"email": "Ada@example.com", "first_name": "Adalovelace", "time_zone": "UTC"}
        times = {f"{name}_at": at for name in told}
        put(connection, "customers", customer_id="c-1", identified_at=at, **told, **times)
        put(connection, "carts", cart_id="k-1", customer_id="c-1", currency="EUR", items="[]", last_activity_at=at)

    upgrade(first_version, KEYRING)

    with first_version.begin() as connection:
        tx = SqlTransaction(connection, Vault(connection, KEYRING))
        customer = tx.customers.get("c-1")
        assert customer is not None
        assert (customer.email, customer.first_name, customer.time_zone) == ("Ada@example.com", "Adalovelace", "UTC")
        assert customer.told["email"][0].at == NOON
        assert tx.identities.customers_with("email", "ada@EXAMPLE.com") == ["c-1"]
        rows = connection.execute(text("SELECT * FROM customers")).all()
        assert "Adalovelace" not in repr(rows)
        assert "example.com" not in repr(rows)
        cart = tx.carts.get("k-1")
        assert cart is not None
        assert (cart.customer_id, cart.last_activity_at) == ("c-1", NOON)
