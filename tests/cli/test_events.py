"""`waggle events` and `waggle engine-messages` as an operator uses them."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.place import Place
from waggle.ports.journey_engine import EngineMessage
from waggle.ports.unit_of_work import Transaction
from waggle.services.intake import Intake
from waggle.storage.store import Store, open_store
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)
WHY = ("--by", "kim", "--why", "the shop sells in EUR alone")


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{place.home / 'waggle.db'}")
    yield opened
    opened.close()


@pytest.fixture
def set_aside(store: Store) -> str:
    """A cart without currency that came in a queue."""
    data = {"cart_id": "cart-canary", "items": [{"sku": "honey", "quantity": 1, "unit_price_minor": 650}]}
    item = {"specversion": "1.0", "id": "e-1", "type": "cart-updated", "data": data}
    asyncio.run(Intake(store, HandClock(NOW)).accept("queue", [item], keep_refused=True))
    return "q1"


def test_where_nothing_is_wrong_that_is_said(waggle: CommandLine) -> None:
    assert waggle("events", "--quarantined").out == "Nothing is set aside.\n"
    assert waggle("events", "refused").out == "No event was refused.\n"
    assert waggle("events", "retry", "--all").out == "Nothing is set aside.\n"
    assert waggle("engine-messages", "list").out == "The engine refused none.\n"


def test_what_is_set_aside_is_listed_mended_and_taken(waggle: CommandLine, set_aside: str) -> None:
    listed = waggle("events", "--quarantined")
    assert "q1  FIELD_MISSING $.data" in listed.out
    assert "canary" not in listed.out
    assert json.loads(waggle("events", "--quarantined", "--json").out)[0]["id"] == "q1"
    assert "1 could not be understood" in waggle("events").out

    still = waggle("events", "retry", set_aside)
    assert (still.code, still.out) == (1, "q1: still waits (FIELD_MISSING $.data)\n")

    assert waggle("events", "mend", set_aside, "--set", "data.currency=EUR", *WHY).code == 0
    taken = waggle("events", "retry", "--all")
    assert (taken.code, taken.out) == (0, "q1: taken\n")
    assert waggle("events", "--quarantined").out == "Nothing is set aside.\n"


def test_what_it_says_is_shown_only_if_asked_for(waggle: CommandLine, set_aside: str) -> None:
    shape = waggle("events", "show", set_aside).out
    assert "$.data.items[0].quantity  number" in shape
    assert "$.data.cart_id  text of 11 characters" in shape
    assert "canary" not in shape

    shown = json.loads(waggle("events", "show", set_aside, "--reveal", "--json", "--by", "kim").out)
    assert shown["data"]["cart_id"] == "cart-canary"


def test_what_is_dropped_is_gone(waggle: CommandLine, set_aside: str) -> None:
    assert waggle("events", "drop", set_aside, *WHY).out == "q1 is dropped.\n"

    again = waggle("events", "show", set_aside)
    assert (again.code, "QUARANTINE_UNKNOWN" in again.err) == (1, True)


@pytest.mark.parametrize(
    "arguments",
    [("retry",), ("retry", "q1", "--all"), ("mend", "q1", "--set", "data.currency", *WHY)],
)
def test_what_cannot_be_meant_is_said_before_anything_is_done(waggle: CommandLine, arguments: tuple[str, ...]) -> None:
    assert waggle("events", *arguments).code == 2


def test_a_refused_event_is_listed_without_what_it_said(waggle: CommandLine, store: Store) -> None:
    item = {"specversion": "1.0", "id": "e-1", "type": "canary", "data": {}}
    asyncio.run(Intake(store, HandClock(NOW)).accept("shop", [item]))

    said = waggle("events", "refused").out

    assert said == "2026-05-04 10:00:00 UTC  TYPE_UNKNOWN  shop  e-1\n"
    assert json.loads(waggle("events", "refused", "--json").out)[0]["code"] == "TYPE_UNKNOWN"


def test_an_engine_message_that_was_refused_is_sent_again(waggle: CommandLine, store: Store) -> None:
    shop: Shop = facts.shop(store, HandClock(), RememberingEngine())

    async def refuse() -> None:
        await shop.customer("c-1")
        await shop.cart("cart-1", "c-1")
        enrolment_id = (await shop.enrolment("cart-1")).enrolment_id
        message = EngineMessage("cart-abandoned-exit", enrolment_id, "m-1", 60, {})

        def put(tx: Transaction) -> None:
            tx.engine_messages.add(message, NOW)
            [queued] = [each for each in tx.engine_messages.due(NOW, 10) if each.message.message_id == "m-1"]
            tx.engine_messages.mark_refused(queued.queue_id, "VARIABLE_REFUSED", NOW)

        await store.run(put)

    asyncio.run(refuse())
    [refused] = json.loads(waggle("engine-messages", "list", "--json").out)

    assert "VARIABLE_REFUSED  cart-abandoned-exit" in waggle("engine-messages", "list").out
    assert waggle("engine-messages", "retry", str(refused["queue_id"]), *WHY).out == "1 will be sent again.\n"
    assert waggle("engine-messages", "list").out == "The engine refused none.\n"
    assert waggle("engine-messages", "retry", "99", *WHY).code == 1
