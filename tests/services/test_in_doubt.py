"""What becomes of a message whose answer was lost, by its kind and by what the provider knows."""

from dataclasses import replace
from datetime import timedelta

import pytest

from waggle.domain.message import MARKETING, ORDER, MessageKind
from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.enrolments import Enrolments
from waggle.services.sending import Sending, Sent
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
from waggle.testing.facts import LEASE, Shop

pytestmark = pytest.mark.anyio

AFTER_THE_LEASE = LEASE + timedelta(seconds=1)
A_DAY = timedelta(hours=24)
TEMPLATES = {"marketing": "abandoned-cart", "order": "order-received"}


@pytest.fixture
def knowing() -> RecordingSender:
    """A provider that knows a message again by its id for a day."""
    return RecordingSender(name="knowing", repeat_safe_for=A_DAY)


async def send(sending: Sending, enrolment_id: str, kind: MessageKind) -> Sent:
    template = TEMPLATES[kind.name]
    return await sending.send(
        enrolment_id=enrolment_id, step="first-mail", template=template, coupon_id=None, kind=kind
    )


async def send_and_lose(sending: Sending, sender: RecordingSender, enrolment_id: str, kind: MessageKind) -> str:
    """Let the provider take the message and its answer be lost; return the outcome or the code of the failure."""
    sender.when_taken = lose_answer
    try:
        return (await send(sending, enrolment_id, kind)).outcome
    except TemporaryFailure as failure:
        return failure.code
    finally:
        sender.when_taken = None


async def send_and_die(sending: Sending, sender: RecordingSender, enrolment_id: str, kind: MessageKind) -> None:
    """Let the process die when the provider has the message, and the lease be over."""
    sender.when_taken = kill
    with pytest.raises(ProcessKilledError):
        await send(sending, enrolment_id, kind)
    sender.when_taken = None


# An order message: a second copy is better than none.


