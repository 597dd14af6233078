"""A provider that is down is left alone, found back by one try at a time, and nothing is lost meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.breaker import CircuitBreaker, Passage
from waggle.services.sending import Sending
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender, lose_answer, refuse_address, refuse_for_now
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio


@pytest.fixture
def breaker(clock: HandClock) -> CircuitBreaker:
    """Without jitter: rests are as long as they can be."""
    return CircuitBreaker("smtp", clock, draw=lambda: 1.0)


def fail(breaker: CircuitBreaker, times: int = 1, retry_after_s: float = 0.0) -> None:
    for _ in range(times):
        with breaker.admit() as passage:
            passage.failed(retry_after_s)


def state(breaker: CircuitBreaker) -> str:
    """Return the state anew: what was seen before says nothing about it."""
    return breaker.state


def refused_for_s(breaker: CircuitBreaker) -> float:
    with pytest.raises(TemporaryFailure, match="PROVIDER_RESTING") as resting, breaker.admit():
        pass
    return resting.value.retry_after_s


def test_four_failures_and_an_answer_open_nothing(breaker: CircuitBreaker) -> None:
    for _ in range(3):
        fail(breaker, 4)
        with breaker.admit() as passage:
            passage.answered()

    assert state(breaker) == "closed"


def test_the_fifth_failure_in_a_row_opens_it_and_says_for_how_long(breaker: CircuitBreaker) -> None:
    fail(breaker, 5)

    assert (breaker.name, state(breaker)) == ("smtp", "open")
    # Up to a quarter later than the rest ends, so that not all come at once.
    assert refused_for_s(breaker) == 12.5


def test_rests_grow_to_a_minute_and_begin_anew_after_an_answer(breaker: CircuitBreaker, clock: HandClock) -> None:
    fail(breaker, 5)
    rests_s = []
    for _ in range(5):
        rest_s = refused_for_s(breaker) / 1.25
        rests_s.append(rest_s)
        clock.advance(timedelta(seconds=rest_s))
        fail(breaker)
    assert rests_s == [10, 20, 40, 60, 60]
    clock.advance(timedelta(seconds=60))
    with breaker.admit() as passage:
        passage.answered()
    assert state(breaker) == "closed"

    fail(breaker, 5)

    assert refused_for_s(breaker) == 12.5


def test_a_longer_rest_that_the_provider_asks_for_is_given(breaker: CircuitBreaker) -> None:
    fail(breaker, 5, retry_after_s=300)

    assert refused_for_s(breaker) == 375


def test_after_the_rest_one_probe_at_a_time_is_let_through(breaker: CircuitBreaker, clock: HandClock) -> None:
    fail(breaker, 5)
    clock.advance(timedelta(seconds=10))

    with breaker.admit() as probe:
        assert state(breaker) == "probing"
        assert refused_for_s(breaker) > 0
        probe.answered()

    assert state(breaker) == "closed"


@pytest.mark.parametrize("end", [asyncio.CancelledError, KeyboardInterrupt, ZeroDivisionError])
def test_a_probe_that_ends_without_a_word_frees_its_place(
    breaker: CircuitBreaker, clock: HandClock, end: type[BaseException]
) -> None:
    fail(breaker, 5)
    clock.advance(timedelta(seconds=10))
    with pytest.raises(end), breaker.admit():
        raise end

    assert state(breaker) == "open"
    with breaker.admit():
        assert state(breaker) == "probing"


def test_what_was_under_way_when_it_opened_does_not_lengthen_the_rest(
    breaker: CircuitBreaker, clock: HandClock
) -> None:
    with breaker.admit() as late:
        fail(breaker, 5)
        clock.advance(timedelta(seconds=5))
        late.failed()

    assert refused_for_s(breaker) == 6.25


def test_an_answer_to_what_was_under_way_closes_it(breaker: CircuitBreaker) -> None:
    with breaker.admit() as late:
        fail(breaker, 5)
        late.answered()

    assert state(breaker) == "closed"


class Outage:
    """Lets mails through except while it lasts, and counts how many are at the provider at a time."""

    def __init__(self, failure: Callable[[], Awaitable[None]]) -> None:
        self._failure = failure
        self.lasts = False
        self.present = self.most_present = self.tries = 0

    async def __call__(self) -> None:
        self.present += 1
        self.tries += 1
        self.most_present = max(self.most_present, self.present)
        try:
            # Others get their turn while this one is there.
            await asyncio.sleep(0)
            if self.lasts:
                await self._failure()
        finally:
            self.present -= 1


async def carts(shop: Shop, count: int) -> list[str]:
    for number in range(count):
        await shop.customer(f"c-{number}")
        await shop.cart(f"cart-{number}", f"c-{number}")
    return [(await shop.enrolment(f"cart-{number}")).enrolment_id for number in range(count)]


async def send_all(sending: Sending, enrolments: list[str]) -> list[str]:
    async def one(enrolment_id: str) -> str:
        try:
            sent = await sending.send(
                enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
            )
        except TemporaryFailure as failure:
            return failure.code
        return sent.outcome

    return await asyncio.gather(*(one(each) for each in enrolments))


async def test_an_hour_without_provider_fails_nothing_and_ends_with_every_mail_sent_once(
    *, shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    enrolments = await carts(shop, 12)
    sending = facts.sending(store, clock, sender)
    outage = Outage(refuse_for_now)
    sender.when_connected = outage
    outage.lasts = True
    assert set(await send_all(sending, enrolments)) == {"SMTP_BUSY"}
    assert state(sending.breaker) == "open"
    outage.most_present = outage.tries = 0

    for _ in range(360):
        clock.advance(timedelta(seconds=10))
        assert set(await send_all(sending, enrolments)) <= {"PROVIDER_RESTING", "SMTP_BUSY"}

    assert outage.most_present == 1
    assert 60 <= outage.tries <= 80
    outage.lasts = False
    clock.advance(timedelta(seconds=75))
    for _ in range(2):
        await send_all(sending, enrolments)
    assert await send_all(sending, enrolments) == ["sent"] * 12
    assert len({email.message_id for email in sender.delivered}) == len(sender.delivered) == 12
    assert state(sending.breaker) == "closed"


class NeverOpen(CircuitBreaker):
    """Lets everybody through, whatever the provider says."""

    def _failed(self, passage: Passage, retry_after_s: float) -> None:
        """Take no note."""


async def test_control_without_a_breaker_all_knock_at_a_provider_that_is_down(
    *, shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    enrolments = await carts(shop, 12)
    sending = facts.sending(store, clock, sender)
    sending.breaker = NeverOpen("recording", clock)
    sender.when_connected = outage = Outage(refuse_for_now)
    outage.lasts = True

    for _ in range(6):
        assert set(await send_all(sending, enrolments)) == {"SMTP_BUSY"}
        clock.advance(timedelta(seconds=10))

    assert outage.most_present > 1
    assert outage.tries == 6 * 12


async def test_while_it_rests_nothing_is_stored_and_no_attempt_counted(
    *, shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    [first, *others, last] = await carts(shop, 6)
    sending = facts.sending(store, clock, sender)
    sender.when_connected = refuse_for_now
    for each in (first, *others):
        await send_all(sending, [each])
    before = await shop.message(first)

    assert await send_all(sending, [first, last]) == ["PROVIDER_RESTING"] * 2

    assert await shop.message(first) == before

    def row(tx: Transaction) -> object:
        return tx.messages.get(last, "first-mail")

    assert await store.read(row) is None
    assert sender.sessions == 5


async def test_another_provider_goes_on_as_ever(
    *, shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    [*some, last] = await carts(shop, 6)
    broken, whole = facts.sending(store, clock, sender), facts.sending(store, clock, RecordingSender(name="other"))
    sender.when_connected = refuse_for_now
    for each in some:
        await send_all(broken, [each])

    assert await send_all(broken, [last]) == ["PROVIDER_RESTING"]
    assert await send_all(whole, [last]) == ["sent"]


@pytest.mark.parametrize(
    ("answer", "end"), [(lose_answer, "open"), (refuse_for_now, "open"), (refuse_address, "closed")]
)
async def test_a_lost_answer_is_a_failure_of_the_provider_and_a_clear_no_is_none(
    *,
    shop: Shop,
    store: UnitOfWork,
    clock: HandClock,
    sender: RecordingSender,
    answer: Callable[[], Awaitable[None]],
    end: str,
) -> None:
    sending = facts.sending(store, clock, sender)
    sender.when_handed_over = answer

    for each in await carts(shop, 5):
        await send_all(sending, [each])

    assert state(sending.breaker) == end


async def test_what_we_ourselves_refuse_at_the_door_says_nothing_about_the_provider(
    *, shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    sending = facts.sending(store, clock, sender)
    enrolments = await carts(shop, 6)

    async def news() -> None:
        await shop.send("consent-withdrawn", {"customer_id": "c-0"})

    for _ in range(6):
        sender.when_connected = news
        assert await send_all(sending, enrolments[:1]) == ["FACTS_PENDING"]
        sender.when_connected = None
        await shop.relay.apply_events()
        await shop.tell("consent-given", {"customer_id": "c-0"}, at=clock.now() + timedelta(seconds=1))
        clock.advance(timedelta(seconds=2))

    assert state(sending.breaker) == "closed"
