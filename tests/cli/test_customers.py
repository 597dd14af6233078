"""`waggle customer` and `waggle replay` as people use them."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from tests.cli.conftest import CommandLine
from tests.cli.place import Place
from waggle.storage.store import Store, open_store
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{place.home / 'waggle.db'}")
    yield opened
    opened.close()


@pytest.fixture
def shop(store: Store) -> Shop:
    """With one person under two ids, who has a cart, an order and a message's worth of history."""
    made = facts.shop(store, HandClock(), RememberingEngine())

    async def live() -> None:
        await made.customer("c-1", email="ada@example.com", last_name="Lovelace", phone="+48123456789")
        await made.customer("guest-2", email="ada@example.com")
        await made.cart("cart-1", "c-1")
        made.clock.advance(timedelta(minutes=1))
        await made.order("o-1", customer_id="guest-2", cart_id="cart-1")
        await made.tell("order-paid", {"order_id": "o-1"})
        await made.tell("product-viewed", {"sku": "honey", "customer_id": "c-1"})

    asyncio.run(live())
    return made


def test_a_customer_is_shown_with_origins_and_without_what_is_personal(waggle: CommandLine, shop: Shop) -> None:
    shown = waggle("customer", "show", "guest-2")

    assert shown.code == 0
    for word in (
        "c-1, also guest-2",
        "a***@example.com",
        "L***",
        "+48***89",
        "cart-1",
        "o-1",
        "paid",
        "marketing",
        "honey",
    ):
        assert word in shown.out
    for secret in ("ada@", "Lovelace", "+48123456789"):
        assert secret not in shown.out


def test_a_customer_is_found_by_address_and_shown_to_programs(waggle: CommandLine, shop: Shop) -> None:
    page = json.loads(waggle("customer", "show", "Ada@example.com", "--json").out)

    assert (page["customer_id"], page["other_ids"]) == ("c-1", ["guest-2"])
    assert [(order["id"], order["state"]) for order in page["orders"]] == [("o-1", "paid")]
    assert {line["kind"]: line["value"] for line in page["identities"]} == {
        "email": "a***@example.com",
        "phone": "+48***89",
    }


def test_who_looks_at_what_is_personal_says_why_and_stands_in_the_audit_log(
    waggle: CommandLine, shop: Shop, store: Store
) -> None:
    assert waggle("customer", "show", "c-1", "--reveal").code == 2

    shown = waggle("customer", "show", "c-1", "--reveal", "--by", "kim", "--why", "called about an order")

    assert "ada@example.com" in shown.out
    [entry] = asyncio.run(store.read(lambda tx: tx.audit.of_subject("c-1")))
    assert (entry.actor, entry.action, entry.why) == ("kim", "customer-revealed", "called about an order")


@pytest.mark.parametrize(
    "words", [("show", "c-1", "--reveal"), ("merge", "c-1", "c-3"), ("split", "c-1", "guest-2")], ids=" ".join
)
def test_an_address_in_the_reason_is_refused_before_the_audit_log_has_it(
    waggle: CommandLine, shop: Shop, store: Store, words: tuple[str, ...]
) -> None:
    said = waggle("customer", *words, "--by", "kim", "--why", "ada@example.com asked for it")

    assert said.code == 1
    assert said.err.startswith("waggle: WORDS_REFUSED: --why looks like an address")
    assert "ada@" not in said.out + said.err
    assert not asyncio.run(store.read(lambda tx: tx.audit.of_subject("c-1")))


def test_somebody_unknown_is_said_to_be_unknown(waggle: CommandLine, shop: Shop) -> None:
    shown = waggle("customer", "show", "c-9")

    assert shown.code == 1
    assert "CUSTOMER_UNKNOWN" in shown.err


