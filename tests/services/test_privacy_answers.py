"""What customers ask about their data is opened once, answered, and written down; erased is erased."""

import io
import json
import zipfile
from datetime import timedelta

import msgspec
import pytest

from waggle.domain.privacy import LegalHold, LinkKind, OneTimeLink
from waggle.errors import PermanentFailure, Rejected, TemporaryFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.resources import shipped
from waggle.services.consent_texts import load_consent_texts
from waggle.services.consents import objects, restricted
from waggle.services.erasing import Erasing
from waggle.services.exporting import Exporting
from waggle.services.one_time_actions import OneTimeActions
from waggle.services.personal_links import token_hash
from waggle.services.privacy_answers import PrivacyAnswers
from waggle.services.privacy_map import load_privacy_map
from waggle.services.privacy_requests import PrivacyRequestBook, open_request
from waggle.services.sending import Sending
from waggle.storage.dump import read_tables
from waggle.storage.tables import metadata
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio

MAP = load_privacy_map(shipped("config"))


@pytest.fixture
def book(store: UnitOfWork, clock: HandClock) -> PrivacyRequestBook:
    return PrivacyRequestBook(store, clock)


@pytest.fixture
def answers(store: UnitOfWork, clock: HandClock) -> PrivacyAnswers:
    return PrivacyAnswers(store, clock)


@pytest.fixture
def exporting(store: UnitOfWork, clock: HandClock) -> Exporting:
    return Exporting(store, MAP, clock)


@pytest.fixture
def actions(store: UnitOfWork, clock: HandClock) -> OneTimeActions:
    texts = load_consent_texts(shipped("config"))
    return OneTimeActions(store, clock, shop_name="Hive & Honey", texts=texts, public_url="https://go.shop.example")


async def test_a_request_is_due_in_a_month_and_the_same_wish_is_the_same_request(
    book: PrivacyRequestBook, shop: Shop, clock: HandClock
) -> None:
    await shop.customer()
    first = await book.open("access", "c-1", source="cli", by="kim")
    again = await book.open("access", "c-1", source="api", by="lee")

    assert again.request_id == first.request_id
    assert first.due_at == clock.now() + timedelta(days=30)
    assert [each.request_id for each in await book.list()] == [first.request_id]


async def test_nobody_opens_a_request_for_a_customer_who_is_not_known(book: PrivacyRequestBook) -> None:
    with pytest.raises(Rejected, match="CUSTOMER_UNKNOWN"):
        await book.open("access", "c-9", source="cli", by="kim")


