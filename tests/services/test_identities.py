"""Two ids of one person are read as one person, and can be parted again."""

from datetime import timedelta

import pytest

from waggle.domain.customer import Customer
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services import identities
from waggle.services.eligibility import Eligibility
from waggle.services.sending import Sending
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop, policy

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)


async def ids(store: UnitOfWork, ref: str) -> tuple[str, ...]:
    return await store.read(lambda tx: tx.identities.all_of(ref))


async def person(store: UnitOfWork, ref: str) -> Customer:
    found = await store.read(lambda tx: tx.customers.get(ref))
    assert found is not None
    return found


async def known_as(shop: Shop, customer_id: str, **told: object) -> None:
    await shop.tell("customer-identified", {"customer_id": customer_id, **told})
    shop.clock.advance(MINUTE)


async def test_a_guest_with_the_address_of_a_customer_is_that_customer(store: UnitOfWork, shop: Shop) -> None:
    await known_as(shop, "guest-1", email="ada@example.com", first_name="Ada")
    await known_as(shop, "c-1", email="Ada@Example.com")

    assert await ids(store, "guest-1") == ("c-1", "guest-1")
    assert await store.read(lambda tx: tx.identities.resolve("guest-1")) == "c-1"
    found = await person(store, "guest-1")
    assert (found.customer_id, found.email, found.first_name) == ("c-1", "Ada@example.com", "Ada")


async def test_an_address_that_was_mistyped_makes_nobody_one_person_once_it_is_corrected(
    store: UnitOfWork, shop: Shop
) -> None:
    await known_as(shop, "c-1", email="bob@example.com")
    await known_as(shop, "c-2", email="bob@example.com")
    assert await ids(store, "c-1") == ("c-1", "c-2")

    await known_as(shop, "c-1", email="rob@example.com")

    assert await ids(store, "c-1") == ("c-1",)
    assert await ids(store, "c-2") == ("c-2",)


async def test_who_says_that_two_are_two_is_heeded_whatever_they_share(store: UnitOfWork, shop: Shop) -> None:
    for customer_id in ("c-1", "c-2", "c-3"):
        await known_as(shop, customer_id, email="family@example.com")
    await shop.tell("customers-split", {"customer_id": "c-1", "merged_customer_id": "c-2"})

    assert await ids(store, "c-1") == ("c-1", "c-3")
    assert await ids(store, "c-2") == ("c-2",)

    shop.clock.advance(MINUTE)
    await shop.tell("customers-merged", {"customer_id": "c-2", "merged_customer_id": "c-1"})

    assert await ids(store, "c-1") == ("c-1", "c-2", "c-3")
    assert await store.read(lambda tx: tx.identities.resolve("c-3")) == "c-2"
    words = await store.read(lambda tx: tx.identities.words_on("c-1"))
    assert [word.merged for word in words] == [False, True]


async def test_a_cart_of_a_browser_is_its_owners_and_of_a_shared_browser_nobodys(store: UnitOfWork, shop: Shop) -> None:
    await shop.tell("cart-updated", {"cart_id": "k-1", "currency": "EUR", "items": [], "anonymous_id": "a-1"})
    assert (await store.read(lambda tx: tx.carts.get("k-1"))).customer_id is None  # type: ignore[union-attr]

    await known_as(shop, "c-1", anonymous_id="a-1")
    assert (await store.read(lambda tx: tx.carts.get("k-1"))).customer_id == "c-1"  # type: ignore[union-attr]
    assert [cart.cart_id for cart in await store.read(lambda tx: tx.carts.of_customer("c-1"))] == ["k-1"]

    await known_as(shop, "c-2", anonymous_id="a-1")
    assert (await store.read(lambda tx: tx.carts.get("k-1"))).customer_id is None  # type: ignore[union-attr]
    assert await store.read(lambda tx: tx.carts.of_customer("c-1")) == []


