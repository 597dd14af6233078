"""The page with somebody's own data shows what is held, and what they decide there holds at once."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from waggle.domain.event import Receipt
from waggle.errors import Rejected
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.resources import shipped
from waggle.services.consent_texts import load_consent_texts, load_purposes
from waggle.services.consents import Consents, has_consent, objects, restricted
from waggle.services.intake import Intake
from waggle.services.preferences import PreferenceCentre, masked
from waggle.services.privacy_map import load_privacy_map
from waggle.services.sending import Sending
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio


class Relayed(Intake):
    """A door behind which the relay works at once, as it does in a running house."""

    def __init__(self, store: UnitOfWork, clock: HandClock, shop: Shop) -> None:
        super().__init__(store, clock)
        self._shop = shop

    async def accept(self, source: str, items: Sequence[object], **more: Any) -> list[Receipt]:  # noqa: ANN401 -- as it is
        receipts = await super().accept(source, items, **more)
        await self._shop.relay.apply_events()
        return receipts


@pytest.fixture
def centre(store: UnitOfWork, clock: HandClock, shop: Shop) -> PreferenceCentre:
    config = shipped("config")
    texts = load_consent_texts(config)
    return PreferenceCentre(
        store,
        Relayed(store, clock, shop),
        clock,
        shop_name="Hive & Honey",
        purposes=load_purposes(config, texts),
        texts=texts,
        privacy_map=load_privacy_map(config),
    )


@pytest.fixture
async def token(shop: Shop, sending: Sending, sender: RecordingSender, enrolment_id: str, clock: HandClock) -> str:
    """Of the page's link in a mail that was sent."""
    clock.advance(timedelta(minutes=20))
    await sending.send(enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None)
    [email] = sender.delivered
    [found] = re.findall(r"https://go\.shop\.example/p/([\w.-]+)", email.text)
    clock.advance(timedelta(minutes=5))
    return str(found)


async def test_the_page_shows_what_is_held_in_words_and_the_address_only_to_who_knows_it(
    centre: PreferenceCentre, token: str
) -> None:
    page = await centre.view(token)

    assert page is not None
    assert page.masked_email == "c•••@e•••.com"
    assert page.first_name == "Ada"
    assert [(each.purpose, each.on) for each in page.choices] == [
        ("marketing", True),
        ("profiling", True),
        ("sale-share", True),
    ]
    assert {"Customers", "Consents", "Carts", "Messages"} <= {each.title for each in page.held}


async def test_a_link_that_is_not_of_our_making_shows_nothing(centre: PreferenceCentre, token: str) -> None:
    message_id, signature = token.split(".")
    swapped = f"{message_id}.{signature[::-1]}"
    for made_up in (swapped, f"x{token}", message_id, f"{message_id}.", ".", f"{message_id}.\u0105"):
        assert await centre.view(made_up) is None


async def test_a_link_in_an_old_mail_shows_nothing(centre: PreferenceCentre, token: str, clock: HandClock) -> None:
    clock.advance(timedelta(days=180))
    assert await centre.view(token) is None


async def test_who_reads_an_earlier_address_sees_nothing_of_the_owner_of_the_new_one(
    centre: PreferenceCentre, token: str, shop: Shop
) -> None:
    await shop.tell("customer-identified", {"customer_id": "c-1", "email": "new@example.com"})
    assert await centre.view(token) is None


async def test_an_erased_customer_has_no_page(centre: PreferenceCentre, token: str, shop: Shop) -> None:
    await shop.tell("customer-erased", {"customer_id": "c-1"})
    assert await centre.view(token) is None


async def test_what_is_switched_off_is_off_at_once_and_what_is_on_agrees_to_a_wording(
    centre: PreferenceCentre, token: str, store: UnitOfWork, clock: HandClock
) -> None:
    assert await centre.choose(token, frozenset(), "en")
    assert not await store.read(lambda tx: has_consent(tx, "c-1", "marketing", "email", clock.now()))
    assert await store.read(lambda tx: objects(tx, "c-1", "profiling"))
    assert await store.read(lambda tx: objects(tx, "c-1", "sale-share"))

    clock.advance(timedelta(minutes=1))
    assert await centre.choose(token, frozenset({("marketing", "email"), ("made-up", "email")}), "pl")
    assert await store.read(lambda tx: has_consent(tx, "c-1", "marketing", "email", clock.now()))
    newest = (await Consents(store).proof("c-1", "marketing", "email"))[-1]
    assert (newest.mechanism, newest.text_version) == ("preference_centre", "marketing-email-1.pl")