async def test_a_request_that_was_not_answered_in_time_is_overdue(
    book: PrivacyRequestBook, shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.customer()
    line = await book.open("access", "c-1", source="cli", by="kim")
    clock.advance(timedelta(days=31))

    assert (await book.list())[0].overdue
    assert await store.read(lambda tx: tx.privacy_requests.count_overdue(clock.now())) == 1
    await book.done(line.request_id, outcome="answered", by="kim", why="on paper")
    assert await store.read(lambda tx: tx.privacy_requests.count_overdue(clock.now())) == 0
    entries = await store.read(lambda tx: tx.audit.of_subject(line.request_id))
    assert [(each.action, each.actor) for each in entries] == [
        ("privacy-request-opened", "kim"),
        ("privacy-request-closed", "kim"),
    ]


async def test_the_copy_holds_everything_told_and_says_so_itself(
    book: PrivacyRequestBook, exporting: Exporting, store: UnitOfWork, shop: Shop, clock: HandClock
) -> None:
    await shop.customer(email="ada.lovelace@example.com", first_name="Ada <i>")
    await shop.cart()
    await shop.order("o-1", customer_id="c-1")
    line = await book.open("access", "c-1", source="cli", by="kim")
    size = await exporting.collect(line.request_id)
    kept = await store.read(lambda tx: tx.exports.get(line.request_id))

    assert kept is not None
    assert kept.archive is not None
    assert len(kept.archive) == size
    with zipfile.ZipFile(io.BytesIO(kept.archive)) as packed:
        files = {name: packed.read(name).decode() for name in packed.namelist()}
    manifest = json.loads(files["manifest.json"])
    assert manifest["schema_version"] == 1
    assert manifest["controller"] == "The shop"
    assert set(manifest["sha256"]) == set(files) - {"manifest.json"}
    assert "ada.lovelace@example.com" in files["data/customers.jsonl"]
    assert "ada.lovelace@example.com" in files["data/events.jsonl"]
    assert '"honey"' in files["data/carts.jsonl"]
    assert "data/orders.jsonl" in files
    assert "Ada &lt;i&gt;" in files["index.html"]
    assert "<script" not in files["index.html"]


async def test_the_copy_lies_in_the_database_encrypted(
    book: PrivacyRequestBook, exporting: Exporting, shop: Shop, database_url: str
) -> None:
    await shop.customer()
    line = await book.open("access", "c-1", source="cli", by="kim")
    await exporting.collect(line.request_id)
    [row] = read_tables(database_url, ["exports"])["exports"]

    assert not row["archive"].startswith("UEsD")


async def test_a_copy_is_fetched_once_and_only_within_a_day(
    *,
    book: PrivacyRequestBook,
    exporting: Exporting,
    actions: OneTimeActions,
    store: UnitOfWork,
    shop: Shop,
    clock: HandClock,
) -> None:
    await shop.customer()
    line = await book.open("access", "c-1", source="cli", by="kim")

    async def link(token: str) -> None:
        await exporting.collect(line.request_id)
        await store.run(lambda tx: tx.one_time_links.add(_link(token, "download", line.request_id, clock)))

    await link("one")
    assert (await actions.describe("one")) is not None
    done = await actions.perform("one")
    assert done is not None
    assert done.archive is not None
    assert await actions.perform("one") is None
    await link("two")
    clock.advance(timedelta(hours=24))
    assert await actions.perform("two") is None
    assert await store.run(lambda tx: tx.exports.drop_archives(clock.now() + timedelta(seconds=1), 10)) == 1


def _link(token: str, kind: LinkKind, subject: str, clock: HandClock) -> OneTimeLink:
    return OneTimeLink(
        token_sha256=token_hash(token),
        kind=kind,
        customer_id="c-1",
        subject=subject,
        payload="c-1@example.com",
        made_at=clock.now(),
        expires_at=clock.now() + timedelta(days=7),
    )


async def test_a_subscription_is_confirmed_by_who_reads_the_address_it_was_asked_at(
    shop: Shop, actions: OneTimeActions, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.send("customer-identified", {"customer_id": "c-1", "email": "c-1@example.com"})
    await shop.tell("consent-requested", {"customer_id": "c-1", "text_version": "marketing-email-1.pl"})
    await store.run(
        lambda tx: tx.one_time_links.add(_link("one", "confirm-subscription", "c-1:marketing:email", clock))
    )
    question = await actions.describe("one")
    assert question is not None
    assert question.wording.startswith("Chcę")
    assert await store.read(lambda tx: tx.events.count_pending()) == 0

    assert await actions.perform("one") is not None
    await shop.relay.apply_events()

    newest = (await store.read(lambda tx: tx.consents.of_customer("c-1")))[-1]
    assert (newest.state, newest.mechanism, newest.text_version) == ("granted", "double_opt_in", "marketing-email-1.pl")
    assert await actions.perform("one") is None


async def test_a_confirmation_that_went_to_an_earlier_address_confirms_nothing(
    shop: Shop, actions: OneTimeActions, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.send("customer-identified", {"customer_id": "c-1", "email": "c-1@example.com"})
    await shop.tell("consent-requested", {"customer_id": "c-1"})
    await store.run(
        lambda tx: tx.one_time_links.add(_link("one", "confirm-subscription", "c-1:marketing:email", clock))
    )
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-identified", {"customer_id": "c-1", "email": "other@example.com"})

    assert await actions.describe("one") is None
    assert await actions.perform("one") is None


async def test_an_erasure_that_nobody_confirmed_is_not_done(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    await shop.customer()
    request = await store.run(lambda tx: open_request(tx, "erasure", "c-1", "page", clock.now(), confirmed=False))

    with pytest.raises(PermanentFailure, match="NOT_CONFIRMED"):
        await Erasing(store, clock).erase(request.request_id)


async def test_a_legal_hold_stands_against_an_erasure(
    book: PrivacyRequestBook, shop: Shop, store: UnitOfWork, clock: HandClock, answers: PrivacyAnswers
) -> None:
    await shop.customer()
    line = await book.open("erasure", "c-1", source="cli", by="kim")
    hold = LegalHold(customer_id="c-1", why="case", held_by="kim", since=clock.now())
    await store.run(lambda tx: tx.legal_holds.add(hold))

    assert (await answers.read(line.request_id)).legal_hold
    with pytest.raises(PermanentFailure, match="LEGAL_HOLD"):
        await Erasing(store, clock).erase(line.request_id)
    assert await answers.close(line.request_id) == "refused"


async def test_a_legal_hold_under_one_id_stands_against_an_erasure_under_another_of_the_same_person(
    book: PrivacyRequestBook, shop: Shop, store: UnitOfWork, clock: HandClock, answers: PrivacyAnswers
) -> None:
    await shop.customer()
    await shop.tell("customers-merged", {"customer_id": "c-1", "merged_customer_id": "c-2"})
    line = await book.open("erasure", "c-1", source="cli", by="kim")
    hold = LegalHold(customer_id="c-2", why="case", held_by="kim", since=clock.now())
    await store.run(lambda tx: tx.legal_holds.add(hold))

    assert (await answers.read(line.request_id)).legal_hold
    with pytest.raises(PermanentFailure, match="LEGAL_HOLD"):
        await Erasing(store, clock).erase(line.request_id)


async def test_of_an_erased_customer_nothing_is_left_that_says_who_they_were(
    *,
    book: PrivacyRequestBook,
    exporting: Exporting,
    shop: Shop,
    store: UnitOfWork,
    sending: Sending,
    clock: HandClock,
    answers: PrivacyAnswers,
    database_url: str,
) -> None:
    said = {"email": "ada.lovelace@example.com", "first_name": "Adalovelace", "phone": "+48123456789"}
    await shop.customer(**said)
    await shop.tell("consent-given", {"customer_id": "c-1", "ip": "192.0.2.77"})
    await shop.cart()
    await shop.order("o-1", customer_id="c-1")
    enrolment = await shop.enrolment()
    await sending.send(
        enrolment_id=enrolment.enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
    )
    access = await book.open("access", "c-1", source="cli", by="kim")
    await exporting.collect(access.request_id)
    await store.run(lambda tx: tx.suppressions.add("c-1", "email", "complaint", clock.now()))
    clock.advance(timedelta(minutes=1))
    erasing = Erasing(store, clock)
    line = await book.open("erasure", "c-1", source="cli", by="kim")
    with pytest.raises(TemporaryFailure, match="ERASURE_UNDER_WAY"):
        await erasing.erase(line.request_id)
    await shop.relay.apply_events()
    await erasing.erase(line.request_id)
    await erasing.erase(line.request_id)

    assert await answers.close(line.request_id) == "erased"
    tables = read_tables(database_url, [table.name for table in metadata.sorted_tables])
    stored = json.dumps(tables, default=str)
    for word in (*said.values(), "192.0.2.77"):
        assert word not in stored
    assert tables["suppressions"] == []
    assert tables["exports"] == tables["links"] == tables["one_time_links"] == []
    for name in MAP.about_persons():
        if MAP.table(name).on_erasure == "delete":
            assert tables[name] == [], name
    [kept] = tables["suppressed_addresses"]
    assert kept["reason"] == "complaint"
    [order] = tables["orders"]
    assert order["total_minor"] == 2000
    customer = await store.read(lambda tx: tx.customers.get("c-1"))
    assert customer is not None
    assert (customer.erased, customer.email, customer.first_name) == (True, None, None)


async def test_an_objection_and_a_restriction_hold_once_they_are_applied(
    book: PrivacyRequestBook, shop: Shop, store: UnitOfWork, answers: PrivacyAnswers
) -> None:
    await shop.customer()
    for right in ("objection", "restriction"):
        line = await book.open(right, "c-1", source="cli", by="kim")
        with pytest.raises(TemporaryFailure, match="FACTS_PENDING"):
            await answers.apply(line.request_id)
        await shop.relay.apply_events()
        await answers.apply(line.request_id)
        assert await answers.close(line.request_id) == "applied"

    assert await store.read(lambda tx: objects(tx, "c-1", "profiling"))
    assert await store.read(lambda tx: objects(tx, "c-1", "marketing"))
    assert await store.read(lambda tx: restricted(tx, "c-1"))


async def test_a_new_address_counts_once_its_owner_has_confirmed_it(
    shop: Shop, store: UnitOfWork, answers: PrivacyAnswers, actions: OneTimeActions, clock: HandClock
) -> None:
    await shop.customer()
    payload = msgspec.json.encode({"email": "new@example.com"}).decode()

    def ask(tx: Transaction) -> str:
        request = open_request(tx, "rectification", "c-1", "page", clock.now(), confirmed=False, payload=payload)
        tx.one_time_links.add(_link("one", "change-email", request.request_id, clock))
        return request.request_id

    request_id = await store.run(ask)
    with pytest.raises(PermanentFailure, match="NOT_FOR_A_MACHINE"):
        await answers.apply(request_id)
    clock.advance(timedelta(minutes=1))
    assert await actions.perform("one") is not None
    with pytest.raises(TemporaryFailure, match="FACTS_PENDING"):
        await answers.apply(request_id)
    await shop.relay.apply_events()
    await answers.apply(request_id)
    await answers.close(request_id)

    customer = await store.read(lambda tx: tx.customers.get("c-1"))
    assert customer is not None
    assert customer.email == "new@example.com"
    request = await store.read(lambda tx: tx.privacy_requests.get(request_id))
    assert request is not None
    assert request.payload is None


async def test_a_request_that_waits_for_a_person_is_reported_once(
    book: PrivacyRequestBook, shop: Shop, store: UnitOfWork, answers: PrivacyAnswers
) -> None:
    await shop.customer()
    line = await book.open("access", "c-1", source="cli", by="kim")
    assert await answers.report(line.request_id)
    assert await answers.report(line.request_id)
    entries = await store.read(lambda tx: tx.audit.of_subject(line.request_id))
    assert [each.action for each in entries].count("privacy-request-escalated") == 1
    await book.done(line.request_id, outcome="answered", by="kim", why="x")
    assert not await answers.report(line.request_id)
