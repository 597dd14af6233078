"""What is read for many messages at once says of each what it would have been told alone."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event

from waggle.domain.message import Message
from waggle.domain.sending_rules import Verdict
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.message_checks import check
from waggle.services.message_reads import prepare_claims, prepare_hand_overs
from waggle.storage.store import Store
from waggle.testing import facts
from waggle.testing.campaigns import CampaignStage, stage
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio

WHO = ("plain", "twin-1", "twin-2", "bounced", "unengaged", "back", "restricted", "erased", "written-to", "in-line")


async def people(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    """One of each kind that a check tells apart."""
    for name in WHO:
        await shop.customer(name)
    await shop.tell("customers-merged", {"customer_id": "twin-1", "merged_customer_id": "twin-2"})

    def suppress(tx: Transaction) -> None:
        tx.suppressions.add("bounced", "email", "bounced", clock.now())
        tx.suppressions.add("unengaged", "email", "unengaged", clock.now())
        tx.suppressions.add("back", "email", "unengaged", clock.now())

    await store.run(suppress)
    clock.advance(timedelta(minutes=1))
    await shop.tell("consent-given", {"customer_id": "back"})
    await shop.tell("customer-restricted", {"customer_id": "restricted"})
    await shop.tell("customer-erased", {"customer_id": "erased"})
    await shop.customer("again", email="erased@example.com")


async def planned(played: CampaignStage, shop: Shop) -> list[Message]:
    """Return the messages of a campaign to everybody."""
    enrolment_id = await played.begin(shop)
    await played.running.send_stretch(enrolment_id, timedelta(0))
    found = await played.store.read(lambda tx: tx.messages.of_enrolment(enrolment_id))
    # Who is forgotten is not planned any more, and may have been before.
    return [*found, replace(found[0], message_id="of-erased", step="recipient:of-erased", customer_id="erased")]


async def test_the_checks_say_the_same(
    shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    await people(shop, store, clock)
    played = stage(store, clock, sender)
    messages = await planned(played, shop)
    rules, now = facts.policy(), clock.now()
    since = now - rules.cap_window

    def write_to_one(tx: Transaction) -> None:
        of_one = next(message for message in messages if message.customer_id == "written-to")
        tx.messages.save(replace(of_one, message_id="before", step="recipient:before", state="claimed"))
        tx.messages.save(messages[-1])

    await store.run(write_to_one)
    await shop.send("cart-updated", {"cart_id": "c", "customer_id": "in-line", "currency": "EUR", "items": []})

    def verdicts(tx: Transaction) -> dict[str | None, tuple[Verdict, bool, int]]:
        return {
            message.customer_id: (
                check(tx, message, rules, now),
                tx.events.any_pending(tx.identities.all_of(message.customer_id or "")),
                len(tx.loyalty.of_customer(message.customer_id or "")),
            )
            for message in messages
        }

    apart = await store.read(verdicts)

    def claims(tx: Transaction) -> dict[str | None, tuple[Verdict, bool, int]]:
        prepare_claims(tx, [(message.enrolment_id, message.step) for message in messages], since)
        return verdicts(tx)

    def hand_overs(tx: Transaction) -> dict[str | None, tuple[Verdict, bool, int]]:
        prepare_hand_overs(tx, [message.message_id for message in messages], since)
        return verdicts(tx)

    assert await store.read(claims) == apart
    assert await store.read(hand_overs) == apart
    reasons = {customer_id: verdict.reason for customer_id, (verdict, _, _) in apart.items()}
    assert reasons == {
        "plain": "",
        "twin-1": "",
        "bounced": "suppressed",
        "unengaged": "suppressed",
        "back": "",
        "restricted": "customer_restricted",
        "erased": "customer_erased",
        "written-to": "frequency_cap",
        "in-line": "",
        "again": "suppressed",  # by what is kept of the address
    }
    assert [customer_id for customer_id, (_, pending, _) in apart.items() if pending] == ["in-line"]


async def test_two_messages_to_one_person_in_one_transaction_meet_the_cap(
    shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    for number in range(6):
        await shop.customer(f"c-{number}")
    played = stage(store, clock, sender)
    first, second = await played.begin(shop, "news-1"), await played.begin(shop, "news-2")

    await asyncio.gather(played.send_all(first), played.send_all(second))

    assert Counter(mail.to for mail in sender.delivered) == {f"c-{number}@example.com": 1 for number in range(6)}
    ended = Counter([*(await played.states(first)).values(), *(await played.states(second)).values()])
    assert ended == {"sent": 6, "suppressed: frequency_cap": 6}


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        seen.append(statement)

    event.listen(store._engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(store._engine, "before_cursor_execute", note)


async def test_many_recipients_do_not_cost_a_statement_for_each_check(
    shop: Shop, store: Store, clock: HandClock, sender: RecordingSender
) -> None:
    for number in range(16):
        await shop.customer(f"c-{number}")
    played = stage(store, clock, sender)
    enrolment_id = await played.begin(shop)
    await played.running.send_stretch(enrolment_id, timedelta(0))  # plans

    with statements(store) as seen:
        assert await played.send_all(enrolment_id) == 16

    reads = [statement for statement in seen if statement.startswith("SELECT")]
    assert len(reads) < 5 * 16
