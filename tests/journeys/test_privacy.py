"""The journeys that answer customers about their data, and the double opt-in, end to end on the real engine."""

import io
import json
import re
import zipfile
from email.message import EmailMessage

import pytest

from waggle.storage.dump import read_tables
from waggle.testing.journeys import House

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def action_in(mail: EmailMessage) -> str:
    [token] = re.findall(r"/o/([\w.-]+)", text_of(mail))
    return str(token)


async def answered(house: House) -> None:
    """Wait until no journey goes on: a task that waits for the relay is handed out again only after seconds."""
    for _ in range(24):
        await house.settle()
        if not await house.simulation.open_journeys():
            return
        await house.wait(seconds=5)


async def ended(house: House, journey: str, key: str) -> tuple[str, str | None]:
    await answered(house)
    enrolment = await house.app.store.read(lambda tx: tx.enrolments.newest(journey, key))
    assert enrolment is not None
    return enrolment.outcome or enrolment.state, enrolment.outcome_reason


async def test_who_signs_up_is_asked_once_more_and_then_gets_what_they_wanted(house: House) -> None:
    await house.shopper("ada", consent=False)
    await house.tell("consent-requested", customer_id="ada", text_version="marketing-email-1.en")
    await house.settle()
    [asked] = house.mails()
    assert asked["List-Unsubscribe"] is None
    question = await house.app.privacy.one_time_actions.describe(action_in(asked))
    assert question is not None

    assert await house.app.privacy.one_time_actions.perform(action_in(asked)) is not None
    await house.settle()

    assert await ended(house, "double-opt-in", "ada:marketing:email") == ("confirmed", "")
    standing = await house.app.privacy.consents.of("ada", house.now())
    assert [(each.state, each.mechanism) for each in standing] == [("granted", "double_opt_in")]


async def test_a_subscription_that_nobody_confirms_is_forgotten_after_a_week(house: House) -> None:
    await house.shopper("ada", consent=False)
    await house.tell("consent-requested", customer_id="ada")
    await house.settle()
    [asked] = house.mails()

    await house.wait(days=7, minutes=1)

    assert await ended(house, "double-opt-in", "ada:marketing:email") == ("unconfirmed", "")
    assert await house.app.privacy.consents.of("ada", house.now()) == []
    assert await house.app.privacy.one_time_actions.perform(action_in(asked)) is None


async def test_who_asks_to_be_forgotten_on_the_page_confirms_it_by_mail_and_is(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.wait(minutes=25)
    [first] = house.mails()
    [page] = re.findall(r"/p/([\w.-]+)", text_of(first))
    assert await house.app.privacy.preference_centre.wish(page, "erasure")
    await house.settle()
    _, asked = house.mails()

    assert await house.app.privacy.one_time_actions.perform(action_in(asked)) is not None
    await answered(house)

    _, _, goodbye = house.mails()
    assert "erasing" in goodbye["Subject"]
    [request] = await house.app.privacy.requests.list(all_states=True)
    assert (request.state, request.outcome) == ("done", "erased")
    assert await ended(house, "customer-erasure", request.request_id) == ("erased", "")
    assert await house.outcome("cart-1") == ("customer_erased", "")
    assert await house.app.privacy.preference_centre.view(page) is None
    await house.wait(days=3)
    assert len(house.mails()) == 3
    stored = json.dumps(
        read_tables(house.app.settings.database_url, ["customers", "events", "consents", "one_time_links", "messages"]),
        default=str,
    )
    assert "ada@example.com" not in stored


async def test_an_erasure_that_is_not_confirmed_leaves_everything_as_it_was(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.wait(minutes=25)
    [page] = re.findall(r"/p/([\w.-]+)", text_of(house.mails()[0]))
    await house.app.privacy.preference_centre.wish(page, "erasure")

    await house.wait(days=7, minutes=1)

    [request] = await house.app.privacy.requests.list(all_states=True)
    assert (request.state, request.outcome) == ("refused", "unconfirmed")
    assert await house.app.privacy.preference_centre.view(page) is not None


async def test_who_asks_for_their_data_gets_a_link_that_brings_it_once(house: House) -> None:
    await house.shopper("ada")
    await house.settle()
    line = await house.app.privacy.requests.open("access", "ada", source="cli", by="kim")
    await house.settle()
    [mail] = house.mails()

    done = await house.app.privacy.one_time_actions.perform(action_in(mail))

    assert done is not None
    assert done.archive is not None
    with zipfile.ZipFile(io.BytesIO(done.archive)) as packed:
        assert b"ada@example.com" in packed.read("data/customers.jsonl")
    assert await house.app.privacy.one_time_actions.perform(action_in(mail)) is None
    assert await ended(house, "customer-access", line.request_id) == ("delivered", "")


async def test_a_request_that_no_mail_can_answer_is_left_to_people_who_are_told(house: House) -> None:
    await house.tell("customer-identified", customer_id="ada", first_name="Ada")
    await house.settle()
    line = await house.app.privacy.requests.open("access", "ada", source="cli", by="kim")
    await house.settle()

    assert await ended(house, "customer-access", line.request_id) == ("left_to_people", "")
    [still] = await house.app.privacy.requests.list()
    assert still.state == "open"
    entries = await house.app.store.read(lambda tx: tx.audit.of_subject(line.request_id))
    assert "privacy-request-escalated" in {each.action for each in entries}


async def test_a_new_address_is_asked_before_it_counts(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.wait(minutes=25)
    [page] = re.findall(r"/p/([\w.-]+)", text_of(house.mails()[0]))
    await house.app.privacy.preference_centre.change_email(page, "new@example.com")
    await house.settle()
    _, asked = house.mails()
    assert asked["To"] == "new@example.com"

    await house.app.privacy.one_time_actions.perform(action_in(asked))
    for _ in range(6):
        await house.wait(seconds=5)

    customer = await house.app.store.read(lambda tx: tx.customers.get("ada"))
    assert customer is not None
    assert customer.email == "new@example.com"
    assert await house.app.privacy.preference_centre.view(page) is None


async def test_an_objection_is_heeded_and_confirmed_by_mail(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.settle()
    line = await house.app.privacy.requests.open("objection", "ada", source="cli", by="kim")
    await house.settle()

    assert await ended(house, "customer-objection", line.request_id) == ("applied", "")
    assert await house.outcome("cart-1") == ("consent_withdrawn", "")
    [mail] = house.mails()
    assert mail["To"] == "ada@example.com"