def test_two_ids_are_parted_and_put_together_by_events_with_an_audit_row(
    waggle: CommandLine, shop: Shop, store: Store
) -> None:
    def ids() -> tuple[str, ...]:
        asyncio.run(shop.relay.apply_events())
        return asyncio.run(store.read(lambda tx: tx.identities.all_of("c-1")))

    assert waggle("customer", "split", "c-1", "guest-2", "--by", "kim", "--why", "one mailbox, two people").code == 0
    assert ids() == ("c-1",)
    assert waggle("customer", "merge", "c-1", "guest-2", "--by", "kim", "--why", "it was a mistake").code == 0
    assert ids() == ("c-1", "guest-2")

    entries = asyncio.run(store.read(lambda tx: tx.audit.of_subject("c-1")))
    said = [(entry.actor, entry.action) for entry in entries]
    assert said == [("kim", "customers-split"), ("kim", "customers-merged")]
    assert "undone" in waggle("customer", "show", "c-1").out
    assert waggle("customer", "merge", "c-1", "c-1", "--by", "kim", "--why", "x").code == 1


@pytest.mark.parametrize("word", ["merge", "split"])
@pytest.mark.parametrize(
    ("ids", "which"), [(("c-1", "bee@example.com"), "second"), (("c-9", "c-1"), "first")], ids=["second", "first"]
)
def test_an_id_that_nobody_ever_told_of_is_refused_and_written_nowhere(
    *, waggle: CommandLine, shop: Shop, store: Store, word: str, ids: tuple[str, str], which: str
) -> None:
    said = waggle("customer", word, *ids, "--by", "kim", "--why", "both called about one order")

    assert said.code == 1
    assert said.err.startswith(f"waggle: CUSTOMER_UNKNOWN: the {which} id: the shop told of nobody under this id")
    assert "waggle customer show" in said.err
    assert "bee@" not in said.out + said.err
    assert asyncio.run(store.read(lambda tx: tx.events.count_pending())) == 0
    assert not asyncio.run(store.read(lambda tx: tx.audit.of_subject(ids[0])))


@pytest.mark.parametrize(
    "fact",
    [
        ("order-placed", {"order_id": "o-9", "customer_id": "guest-9", "currency": "EUR", "total_minor": 5}),
        ("cart-updated", {"cart_id": "cart-9", "customer_id": "guest-9", "currency": "EUR", "items": []}),
        ("consent-given", {"customer_id": "guest-9"}),
    ],
    ids=lambda fact: fact[0],
)
def test_who_is_known_by_what_they_did_alone_or_is_yet_to_be_applied_can_be_merged(
    waggle: CommandLine, shop: Shop, store: Store, fact: tuple[str, dict[str, object]]
) -> None:
    def ids() -> tuple[str, ...]:
        asyncio.run(shop.relay.apply_events())
        return asyncio.run(store.read(lambda tx: tx.identities.all_of("c-1")))

    words = ("--by", "kim", "--why", "both called about one order")
    asyncio.run(shop.send(*fact))
    assert waggle("customer", "merge", "c-1", "guest-9", *words).code == 0
    assert ids() == ("c-1", "guest-2", "guest-9")
    assert waggle("customer", "split", "c-1", "guest-9", *words).code == 0
    assert ids() == ("c-1", "guest-2")
    assert waggle("customer", "merge", "c-1", "guest-9", *words).code == 0
    assert ids() == ("c-1", "guest-2", "guest-9")


def test_a_replay_finds_mends_and_leaves_nothing_behind(
    waggle: CommandLine, shop: Shop, store: Store, place: Place
) -> None:
    assert waggle("replay", "--check").code == 0
    with store._engine.begin() as connection:
        connection.execute(text("UPDATE orders SET total_minor = 1"))

    checked = waggle("replay", "--check")
    assert checked.code == 1
    assert "orders o-1 differs: total_minor" in checked.out
    assert waggle("replay", "--only", "customers", "--check").code == 0

    mended = json.loads(waggle("replay", "--json").out)
    assert [(each["table"], each["key"]) for each in mended["differences"]] == [("orders", ["o-1"])]
    assert waggle("replay", "--check").code == 0
    assert [file.name for file in (place.home / "replay").iterdir()] == ["lock"]
