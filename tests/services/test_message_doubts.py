"""A person has the last word on a message in doubt, once, and it stays known who said it and why."""

from dataclasses import replace
from datetime import timedelta

import pytest

from waggle.domain.message import Message
from waggle.errors import Rejected
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.message_doubts import Doubts, Verdict
from waggle.services.sending import Sending, Sent
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender, lose_answer
from waggle.testing.facts import LEASE, Shop

pytestmark = pytest.mark.anyio

AFTER_THE_LEASE = LEASE + timedelta(seconds=1)


@pytest.fixture
def doubts(store: UnitOfWork, clock: HandClock) -> Doubts:
    return Doubts(store, clock)


async def send(sending: Sending, enrolment_id: str, coupon_id: str | None = None) -> Sent:
    return await sending.send(
        enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=coupon_id
    )


async def in_doubt(sending: Sending, sender: RecordingSender, shop: Shop, enrolment_id: str) -> Message:
    sender.when_taken = lose_answer
    await send(sending, enrolment_id)
    sender.when_taken = None
    return await shop.message(enrolment_id)


async def audit(store: UnitOfWork, subject: str) -> list[AuditEntry]:
    return await store.read(lambda tx: tx.audit.of_subject(subject))


async def test_what_is_in_doubt_is_listed_without_the_person(
    sending: Sending, sender: RecordingSender, shop: Shop, doubts: Doubts, enrolment_id: str
) -> None:
    message = await in_doubt(sending, sender, shop, enrolment_id)

    [line] = await doubts.in_doubt()

    assert (line.message_id, line.enrolment_id, line.journey) == (message.message_id, enrolment_id, "abandoned-cart")
    assert (line.step, line.state, line.reason, line.provider) == ("first-mail", "in_doubt", "ANSWER_LOST", "recording")
    assert line.handed_over_at == shop.clock.now()
    # Ids made by chance may hold anything.
    assert "c-1" not in repr(replace(line, message_id="", enrolment_id=""))
    assert await doubts.newest(10) == [line]


@pytest.mark.parametrize("verdict", ["sent", "failed"])
async def test_a_person_settles_a_doubt_once_and_the_audit_log_keeps_who_and_why(
    *,
    sending: Sending,
    sender: RecordingSender,
    shop: Shop,
    store: UnitOfWork,
    doubts: Doubts,
    enrolment_id: str,
    verdict: Verdict,
) -> None:
    message = await in_doubt(sending, sender, shop, enrolment_id)

    await doubts.settle(message.message_id, verdict, by="kim", why="log of the mail server, 2026-03-01 12:00")

    settled = await shop.message(enrolment_id)
    assert (settled.state, settled.reason) == (verdict, "settled_by_hand")
    assert await doubts.in_doubt() == []
    entry = AuditEntry(
        at=shop.clock.now(),
        actor="kim",
        action="message-settled",
        subject=message.message_id,
        why="log of the mail server, 2026-03-01 12:00",
        detail={"from": "in_doubt", "to": verdict, "reason": "ANSWER_LOST"},
    )
    assert await audit(store, message.message_id) == [entry]
    with pytest.raises(Rejected, match="MESSAGE_NOT_IN_DOUBT"):
        await doubts.settle(message.message_id, "sent", by="lou", why="again")
    assert await audit(store, message.message_id) == [entry]
    assert (await send(sending, enrolment_id)).outcome == verdict
    assert len(sender.delivered) == 1


async def test_only_what_is_in_doubt_can_be_settled(
    sending: Sending, shop: Shop, store: UnitOfWork, doubts: Doubts, enrolment_id: str
) -> None:
    await send(sending, enrolment_id)
    message = await shop.message(enrolment_id)

    with pytest.raises(Rejected, match="MESSAGE_NOT_IN_DOUBT"):
        await doubts.settle(message.message_id, "failed", by="kim", why="a guess")
    with pytest.raises(Rejected, match="MESSAGE_UNKNOWN"):
        await doubts.settle("nothing", "failed", by="kim", why="a guess")
    assert (await shop.message(enrolment_id)).state == "sent"
    assert await audit(store, message.message_id) == []


async def test_an_answer_that_comes_after_a_persons_word_changes_nothing(
    *, sending: Sending, sender: RecordingSender, shop: Shop, clock: HandClock, doubts: Doubts, enrolment_id: str
) -> None:
    async def settled_by_hand() -> None:
        clock.advance(AFTER_THE_LEASE)
        await shop.relay.sweep()
        await doubts.settle((await shop.message(enrolment_id)).message_id, "failed", by="kim", why="not in the log")

    sender.when_taken = settled_by_hand

    assert (await send(sending, enrolment_id)).outcome == "failed"


@pytest.mark.parametrize(
    "words",
    ["", " ", "asked ada@example.com", "called +48 601 234 567", "601-234-567 said so", "x" * 501, "two\nlines"],
)
async def test_words_that_may_name_a_shopper_are_refused(
    *, sending: Sending, sender: RecordingSender, shop: Shop, doubts: Doubts, enrolment_id: str, words: str
) -> None:
    message = await in_doubt(sending, sender, shop, enrolment_id)

    for by, why in (("kim", words), (words, "listed in the log")):
        with pytest.raises(Rejected, match="WORDS_REFUSED") as refused:
            await doubts.settle(message.message_id, "sent", by=by, why=why)
        assert not words.strip() or words not in str(refused.value)
    assert (await shop.message(enrolment_id)).state == "in_doubt"


async def with_coupon(shop: Shop, sending: Sending, sender: RecordingSender, enrolment_id: str) -> Message:
    """Return a message in doubt that promises a coupon."""

    def reserve(tx: Transaction) -> None:
        coupon = facts.coupon(enrolment_id, shop.clock.now())
        tx.coupons.save(coupon)
        tx.coupons.set_budget_use(
            coupon.campaign, tx.coupons.budget_use(coupon.campaign).and_one(coupon.cost_minor, "EUR")
        )

    await shop.store.run(reserve)
    sender.when_taken = lose_answer
    await send(sending, enrolment_id, "coupon-1")
    sender.when_taken = None
    return await shop.message(enrolment_id)


@pytest.mark.parametrize(("verdict", "state", "count"), [("sent", "issued", 1), ("failed", "reversed", 0)])
async def test_the_coupon_follows_what_a_person_found_out(
    *,
    sending: Sending,
    sender: RecordingSender,
    shop: Shop,
    doubts: Doubts,
    enrolment_id: str,
    verdict: Verdict,
    state: str,
    count: int,
) -> None:
    message = await with_coupon(shop, sending, sender, enrolment_id)

    await doubts.settle(message.message_id, verdict, by="kim", why="listed in the log")

    coupon = await shop.store.read(lambda tx: tx.coupons.get("coupon-1"))
    assert coupon is not None
    assert coupon.state == state
    assert (await shop.store.read(lambda tx: tx.coupons.budget_use("cart-10"))).count == count


async def test_a_coupon_that_was_used_proves_that_its_message_arrived(
    sending: Sending, sender: RecordingSender, shop: Shop, doubts: Doubts, enrolment_id: str
) -> None:
    message = await with_coupon(shop, sending, sender, enrolment_id)
    await shop.order(coupon_code="AAAA-BBBB-CCCC")

    with pytest.raises(Rejected, match="COUPON_REDEEMED"):
        await doubts.settle(message.message_id, "failed", by="kim", why="not in the log")
    await doubts.settle(message.message_id, "sent", by="kim", why="the coupon was used")
