import pytest

from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.services.effects import Effects
from waggle.services.mailed_tickets import MailedTickets
from waggle.services.tickets import Tickets
from waggle.testing.email import RecordingSender, lose_answer, refuse_address, refuse_for_now
from waggle.testing.facts import Shop
from workers.open_ticket import OpenTicket, open_ticket

pytestmark = pytest.mark.anyio


async def open_one(shop: Shop, sender: RecordingSender, enrolment_id: str, topic: str = "Low survey score") -> str:
    desk = MailedTickets(sender, address="help@shop.example", written_by="Shop <a@shop.example>", domain="shop.example")
    tickets = Tickets(shop.store, Effects(shop.store, shop.clock), desk)
    job = OpenTicket(enrolment_id=enrolment_id, step="ticket", topic=topic, priority="high", score=3)
    return (await open_ticket(job, tickets)).ticket_outcome


async def test_the_helpdesk_gets_references_and_nothing_that_says_who_it_is(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    assert await open_one(shop, sender, enrolment_id) == "done"

    [email] = sender.delivered
    assert (email.to, email.subject) == ("help@shop.example", "[high] Low survey score")
    assert "Score: 3 of 10" in email.text
    assert "Customer: c-1" in email.text
    assert "<td>Customer</td><td>c-1</td>" in email.html
    assert "Ada" not in email.text + email.html
    assert "c-1@example.com" not in email.text + email.html
    assert (email.list_id, email.unsubscribe_url) == (None, None)


async def test_a_repeated_job_opens_no_second_ticket(shop: Shop, sender: RecordingSender, enrolment_id: str) -> None:
    assert [await open_one(shop, sender, enrolment_id) for _ in range(2)] == ["done", "done"]
    assert len(sender.delivered) == 1


async def test_a_busy_mail_server_is_tried_again_later(shop: Shop, sender: RecordingSender, enrolment_id: str) -> None:
    sender.when_connected = refuse_for_now
    with pytest.raises(TemporaryFailure):
        await open_one(shop, sender, enrolment_id)
    sender.when_connected = None

    assert await open_one(shop, sender, enrolment_id) == "done"


async def test_a_refused_address_ends_the_effect_and_the_journey_goes_on(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    sender.when_connected = refuse_address

    assert await open_one(shop, sender, enrolment_id) == "failed"


async def test_a_lost_answer_is_listed_and_not_tried_again(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    sender.when_taken = lose_answer

    assert [await open_one(shop, sender, enrolment_id) for _ in range(2)] == ["in_doubt", "in_doubt"]
    assert len(sender.delivered) == 1
    assert [effect.kind for effect in await Effects(shop.store, shop.clock).in_doubt()] == ["open-ticket"]


@pytest.mark.parametrize("topic", ["", "two\nlines", "of ada@example.com", "x" * 101])
async def test_a_topic_is_one_short_line_without_an_address(
    shop: Shop, sender: RecordingSender, enrolment_id: str, topic: str
) -> None:
    with pytest.raises(PermanentFailure, match="TOPIC_REFUSED"):
        await open_one(shop, sender, enrolment_id, topic)
    assert sender.sessions == 0