async def test_an_order_message_in_doubt_is_sent_again_under_the_same_id_and_counted(
    sending: Sending, sender: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    assert await send_and_lose(sending, sender, enrolment_id, ORDER) == "ANSWER_LOST"
    waiting = await shop.message(enrolment_id)
    assert (waiting.state, waiting.doubts, waiting.doubted_at) == ("planned", 1, waiting.handed_over_at)

    assert (await send(sending, enrolment_id, ORDER)).outcome == "sent"

    first, second = sender.delivered
    assert (first.message_id, first.text, first.html) == (second.message_id, second.text, second.html)
    message = await shop.message(enrolment_id)
    assert (message.state, message.doubts, message.in_doubt) == ("sent", 1, "sent again")


async def test_after_three_doubts_it_stays_in_doubt(
    sending: Sending, sender: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    told = [await send_and_lose(sending, sender, enrolment_id, ORDER) for _ in range(5)]

    assert told == ["ANSWER_LOST", "ANSWER_LOST", "in_doubt", "in_doubt", "in_doubt"]
    assert len(sender.delivered) == 3
    assert (await shop.message(enrolment_id)).doubts == 3


@pytest.mark.parametrize("sweeps", [False, True])
async def test_a_process_that_died_after_the_hand_over_of_an_order_message_leaves_one_doubt(
    *, sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str, sweeps: bool
) -> None:
    await send_and_die(sending, sender, enrolment_id, ORDER)
    clock.advance(AFTER_THE_LEASE)
    if sweeps:
        assert await shop.relay.sweep() == 1
        assert (await shop.message(enrolment_id)).state == "planned"
        assert await shop.relay.sweep() == 0

    assert (await send(sending, enrolment_id, ORDER)).outcome == "sent"
    assert (await shop.message(enrolment_id)).doubts == 1
    assert len(sender.delivered) == 2


async def test_an_answer_that_comes_after_the_sweeper_spares_the_shopper_the_second_copy(
    sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    async def swept_meanwhile() -> None:
        clock.advance(AFTER_THE_LEASE)
        assert await shop.relay.sweep() == 1

    sender.when_taken = swept_meanwhile

    assert (await send(sending, enrolment_id, ORDER)).outcome == "sent"
    assert (await send(sending, enrolment_id, ORDER)).outcome == "sent"
    assert len(sender.delivered) == 1


async def test_an_answer_that_comes_while_another_process_is_at_the_door_keeps_it_from_going_through(
    sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    """The first hands over and is slow; the second claims the repeat; then the first hears `accepted`."""
    steps: list[str] = []

    async def second_connects() -> None:
        steps.append("second connected")
        sender.when_connected = None
        # The first one's answer arrives now.
        message = await shop.message(enrolment_id)
        await sending._settle(replace(message, token="the-first"), "sent", "ok", "250")

    async def taken_for_dead() -> None:
        sender.when_taken = None
        sender.when_connected = second_connects
        clock.advance(AFTER_THE_LEASE)
        with pytest.raises(TemporaryFailure, match="CLAIM_LOST"):
            await send(sending, enrolment_id, ORDER)

    sender.when_taken = taken_for_dead

    assert (await send(sending, enrolment_id, ORDER)).outcome == "sent"
    assert steps == ["second connected"]
    assert len(sender.delivered) == 1


async def test_a_known_refusal_after_the_sweeper_undoes_its_doubt(
    sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    async def swept_then_refused() -> None:
        sender.when_handed_over = None
        clock.advance(AFTER_THE_LEASE)
        await shop.relay.sweep()
        await refuse_address()

    sender.when_handed_over = swept_then_refused

    sent = await send(sending, enrolment_id, ORDER)

    assert (sent.outcome, sent.reason) == ("failed", "ADDRESS_REFUSED")


@pytest.mark.parametrize("kind", [MARKETING, ORDER], ids=lambda kind: kind.name)
async def test_what_may_have_arrived_is_never_said_not_to_have_been_sent(
    *, store: UnitOfWork, clock: HandClock, knowing: RecordingSender, shop: Shop, enrolment_id: str, kind: MessageKind
) -> None:
    """It would be sent again, and then its journey ends, or the repeat is refused."""
    sending = facts.sending(store, clock, knowing)
    await send_and_lose(sending, knowing, enrolment_id, kind)
    await Enrolments(store, facts.book(), clock).end(enrolment_id, "ordered", "")
    message = await shop.message(enrolment_id)
    assert (message.state, message.reason) == ("in_doubt", "answer_lost")


async def test_a_repeat_that_is_refused_leaves_the_first_in_doubt(
    sending: Sending, sender: RecordingSender, enrolment_id: str
) -> None:
    await send_and_lose(sending, sender, enrolment_id, ORDER)
    sender.when_connected = refuse_address

    sent = await send(sending, enrolment_id, ORDER)

    assert (sent.outcome, sent.reason) == ("in_doubt", "answer_lost")


# A provider that knows repeats.


@pytest.mark.parametrize("kind", [MARKETING, ORDER], ids=lambda kind: kind.name)
async def test_a_provider_that_knows_repeats_resolves_a_doubt_and_nobody_counts_it(
    *, store: UnitOfWork, clock: HandClock, knowing: RecordingSender, shop: Shop, enrolment_id: str, kind: MessageKind
) -> None:
    sending = facts.sending(store, clock, knowing)
    for _ in range(4):
        assert await send_and_lose(sending, knowing, enrolment_id, kind) == "ANSWER_LOST"

    assert (await send(sending, enrolment_id, kind)).outcome == "sent"

    [email] = knowing.delivered
    assert [each == email for each in knowing.repeats] == [True] * 4
    assert (await shop.message(enrolment_id)).doubts == 0


async def test_a_process_that_died_after_the_hand_over_to_such_a_provider_leaves_no_doubt(
    *, store: UnitOfWork, clock: HandClock, knowing: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    sending = facts.sending(store, clock, knowing)
    await send_and_die(sending, knowing, enrolment_id, MARKETING)
    clock.advance(AFTER_THE_LEASE)

    assert (await send(sending, enrolment_id, MARKETING)).outcome == "sent"
    assert (len(knowing.delivered), len(knowing.repeats)) == (1, 1)


async def test_a_repeat_that_would_come_too_late_is_not_made(
    *, store: UnitOfWork, clock: HandClock, knowing: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    rules = facts.policy(message_valid_for=timedelta(days=3))
    sending = facts.sending(store, clock, knowing, rules)
    await send_and_lose(sending, knowing, enrolment_id, MARKETING)
    # The repeat itself may take as long as a lease.
    clock.advance(A_DAY - LEASE)

    sent = await send(sending, enrolment_id, MARKETING)

    assert (sent.outcome, sent.reason) == ("in_doubt", "answer_lost")
    assert knowing.sessions == 1


async def test_a_repeat_that_becomes_too_late_at_the_door_is_not_made(
    *, store: UnitOfWork, clock: HandClock, knowing: RecordingSender, enrolment_id: str
) -> None:
    sending = facts.sending(store, clock, knowing, facts.policy(message_valid_for=timedelta(days=3)))
    await send_and_lose(sending, knowing, enrolment_id, MARKETING)

    async def time_flies() -> None:
        clock.advance(A_DAY)

    knowing.when_connected = time_flies

    assert (await send(sending, enrolment_id, MARKETING)).outcome == "in_doubt"
    assert len(knowing.delivered) + len(knowing.repeats) == 1


async def test_refusals_that_are_known_do_not_lengthen_the_memory_of_the_provider(
    *, store: UnitOfWork, clock: HandClock, knowing: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    """The key counts from the first hand-over, though that one was refused."""
    sending = facts.sending(store, clock, knowing, facts.policy(message_valid_for=timedelta(days=3)))
    knowing.when_handed_over = refuse_for_now
    with pytest.raises(TemporaryFailure, match="SMTP_BUSY"):
        await send(sending, enrolment_id, MARKETING)
    knowing.when_handed_over = None
    clock.advance(timedelta(hours=20))
    await send_and_lose(sending, knowing, enrolment_id, MARKETING)
    clock.advance(timedelta(hours=4))

    assert (await send(sending, enrolment_id, MARKETING)).outcome == "in_doubt"


async def test_another_provider_knows_nothing_of_the_first_hand_over(
    *, store: UnitOfWork, clock: HandClock, knowing: RecordingSender, enrolment_id: str
) -> None:
    await send_and_lose(facts.sending(store, clock, knowing), knowing, enrolment_id, MARKETING)
    other = RecordingSender(name="another", repeat_safe_for=A_DAY)

    assert (await send(facts.sending(store, clock, other), enrolment_id, MARKETING)).outcome == "in_doubt"
    assert other.sessions == 0


async def test_a_message_that_waits_to_be_repeated_counts_for_the_cap(
    *, store: UnitOfWork, clock: HandClock, knowing: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    sending = facts.sending(store, clock, knowing)
    await send_and_lose(sending, knowing, enrolment_id, MARKETING)
    await shop.cart("cart-2")

    other = await send(sending, (await shop.enrolment("cart-2")).enrolment_id, MARKETING)

    assert (other.outcome, other.reason) == ("suppressed", "frequency_cap")


async def test_who_says_no_before_the_repeat_is_left_in_doubt_and_gets_no_repeat(
    *, store: UnitOfWork, clock: HandClock, knowing: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    sending = facts.sending(store, clock, knowing)
    await send_and_lose(sending, knowing, enrolment_id, MARKETING)
    await shop.tell("consent-withdrawn", {"customer_id": "c-1"})

    assert (await send(sending, enrolment_id, MARKETING)).outcome == "in_doubt"
    assert knowing.sessions == 1


async def test_control_a_provider_that_forgets_at_once_makes_a_second_mail(
    *, store: UnitOfWork, clock: HandClock, knowing: RecordingSender, enrolment_id: str
) -> None:
    """It says that it knows repeats and does not: the promise rests on the provider's."""
    sending = facts.sending(store, clock, knowing)
    await send_and_lose(sending, knowing, enrolment_id, MARKETING)
    forgetful = RecordingSender(name="knowing", repeat_safe_for=A_DAY)

    await send(facts.sending(store, clock, forgetful), enrolment_id, MARKETING)

    assert len(knowing.delivered) + len(forgetful.delivered) == 2


# Two processes, whichever comes when.


@pytest.mark.parametrize("kind", [MARKETING, ORDER], ids=lambda kind: kind.name)
async def test_a_clock_that_jumps_in_the_middle_of_a_send_makes_no_second_mail(
    *, sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str, kind: MessageKind
) -> None:
    """The whole day passes while the provider thinks; everybody else takes the process for dead."""

    async def a_day_passes() -> None:
        clock.advance(timedelta(days=2))
        await shop.relay.sweep()

    sender.when_taken = a_day_passes

    assert (await send(sending, enrolment_id, kind)).outcome == "sent"
    assert (await send(sending, enrolment_id, kind)).outcome == "sent"
    assert len(sender.delivered) == 1


async def test_an_answer_of_another_hand_over_does_not_fail_a_message(
    sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, enrolment_id: str
) -> None:
    """The first is refused so late that the second has been accepted."""

    async def overtaken_then_refused() -> None:
        sender.when_handed_over = None
        clock.advance(AFTER_THE_LEASE)
        assert (await send(sending, enrolment_id, ORDER)).outcome == "sent"
        await refuse_for_now()

    sender.when_handed_over = overtaken_then_refused

    with pytest.raises(TemporaryFailure, match="SMTP_BUSY"):
        await send(sending, enrolment_id, ORDER)
    assert (await shop.message(enrolment_id)).state == "sent"
    assert len(sender.delivered) == 1


async def test_a_coupon_is_handed_out_once_however_often_its_message_is_repeated(
    *, store: UnitOfWork, clock: HandClock, knowing: RecordingSender, shop: Shop, enrolment_id: str
) -> None:
    sending = facts.sending(store, clock, knowing)

    def reserve(tx: Transaction) -> None:
        tx.coupons.save(facts.coupon(enrolment_id, clock.now()))
        tx.coupons.set_budget_use("cart-10", tx.coupons.budget_use("cart-10").and_one(200, "EUR"))

    await store.run(reserve)
    for answer in (lose_answer, lose_answer, None):
        knowing.when_taken = answer
        clock.advance(timedelta(minutes=1))
        try:
            await sending.send(
                enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id="coupon-1"
            )
        except TemporaryFailure:
            assert answer is lose_answer

    coupon = await store.read(lambda tx: tx.coupons.get("coupon-1"))
    assert coupon is not None
    assert (coupon.state, coupon.issued_at) == ("issued", clock.now())
    assert all("AAAA-BBBB-CCCC" in email.text for email in (*knowing.delivered, *knowing.repeats))