async def test_what_is_not_switched_is_not_stated_again(
    centre: PreferenceCentre, token: str, store: UnitOfWork
) -> None:
    before = await store.read(lambda tx: tx.consents.of_customer("c-1"))
    everything = frozenset({("marketing", "email"), ("profiling", "email"), ("sale-share", "email")})
    await centre.choose(token, everything, "en")

    assert await store.read(lambda tx: tx.consents.of_customer("c-1")) == before


async def test_switching_off_ends_the_journey_that_runs(
    centre: PreferenceCentre, token: str, store: UnitOfWork
) -> None:
    await centre.choose(token, frozenset(), "en")

    def names(tx: Transaction) -> list[str]:
        return [each.message.name for each in tx.engine_messages.due(centre._clock.now(), 10)]

    assert "consent-withdrawn" in await store.read(names)


async def test_name_language_and_time_zone_are_put_right(
    centre: PreferenceCentre, token: str, store: UnitOfWork
) -> None:
    details = {"first_name": "Ada Maria", "language": "pl", "time_zone": "Europe/Warsaw", "email": "x@example.com"}
    assert await centre.correct(token, details)

    customer = await store.read(lambda tx: tx.customers.get("c-1"))
    assert customer is not None
    assert (customer.first_name, customer.language, customer.time_zone) == ("Ada Maria", "pl", "Europe/Warsaw")
    assert customer.email == "c-1@example.com"


async def test_a_time_zone_that_is_none_is_refused(centre: PreferenceCentre, token: str) -> None:
    with pytest.raises(Rejected) as refused:
        await centre.correct(token, {"time_zone": "Mars/Olympus"})
    assert refused.value.message == "time_zone"


async def test_a_new_address_waits_for_its_owner(centre: PreferenceCentre, token: str, store: UnitOfWork) -> None:
    assert await centre.change_email(token, " Ada@New.Example.com ")
    with pytest.raises(Rejected):
        await centre.change_email(token, "no address")

    [request] = await store.read(lambda tx: tx.privacy_requests.of_customer("c-1"))
    assert (request.right, request.state) == ("rectification", "unconfirmed")
    assert request.payload == '{"email":"Ada@new.example.com"}'
    customer = await store.read(lambda tx: tx.customers.get("c-1"))
    assert customer is not None
    assert customer.email == "c-1@example.com"


async def test_an_erasure_is_asked_once_more_and_a_copy_is_not(
    centre: PreferenceCentre, token: str, store: UnitOfWork
) -> None:
    for _ in range(2):
        assert await centre.wish(token, "erasure")
        assert await centre.wish(token, "access")

    wishes = await store.read(lambda tx: tx.privacy_requests.of_customer("c-1"))
    assert sorted((each.right, each.state) for each in wishes) == [("access", "open"), ("erasure", "unconfirmed")]


async def test_the_use_of_the_data_is_stopped_and_allowed_again(
    centre: PreferenceCentre, token: str, store: UnitOfWork, clock: HandClock
) -> None:
    await centre.restrict(token, on=True)
    assert await store.read(lambda tx: restricted(tx, "c-1"))
    clock.advance(timedelta(minutes=1))
    await centre.restrict(token, on=False)
    assert not await store.read(lambda tx: restricted(tx, "c-1"))


async def test_nobodys_link_changes_nothing(centre: PreferenceCentre, token: str, store: UnitOfWork) -> None:
    assert not await centre.choose("made.up", frozenset(), "en")
    assert not await centre.correct("made.up", {"first_name": "Eve"})
    assert not await centre.change_email("made.up", "eve@example.com")
    assert not await centre.wish("made.up", "erasure")
    assert not await centre.restrict("made.up", on=True)
    assert await store.read(lambda tx: tx.events.count_pending()) == 0


@pytest.mark.parametrize(
    ("address", "shown"), [("ada@mail.example.com", "a•••@m•••.com"), ("a@b.de", "a•••@b•••.de"), ("", "•••")]
)
def test_only_who_knows_an_address_knows_it_again(address: str, shown: str) -> None:
    assert masked(address) == shown
