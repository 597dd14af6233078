"""Who is under a legal hold is erased once it is lifted; until then nothing is done with what is known of them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from waggle.domain.privacy import LegalHold
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.consents import may_transfer, restricted
from waggle.services.held_erasures import LEGAL_HOLD, release
from waggle.services.overview import look
from waggle.services.privacy_answers import PrivacyAnswers
from waggle.services.privacy_requests import PrivacyRequestBook, open_request
from waggle.services.replay import Replay, dump
from waggle.services.sending import Sending
from waggle.services.state_rules import StateRules
from waggle.storage.shadow import FileBookmark
from waggle.storage.store import Store, open_store
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio


@pytest.fixture
def shadow(tmp_path: Path, store: Store) -> Iterator[Store]:
    opened = open_store(
        f"sqlite:///{tmp_path / 'shadow.db'}", keyring=store._keyring, erased=tmp_path / "shadow-erased.jsonl"
    )
    yield opened
    opened.close()


async def hold(store: UnitOfWork, clock: HandClock, customer_id: str = "c-1") -> None:
    kept = LegalHold(customer_id=customer_id, why="case 12", held_by="kim", since=clock.now())
    await store.run(lambda tx: tx.legal_holds.add(kept))


async def lift(store: UnitOfWork, customer_id: str = "c-1") -> int:
    await store.run(lambda tx: tx.legal_holds.lift(customer_id))
    return await store.run(lambda tx: release(tx, customer_id))


async def is_erased(store: UnitOfWork, customer_id: str = "c-1") -> bool:
    customer = await store.read(lambda tx: tx.customers.profile(customer_id))
    return customer is not None and customer.erased and customer.email is None


async def set_aside(store: UnitOfWork) -> list[tuple[str, str]]:
    return [(each.event_type, each.code) for each in await store.read(lambda tx: tx.events.quarantined())]


async def one_person_under_two_ids(shop: Shop) -> None:
    await shop.customer()
    await shop.customer("c-2")
    await shop.tell("customers-merged", {"customer_id": "c-1", "merged_customer_id": "c-2"})


async def test_what_a_shop_tells_of_an_erasure_waits_for_a_legal_hold(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.customer()
    await hold(store, clock)
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})

    assert not await is_erased(store)
    assert await set_aside(store) == [("customer-erased", LEGAL_HOLD)]
    assert await store.read(lambda tx: tx.events.count_pending()) == 0
    [entry] = await store.read(lambda tx: tx.audit.of_subject("c-1"))
    assert (entry.actor, entry.action) == ("shop", "erasure-held-back")


async def test_it_is_carried_out_once_the_hold_is_lifted(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    await shop.customer()
    await hold(store, clock)
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})

    assert await lift(store) == 1
    await shop.relay.apply_events()

    assert await is_erased(store)
    assert await set_aside(store) == []
    assert not await store.read(lambda tx: restricted(tx, "c-1"))


async def test_who_waits_to_be_erased_gets_no_message_whatever_they_agree_to(
    *,
    shop: Shop,
    store: UnitOfWork,
    clock: HandClock,
    sending: Sending,
    sender: RecordingSender,
    engine: RememberingEngine,
) -> None:
    await shop.customer()
    await shop.cart()
    enrolment = await shop.enrolment()
    await hold(store, clock)
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})
    clock.advance(timedelta(minutes=1))
    await shop.tell("consent-given", {"customer_id": "c-1"})
    await shop.tell("customer-unrestricted", {"customer_id": "c-1"})

    sent = await sending.send(
        enrolment_id=enrolment.enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
    )

    assert (sent.outcome, sent.reason) == ("suppressed", "customer_restricted")
    assert sender.delivered == []
    assert not await store.read(lambda tx: may_transfer(tx, "c-1", "marketing", clock.now()))
    # Those that go on are ended, as by any erasure.
    await shop.relay.publish()
    assert ("customer-erased", enrolment.enrolment_id) in [(each.name, each.enrolment_id) for each in engine.taken]


async def test_a_hold_on_one_id_keeps_what_is_erased_under_another_of_the_same_person(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await one_person_under_two_ids(shop)
    await hold(store, clock, "c-2")
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})
    assert not await is_erased(store)
    assert await store.read(lambda tx: restricted(tx, "c-2"))

    await lift(store, "c-2")
    await shop.relay.apply_events()
    await shop.relay.apply_events()

    assert await is_erased(store)
    assert await is_erased(store, "c-2")


async def test_a_second_hold_goes_on_keeping_what_the_first_kept(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await one_person_under_two_ids(shop)
    await hold(store, clock)
    await hold(store, clock, "c-2")
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})

    assert await lift(store) == 0
    await shop.relay.apply_events()

    assert not await is_erased(store)


async def test_who_turns_out_to_be_another_person_than_the_one_held_is_erased(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await one_person_under_two_ids(shop)
    await hold(store, clock, "c-2")
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})
    clock.advance(timedelta(minutes=1))
    await shop.tell("customers-split", {"customer_id": "c-1", "merged_customer_id": "c-2"})
    await shop.relay.apply_events()

    assert await is_erased(store)
    assert not await is_erased(store, "c-2")


async def test_somebody_tries_it_again_in_vain_while_the_hold_stands(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.customer()
    await hold(store, clock)
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})
    [waiting] = await store.read(lambda tx: tx.events.quarantined())
    await store.run(lambda tx: tx.events.release(waiting.sequence))
    await shop.relay.apply_events()

    assert await set_aside(store) == [("customer-erased", LEGAL_HOLD)]
    assert len(await store.read(lambda tx: tx.audit.of_subject("c-1"))) == 1


async def test_an_erasure_that_waits_is_no_failure(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    await shop.customer()
    await hold(store, clock)
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})

    assert (await look(store)).quarantined == 0


async def test_events_behind_it_are_applied(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    await shop.customer()
    await hold(store, clock)
    clock.advance(timedelta(minutes=1))
    await shop.send("customer-erased", {"customer_id": "c-1"})
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 3})

    assert await store.read(lambda tx: tx.products.get("honey")) is not None


async def test_what_was_erased_before_a_restore_is_gone_whatever_hold_came_back_with_it(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.customer()
    await hold(store, clock)
    clock.advance(timedelta(minutes=1))
    # As it is done at the start: first the key, then the event.
    await store.run(lambda tx: tx.person_keys.destroy("c-1", clock.now()))
    await shop.tell("customer-erased", {"customer_id": "c-1"})

    assert await is_erased(store)


async def test_a_request_that_a_hold_had_refused_is_granted_once_it_is_lifted(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.customer()
    await hold(store, clock)
    clock.advance(timedelta(minutes=1))
    line = await PrivacyRequestBook(store, clock).open("erasure", "c-1", source="shop", by="shop")
    assert await PrivacyAnswers(store, clock).close(line.request_id) == "refused"
    await shop.relay.apply_events()
    assert not await is_erased(store)
    assert await store.read(lambda tx: restricted(tx, "c-1"))

    await lift(store)
    await shop.relay.apply_events()

    assert await is_erased(store)


async def test_an_erasure_that_nobody_confirmed_does_not_wait(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    await shop.customer()
    await hold(store, clock)
    request = await store.run(lambda tx: open_request(tx, "erasure", "c-1", "page", clock.now(), confirmed=False))
    assert await PrivacyAnswers(store, clock).close(request.request_id) == "unconfirmed"
    await shop.relay.apply_events()

    assert await set_aside(store) == []
    assert not await store.read(lambda tx: restricted(tx, "c-1"))


async def test_the_state_follows_from_the_events_while_an_erasure_waits_and_after(
    shop: Shop, store: Store, shadow: Store, clock: HandClock, tmp_path: Path
) -> None:
    await shop.customer()
    await shop.cart()
    await hold(store, clock)
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-identified", {"customer_id": "c-1", "first_name": "Eve"})
    bookmark = FileBookmark(tmp_path / "bookmark.json")
    waiting = await store.read(dump)

    first = await Replay(store, shadow, StateRules(), bookmark).run(mend=True)
    assert (first.differences, first.unsettled) == ([], 0)
    assert await store.read(dump) == waiting

    await lift(store)
    await shop.relay.apply_events()
    erased = await store.read(dump)
    second = await Replay(store, shadow, StateRules(), bookmark).run(mend=True)

    assert (second.differences, second.unsettled) == ([], 0)
    assert await store.read(dump) == erased
    assert erased != waiting
