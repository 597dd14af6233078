"""A message leaves once or not at all, whatever happens around it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import TypeVar

import pytest
from sqlalchemy.exc import IntegrityError

from waggle.domain.message import Message
from waggle.domain.quiet_hours import QuietHours
from waggle.domain.sending_rules import Verdict
from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services import sending as sending_module
from waggle.services.enrolments import Enrolments
from waggle.services.message_checks import SendingPolicy
from waggle.services.sending import Sending, Sent
from waggle.storage.repositories.messages import Messages
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.email import (
    ProcessKilledError,
    RecordingSender,
    kill,
    lose_answer,
    refuse_address,
    refuse_for_now,
)
from waggle.testing.facts import HONEY, LEASE, Shop

pytestmark = pytest.mark.anyio

T = TypeVar("T")

AFTER_THE_LEASE = LEASE + timedelta(seconds=1)


class FickleStore:
    """A store that turns away as many works as it is told to."""

    def __init__(self, store: UnitOfWork) -> None:
        self._store = store
        self.refusals = 0

    async def run(self, work: Callable[[Transaction], T]) -> T:
        if self.refusals:
            self.refusals -= 1
            raise TemporaryFailure("DATABASE_LOCKED")
        return await self._store.run(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._store.read(work)


async def send(sending: Sending, enrolment_id: str, step: str = "first-mail") -> Sent:
    template = "abandoned-cart" if step == "first-mail" else "abandoned-cart-reminder"
    return await sending.send(enrolment_id=enrolment_id, step=step, template=template, coupon_id=None)


async def test_a_message_that_left_is_sent_and_its_row_says_when(
    sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    assert await send(sending, enrolment_id) == Sent("sent", "ok", clock.now())

    message = await shop.message(enrolment_id)
    assert (message.state, message.handed_over_at, message.settled_at) == ("sent", clock.now(), clock.now())
    assert (message.provider_answer, message.token, message.lease_until) == ("250 accepted as 1", None, None)
    [email] = sender.delivered
    assert email.to == "c-1@example.com"
    assert email.message_id == f"<{message.message_id}@news.shop.example>"


async def test_its_links_lead_to_the_cart_and_to_unsubscribing(
    sending: Sending, sender: RecordingSender, store: UnitOfWork, enrolment_id: str
) -> None:
    await send(sending, enrolment_id)

    [email] = sender.delivered
    assert email.unsubscribe_url is not None
    token = email.unsubscribe_url.removeprefix("https://go.shop.example/u/")
    link = await store.read(lambda tx: tx.links.get(token))
    assert link is not None
    assert (link.kind, link.url) == ("unsubscribe", None)
    assert "https://go.shop.example/c/" in email.text


async def test_the_same_step_twice_is_one_message_and_one_answer(
    sending: Sending, sender: RecordingSender, clock: HandClock, enrolment_id: str
) -> None:
    first = await send(sending, enrolment_id)
    clock.advance(timedelta(days=30))
    again = await send(sending, enrolment_id)

    assert (again.outcome, again.reason) == (first.outcome, first.reason)
    assert len(sender.delivered) == 1


async def test_the_database_itself_refuses_a_second_row_for_a_step(
    sending: Sending, shop: Shop, enrolment_id: str
) -> None:
    await send(sending, enrolment_id)
    second = replace(await shop.message(enrolment_id), message_id="another")

    with pytest.raises(IntegrityError):
        await shop.store.run(lambda tx: tx.messages.save(second))


async def test_two_steps_are_two_messages(
    sending: Sending, sender: RecordingSender, clock: HandClock, enrolment_id: str
) -> None:
    await send(sending, enrolment_id)
    clock.advance(timedelta(hours=24))
    await send(sending, enrolment_id, "reminder")

    assert len(sender.delivered) == 2


async def test_killed_before_the_hand_over_it_is_sent_once_when_the_lease_is_over(
    sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    sender.when_connected = kill
    with pytest.raises(ProcessKilledError):
        await send(sending, enrolment_id)
    sender.when_connected = None
    assert (await shop.message(enrolment_id)).state == "claimed"

    with pytest.raises(TemporaryFailure, match="SEND_UNDER_WAY"):
        await send(sending, enrolment_id)
    clock.advance(AFTER_THE_LEASE)

    assert (await send(sending, enrolment_id)).outcome == "sent"
    assert len(sender.delivered) == 1


@pytest.mark.parametrize("place", ["when_handed_over", "when_taken"])
async def test_killed_after_the_hand_over_it_is_in_doubt_and_never_sent_again(
    sending: Sending, sender: RecordingSender, clock: HandClock, enrolment_id: str, place: str
) -> None:
    setattr(sender, place, kill)
    with pytest.raises(ProcessKilledError):
        await send(sending, enrolment_id)
    setattr(sender, place, None)
    delivered = len(sender.delivered)

    with pytest.raises(TemporaryFailure, match="SEND_UNDER_WAY"):
        await send(sending, enrolment_id)
    clock.advance(AFTER_THE_LEASE)

    for _ in range(2):
        found = await send(sending, enrolment_id)
        assert (found.outcome, found.reason) == ("in_doubt", "answer_lost")
    assert len(sender.delivered) == delivered


async def test_an_answer_that_is_lost_makes_a_message_in_doubt_at_once(
    sending: Sending, sender: RecordingSender, enrolment_id: str
) -> None:
    sender.when_taken = lose_answer

    assert (await send(sending, enrolment_id)).outcome == "in_doubt"
    sender.when_taken = None
    assert (await send(sending, enrolment_id)).outcome == "in_doubt"
    assert len(sender.delivered) == 1


async def test_a_database_that_is_away_when_the_answer_comes_does_not_put_the_message_in_doubt(
    sender: RecordingSender, store: UnitOfWork, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    fickle = FickleStore(store)

    async def lock() -> None:
        fickle.refusals = 2

    sender.when_taken = lock
    assert (await send(facts.sending(fickle, clock, sender), enrolment_id)).outcome == "sent"

    assert fickle.refusals == 0
    assert (await shop.message(enrolment_id)).state == "sent"


async def test_an_answer_that_comes_after_the_sweeper_settles_the_doubt(
    sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    async def swept_meanwhile() -> None:
        clock.advance(AFTER_THE_LEASE)
        assert await shop.relay.sweep() == 1
        assert (await shop.message(enrolment_id)).state == "in_doubt"

    sender.when_taken = swept_meanwhile

    assert (await send(sending, enrolment_id)).outcome == "sent"
    assert (await shop.message(enrolment_id)).state == "sent"


async def test_a_process_that_was_taken_for_dead_cannot_hand_over(
    sending: Sending, sender: RecordingSender, clock: HandClock, enrolment_id: str
) -> None:
    async def overtaken() -> None:
        sender.when_connected = None
        clock.advance(AFTER_THE_LEASE)
        assert (await send(sending, enrolment_id)).outcome == "sent"

    sender.when_connected = overtaken

    with pytest.raises(TemporaryFailure, match="CLAIM_LOST"):
        await send(sending, enrolment_id)
    assert len(sender.delivered) == 1
    assert (await send(sending, enrolment_id)).outcome == "sent"


async def test_a_refusal_that_comes_too_late_does_not_undo_what_another_process_sent(
    sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    async def overtaken_then_refused() -> None:
        sender.when_connected = None
        clock.advance(AFTER_THE_LEASE)
        assert (await send(sending, enrolment_id)).outcome == "sent"
        await refuse_address()

    sender.when_connected = overtaken_then_refused

    assert (await send(sending, enrolment_id)).outcome == "sent"
    assert (await shop.message(enrolment_id)).state == "sent"


async def test_of_workers_that_send_at_once_one_does(
    sending: Sending, sender: RecordingSender, enrolment_id: str
) -> None:
    tried = await asyncio.gather(*(send(sending, enrolment_id) for _ in range(8)), return_exceptions=True)

    assert len(sender.delivered) == 1
    told = {each.code if isinstance(each, TemporaryFailure) else getattr(each, "outcome", each) for each in tried}
    assert told <= {"sent", "SEND_UNDER_WAY"}


async def withdraw(shop: Shop, _enrolment_id: str) -> None:
    await shop.tell("consent-withdrawn", {"customer_id": "c-1"})


async def buy(shop: Shop, _enrolment_id: str) -> None:
    await shop.order(cart_id="cart-1")


async def erase(shop: Shop, _enrolment_id: str) -> None:
    await shop.tell("customer-erased", {"customer_id": "c-1"})


async def sell_out(shop: Shop, _enrolment_id: str) -> None:
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 0})


async def empty(shop: Shop, _enrolment_id: str) -> None:
    await shop.cart(items=[])


async def bounce(shop: Shop, _enrolment_id: str) -> None:
    await shop.store.run(lambda tx: tx.suppressions.add("c-1", "email", "bounced", shop.clock.now()))


async def end(shop: Shop, enrolment_id: str) -> None:
    await Enrolments(shop.store, facts.book(), shop.clock).end(enrolment_id, "stopped", "")


async def expire(shop: Shop, _enrolment_id: str) -> None:
    shop.clock.advance(timedelta(days=1))


MEANWHILE: list[tuple[Callable[[Shop, str], Awaitable[None]], str]] = [
    (withdraw, "no_consent"),
    (buy, "ordered"),
    (erase, "customer_erased"),
    (sell_out, "out_of_stock"),
    (empty, "emptied"),
    (bounce, "suppressed"),
    (end, "journey_ended"),
]


@pytest.mark.parametrize(("happens", "reason"), MEANWHILE)
async def test_what_happens_before_the_claim_stops_the_message(
    *,
    sending: Sending,
    sender: RecordingSender,
    shop: Shop,
    enrolment_id: str,
    happens: Callable[[Shop, str], Awaitable[None]],
    reason: str,
) -> None:
    await happens(shop, enrolment_id)

    sent = await send(sending, enrolment_id)

    assert (sent.outcome, sent.reason) == ("suppressed", reason)
    assert sender.sessions == 0


@pytest.mark.parametrize(("happens", "reason"), [*MEANWHILE, (expire, "expired")])
async def test_what_happens_between_claim_and_hand_over_stops_the_message(
    *,
    sending: Sending,
    sender: RecordingSender,
    shop: Shop,
    enrolment_id: str,
    happens: Callable[[Shop, str], Awaitable[None]],
    reason: str,
) -> None:
    async def meanwhile() -> None:
        await happens(shop, enrolment_id)

    sender.when_connected = meanwhile

    sent = await send(sending, enrolment_id)

    assert (sent.outcome, sent.reason) == ("suppressed", reason)
    assert sender.delivered == []


async def test_a_cart_that_changes_hands_during_the_session_is_not_written_about_to_the_first_owner(
    sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    await shop.customer("c-2")

    async def changes_hands() -> None:
        clock.advance(timedelta(seconds=1))
        await shop.cart(customer_id="c-2")

    sender.when_connected = changes_hands

    with pytest.raises(TemporaryFailure, match="CUSTOMER_CHANGED"):
        await send(sending, enrolment_id)
    sender.when_connected = None
    await send(sending, enrolment_id)

    assert [email.to for email in sender.delivered] == ["c-2@example.com"]


async def test_who_was_erased_and_comes_back_has_to_agree_anew(
    sending: Sending, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    await erase(shop, enrolment_id)
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-identified", {"customer_id": "c-1", "email": "ada@example.com"})

    sent = await send(sending, enrolment_id)

    assert (sent.outcome, sent.reason) == ("suppressed", "no_consent")


async def test_of_two_carts_of_one_customer_one_is_written_about(
    sending: Sending, sender: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    await shop.cart("cart-2")
    other = (await shop.enrolment("cart-2")).enrolment_id

    found = [await send(sending, each) for each in (enrolment_id, other)]

    assert [(each.outcome, each.reason) for each in found] == [("sent", "ok"), ("suppressed", "frequency_cap")]
    assert len(sender.delivered) == 1


async def test_a_message_at_the_door_counts_for_the_cap(
    sending: Sending, sender: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    await shop.cart("cart-2")
    other = (await shop.enrolment("cart-2")).enrolment_id
    answers = []

    async def the_other_comes() -> None:
        sender.when_connected = None
        answers.append(await send(sending, other))

    sender.when_connected = the_other_comes

    assert (await send(sending, enrolment_id)).outcome == "sent"
    assert [(each.outcome, each.reason) for each in answers] == [("suppressed", "frequency_cap")]


async def test_after_the_window_of_the_cap_the_next_message_may_leave(
    sending: Sending, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    await send(sending, enrolment_id)
    clock.advance(timedelta(hours=20))
    await shop.cart("cart-2")

    assert (await send(sending, (await shop.enrolment("cart-2")).enrolment_id)).outcome == "sent"


@pytest.mark.parametrize("place", ["when_connected", "when_handed_over"])
async def test_a_server_that_refuses_for_now_gets_the_message_once_later(
    sending: Sending, sender: RecordingSender, shop: Shop, enrolment_id: str, place: str
) -> None:
    setattr(sender, place, refuse_for_now)
    pauses_s = []
    for _ in range(3):
        with pytest.raises(TemporaryFailure, match="SMTP_BUSY") as refused:
            await send(sending, enrolment_id)
        pauses_s.append(refused.value.retry_after_s)
    message = await shop.message(enrolment_id)
    assert (message.state, message.reason, message.token) == ("planned", "SMTP_BUSY", None)
    assert message.handed_over_at is None
    assert pauses_s == [15.0, 30.0, 60.0]
    setattr(sender, place, None)

    assert (await send(sending, enrolment_id)).outcome == "sent"
    assert len(sender.delivered) == 1


async def test_an_address_that_is_refused_fails_and_is_never_written_to_again(
    *, sending: Sending, sender: RecordingSender, shop: Shop, store: UnitOfWork, clock: HandClock, enrolment_id: str
) -> None:
    sender.when_connected = refuse_address

    sent = await send(sending, enrolment_id)

    assert (sent.outcome, sent.reason) == ("failed", "ADDRESS_REFUSED")
    assert await store.read(lambda tx: tx.suppressions.reason("c-1", "email")) == "address_refused"
    sender.when_connected = None
    clock.advance(timedelta(days=2))
    await shop.cart("cart-2")
    other = await send(sending, (await shop.enrolment("cart-2")).enrolment_id)
    assert (other.outcome, other.reason) == ("suppressed", "suppressed")


async def test_facts_that_are_accepted_but_not_applied_hold_the_message(
    sending: Sending, sender: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    await shop.send("order-placed", {"order_id": "o-1", "currency": "EUR", "total_minor": 1, "cart_id": "cart-1"})

    with pytest.raises(TemporaryFailure, match="FACTS_PENDING") as pending:
        await send(sending, enrolment_id)
    assert pending.value.retry_after_s == 1.0
    await shop.relay.apply_events()

    assert (await send(sending, enrolment_id)).reason == "ordered"
    assert sender.sessions == 0


@pytest.mark.parametrize("named", [{"customer_id": "c-1"}, {"cart_id": "cart-1"}])
async def test_facts_hold_the_message_though_their_sender_gave_another_subject(
    sending: Sending, shop: Shop, enrolment_id: str, named: dict[str, str]
) -> None:
    data = {"order_id": "o-1", "currency": "EUR", "total_minor": 1, **named}
    await shop.accept(facts.event("order-placed", "e-1", data, shop.clock.now(), subject="order-1"))

    with pytest.raises(TemporaryFailure, match="FACTS_PENDING"):
        await send(sending, enrolment_id)


async def test_facts_that_come_in_during_the_session_hold_it_too(
    sending: Sending, sender: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    async def withdrawn() -> None:
        sender.when_connected = None
        await shop.send("consent-withdrawn", {"customer_id": "c-1"})

    sender.when_connected = withdrawn

    with pytest.raises(TemporaryFailure, match="FACTS_PENDING"):
        await send(sending, enrolment_id)
    await shop.relay.apply_events()

    assert (await send(sending, enrolment_id)).reason == "no_consent"
    assert sender.delivered == []


NIGHT = QuietHours(time(21), time(9))


async def test_quiet_hours_hold_a_message_and_let_it_go_in_the_morning(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    sending = facts.sending(store, clock, sender, facts.policy(quiet_hours=NIGHT))
    clock.advance(timedelta(hours=11))
    morning = datetime(2026, 3, 2, 9, tzinfo=UTC)

    assert await send(sending, enrolment_id) == Sent("held", "quiet_hours", morning)
    message = await shop.message(enrolment_id)
    assert (message.state, message.not_before_at) == ("planned", morning)
    clock.advance(morning - clock.now())

    assert (await send(sending, enrolment_id)).outcome == "sent"
    assert len(sender.delivered) == 1


async def test_quiet_hours_that_begin_during_the_session_hold_the_message(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    sending = facts.sending(store, clock, sender, facts.policy(quiet_hours=NIGHT))
    clock.advance(timedelta(hours=8, minutes=59, seconds=59))

    async def it_strikes_nine() -> None:
        clock.advance(timedelta(seconds=1))

    sender.when_connected = it_strikes_nine

    assert (await send(sending, enrolment_id)).outcome == "held"
    assert sender.delivered == []
    assert (await shop.message(enrolment_id)).state == "planned"


async def test_quiet_hours_do_not_use_up_the_time_in_which_a_message_makes_sense(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, enrolment_id: str
) -> None:
    short = facts.policy(quiet_hours=NIGHT, message_valid_for=timedelta(hours=1))
    sending = facts.sending(store, clock, sender, short)
    clock.advance(timedelta(hours=11))
    held = await send(sending, enrolment_id)
    clock.advance(held.next_at - clock.now())

    assert (await send(sending, enrolment_id)).outcome == "sent"


async def test_quiet_hours_are_those_of_the_customers_own_zone(
    store: UnitOfWork, clock: HandClock, sender: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    sending = facts.sending(store, clock, sender, facts.policy(quiet_hours=NIGHT))
    clock.advance(timedelta(seconds=1))
    await shop.tell("customer-identified", {"customer_id": "c-1", "time_zone": "Asia/Tokyo"})

    # Noon in London is nine in the evening in Tokyo.
    held = await send(sending, enrolment_id)

    assert (held.outcome, held.next_at) == ("held", datetime(2026, 3, 2, 0, tzinfo=UTC))


async def test_a_message_that_could_not_leave_in_time_expires(
    sending: Sending, sender: RecordingSender, clock: HandClock, enrolment_id: str
) -> None:
    sender.when_connected = refuse_for_now
    with pytest.raises(TemporaryFailure):
        await send(sending, enrolment_id)
    sender.when_connected = None
    clock.advance(timedelta(days=1))

    sent = await send(sending, enrolment_id)

    assert (sent.outcome, sent.reason) == ("suppressed", "expired")
    assert sender.delivered == []


async def test_the_sweeper_ends_what_expired_and_what_nobody_answered_for_and_nothing_else(
    sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    """Three messages: planned until it expires, handed over without an answer, and sent."""
    for name in ("c-2", "c-3"):
        await shop.customer(name)
        await shop.cart(f"cart-{name}", name)
    doubtful, done = [(await shop.enrolment(f"cart-{name}")).enrolment_id for name in ("c-2", "c-3")]
    sender.when_connected = refuse_for_now
    with pytest.raises(TemporaryFailure):
        await send(sending, enrolment_id)
    sender.when_connected, sender.when_handed_over = None, kill
    with pytest.raises(ProcessKilledError):
        await send(sending, doubtful)
    sender.when_handed_over = None
    await send(sending, done)

    assert await shop.relay.sweep() == 0
    clock.advance(timedelta(days=1, seconds=1))
    assert await shop.relay.sweep() == 2
    assert await shop.relay.sweep() == 0

    found = [await shop.message(each) for each in (enrolment_id, doubtful, done)]
    assert [(m.state, m.reason) for m in found] == [
        ("suppressed", "expired"),
        ("in_doubt", "answer_lost"),
        ("sent", "ok"),
    ]


async def test_the_sweeper_leaves_a_claim_alone_until_its_lease_is_over(
    *, sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, store: UnitOfWork, enrolment_id: str
) -> None:
    sender.when_connected = kill
    with pytest.raises(ProcessKilledError):
        await send(sending, enrolment_id)
    await Enrolments(store, facts.book(), clock).end(enrolment_id, "ordered", "")

    assert await shop.relay.sweep() == 0
    clock.advance(AFTER_THE_LEASE)
    assert await shop.relay.sweep() == 1

    message = await shop.message(enrolment_id)
    assert (message.state, message.reason) == ("suppressed", "journey_ended")


async def test_a_message_whose_journey_ends_while_it_waits_ends_with_it(
    *, sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, store: UnitOfWork, enrolment_id: str
) -> None:
    sender.when_connected = refuse_for_now
    with pytest.raises(TemporaryFailure):
        await send(sending, enrolment_id)

    await Enrolments(store, facts.book(), clock).end(enrolment_id, "ordered", "")

    message = await shop.message(enrolment_id)
    assert (message.state, message.reason) == ("suppressed", "ordered")


async def test_goods_that_are_gone_are_left_out_and_prices_are_those_of_now(
    sending: Sending, sender: RecordingSender, shop: Shop
) -> None:
    await shop.customer()
    # A short name may stand in a link by chance.
    await shop.cart(items=[HONEY, replace(facts.WAX, name="Wax for candles")])
    await shop.tell("stock-changed", {"sku": "wax", "quantity": 0})
    await shop.tell(
        "product-updated", {"sku": "honey", "name": "Heather honey", "price_minor": 1250, "currency": "EUR"}
    )

    await send(sending, (await shop.enrolment()).enrolment_id)

    [email] = sender.delivered
    assert "Heather honey" in email.text
    assert "€25.00" in email.text
    assert "Wax for candles" not in email.text


async def test_an_invented_enrolment_or_template_is_a_defect_of_the_diagram(
    sending: Sending, enrolment_id: str
) -> None:
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await send(sending, "nobody")
    with pytest.raises(PermanentFailure, match="MESSAGE_TEMPLATE_UNKNOWN"):
        await sending.send(enrolment_id=enrolment_id, step="first-mail", template="nothing", coupon_id=None)


# Negative controls: with its guard switched off, each promise above is seen to break.


async def test_control_without_the_compare_and_set_two_processes_send_the_same_message(
    sending: Sending, sender: RecordingSender, clock: HandClock, enrolment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_looking(self: Sending, tx: Transaction, claimed: Message) -> Sent | None:
        return None

    async def overtaken() -> None:
        sender.when_connected = None
        clock.advance(AFTER_THE_LEASE)
        await send(sending, enrolment_id)

    monkeypatch.setattr(Sending, "_hand_over", without_looking)
    sender.when_connected = overtaken

    await send(sending, enrolment_id)

    assert len(sender.delivered) == 2


async def test_control_without_the_unique_row_the_same_step_is_sent_twice(
    sending: Sending, sender: RecordingSender, enrolment_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_there(self: Messages, enrolment_id: str, step: str) -> Message | None:
        return None

    await send(sending, enrolment_id)
    monkeypatch.setattr(Messages, "get", nothing_there)
    monkeypatch.setattr(Messages, "save", lambda self, message: None)
    monkeypatch.setattr(Sending, "_hand_over", lambda self, tx, claimed: None)
    monkeypatch.setattr(sending_module, "check", lambda tx, message, policy, now: Verdict())
    monkeypatch.setattr("waggle.services.composing.Composer._link", lambda self, tx, message, kind, url: "https://x")

    with pytest.raises(PermanentFailure, match="MESSAGE_UNKNOWN"):
        await send(sending, enrolment_id)

    assert len(sender.delivered) == 2


@pytest.mark.parametrize(("happens", "reason"), MEANWHILE)
async def test_control_without_the_checks_the_wrong_mail_leaves(
    *,
    sending: Sending,
    sender: RecordingSender,
    shop: Shop,
    enrolment_id: str,
    happens: Callable[[Shop, str], Awaitable[None]],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def never_mind(tx: Transaction, message: Message, policy: SendingPolicy, now: datetime) -> Verdict:
        return Verdict()

    async def meanwhile() -> None:
        await happens(shop, enrolment_id)

    monkeypatch.setattr(sending_module, "check", never_mind)
    sender.when_connected = meanwhile

    await send(sending, enrolment_id)

    assert len(sender.delivered) == 1