async def test_who_filled_a_cart_unnamed_is_in_its_journey_by_name_once_they_say_who_they_are(shop: Shop) -> None:
    await shop.tell(
        "cart-updated",
        {
            "cart_id": "cart-1",
            "currency": "EUR",
            "items": [{"sku": "honey", "quantity": 1, "unit_price_minor": 100}],
            "anonymous_id": "a-1",
        },
    )
    assert (await shop.enrolment()).customer_id is None

    await known_as(shop, "c-1", anonymous_id="a-1")

    assert (await shop.enrolment()).customer_id == "c-1"


async def test_nobody_gets_two_messages_because_of_two_ids(
    store: UnitOfWork, shop: Shop, sending: Sending, sender: RecordingSender
) -> None:
    for customer_id, cart_id in (("c-1", "cart-1"), ("guest-2", "cart-2")):
        await shop.customer(customer_id, email="ada@example.com")
        await shop.cart(cart_id, customer_id)

    outcomes = [
        (
            await sending.send(
                enrolment_id=(await shop.enrolment(cart_id)).enrolment_id,
                step="first-mail",
                template="abandoned-cart",
                coupon_id=None,
            )
        ).outcome
        for cart_id in ("cart-1", "cart-2")
    ]

    assert outcomes == ["sent", "suppressed"]
    assert len(sender.delivered) == 1


async def test_who_says_no_under_one_id_has_said_no(store: UnitOfWork, shop: Shop) -> None:
    await shop.customer("c-1", email="ada@example.com")
    await shop.customer("guest-2", email="ada@example.com")
    await shop.cart("cart-1", "c-1")
    shop.clock.advance(MINUTE)
    await shop.tell("consent-withdrawn", {"customer_id": "guest-2"})

    enrolment = await shop.enrolment()

    eligible = await Eligibility(store, policy(), shop.clock).check(enrolment.enrolment_id)

    assert (eligible.eligible, eligible.reason) == (False, "no_consent")


async def test_who_is_forgotten_under_one_id_is_forgotten_under_all(store: UnitOfWork, shop: Shop) -> None:
    await known_as(shop, "c-1", email="ada@example.com")
    await known_as(shop, "guest-2", email="ada@example.com", first_name="Ada")
    await known_as(shop, "c-3", email="eve@example.com")

    await shop.tell("customer-erased", {"customer_id": "c-1"})
    await shop.relay.apply_events()

    for customer_id in ("c-1", "guest-2"):
        found = await person(store, customer_id)
        assert found.erased
        assert (found.email, found.first_name) == (None, None)
    assert (await person(store, "c-3")).email == "eve@example.com"
    assert await store.read(lambda tx: tx.identities.customers_with("email", "ada@example.com")) == []


async def test_orders_of_all_ids_are_one_persons(store: UnitOfWork, shop: Shop) -> None:
    await known_as(shop, "c-1", email="ada@example.com")
    await known_as(shop, "guest-2", email="ada@example.com")
    await shop.order("o-1", customer_id="c-1")
    await shop.order("o-2", customer_id="guest-2")

    for ref in ("c-1", "guest-2"):
        orders = await store.read(lambda tx, ref=ref: tx.orders.of_customer(ref))  # type: ignore[misc]
        assert [order.order_id for order in orders] == ["o-1", "o-2"]
        assert {order.customer_id for order in orders} == {"c-1"}


async def test_an_address_that_too_many_gave_makes_nobody_one_person(
    store: UnitOfWork, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identities, "MOST_CLAIMANTS", 2)
    for customer_id in ("c-1", "c-2"):
        await known_as(shop, customer_id, email="till@shop.example")
    assert await ids(store, "c-1") == ("c-1", "c-2")

    for customer_id in ("c-3", "c-4"):
        await known_as(shop, customer_id, email="till@shop.example")

    assert [await ids(store, f"c-{number}") for number in range(1, 5)] == [(f"c-{number}",) for number in range(1, 5)]
