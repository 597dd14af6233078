"""What somebody agreed to is kept with its proof, and what they said no to is heeded everywhere."""

import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from waggle.domain.consent import is_given
from waggle.domain.event import Event
from waggle.domain.score import ScoreBounds
from waggle.errors import BadSettings
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.resources import shipped
from waggle.services.consent_texts import load_consent_texts, load_purposes
from waggle.services.consents import Consents, has_consent, may_transfer, objects, restricted
from waggle.services.own_facts import tell
from waggle.services.projections import fact_of, project
from waggle.services.scoring import Scoring
from waggle.services.sending import Sending
from waggle.storage.dump import read_tables
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio

TEXTS = load_consent_texts(shipped("config"))


async def test_a_consent_is_proved_by_its_source_its_wording_and_the_address_it_came_from(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await store.run(lambda tx: TEXTS.keep(tx, clock.now()))
    event_id = await shop.tell(
        "consent-given",
        {
            "customer_id": "c-1",
            "text_version": "marketing-email-1.pl",
            "mechanism": "web_form",
            "proof_url": "https://shop.example/join?name=ada#top",
            "ip": "192.0.2.7",
        },
    )
    [link] = await Consents(store).proof("c-1", "marketing", "email")

    assert (link.state, link.mechanism, link.source, link.event_id) == ("granted", "web_form", "shop", event_id)
    assert link.proof_url == "https://shop.example/join"
    assert link.ip == "192.0.2.7"
    assert link.text is not None
    assert link.text.startswith("Chcę otrzymywać")
    assert link.text_sha256 == next(each.sha256 for each in TEXTS.all() if each.language == "pl")


async def test_the_address_a_consent_came_from_is_not_in_the_clear(shop: Shop, database_url: str) -> None:
    await shop.tell("consent-given", {"customer_id": "c-1", "ip": "192.0.2.7"})
    [row] = read_tables(database_url, ["consents"])["consents"]

    assert row["ip"] is not None
    assert "192.0.2.7" not in row["ip"]


async def test_the_same_event_states_it_once(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    event = Event("e-1", "shop", "consent-given", "c-1", clock.now(), {"customer_id": "c-1"})
    for _ in range(2):
        await store.run(lambda tx: project(tx, event, fact_of(event)))

    assert len(await store.read(lambda tx: tx.consents.of_customer("c-1"))) == 1


async def test_a_withdrawal_beats_a_list_that_is_imported_with_an_older_date(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.tell("consent-withdrawn", {"customer_id": "c-1"})
    long_ago = clock.now() - timedelta(days=900)
    await shop.tell("consent-given", {"customer_id": "c-1", "mechanism": "import"}, at=long_ago)

    assert not await store.read(lambda tx: has_consent(tx, "c-1", "marketing", "email", clock.now()))


async def test_a_consent_with_a_term_ends_by_itself(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    until = clock.now() + timedelta(days=30)
    await shop.tell("consent-given", {"customer_id": "c-1", "valid_until": until.isoformat()})

    assert await store.read(lambda tx: has_consent(tx, "c-1", "marketing", "email", clock.now()))
    assert not await store.read(lambda tx: has_consent(tx, "c-1", "marketing", "email", until))
    [standing] = await Consents(store).of("c-1", until)
    assert standing.state == "expired"


async def test_what_was_asked_for_and_not_confirmed_is_no_consent_and_lapses(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.tell("consent-given", {"customer_id": "c-1"})
    await shop.tell("consent-requested", {"customer_id": "c-2"})
    await shop.tell("consent-requested", {"customer_id": "c-1"})
    clock.advance(timedelta(days=7))
    for ref in ("c-1", "c-2"):
        said = {"customer_id": ref, "purpose": "marketing", "channel": "email"}
        await store.run(partial(_lapse, said, clock.now()))
    await shop.relay.apply_events()

    assert [each.state for each in await store.read(lambda tx: tx.consents.of_customer("c-2"))] == ["lapsed"]
    assert await Consents(store).of("c-2", clock.now()) == []
    assert is_given(await store.read(lambda tx: tx.consents.of_customer("c-1")))


def _lapse(said: Mapping[str, str], at: datetime, tx: Transaction) -> None:
    tell(tx, "consent-lapsed", f"lapse-{said['customer_id']}", said, at)


async def test_ids_that_are_one_person_speak_with_one_voice(shop: Shop, store: UnitOfWork, clock: HandClock) -> None:
    await shop.customer("c-1")
    clock.advance(timedelta(hours=1))
    await shop.tell("consent-withdrawn", {"customer_id": "c-2"})
    await shop.tell("customers-merged", {"customer_id": "c-1", "merged_customer_id": "c-2"})

    assert not await store.read(lambda tx: has_consent(tx, "c-1", "marketing", "email", clock.now()))
    assert not await store.read(lambda tx: has_consent(tx, "c-2", "marketing", "email", clock.now()))


async def test_a_browser_that_says_no_to_sharing_stops_every_transfer_to_advertisers(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    await shop.customer()
    assert await store.read(lambda tx: may_transfer(tx, "c-1", "sale-share", clock.now()))
    assert await store.read(lambda tx: may_transfer(tx, "c-1", "marketing", clock.now()))
    assert not await store.read(lambda tx: may_transfer(tx, "c-1", "advertising", clock.now()))

    clock.advance(timedelta(minutes=1))
    await shop.tell("consent-withdrawn", {"customer_id": "c-1", "purpose": "sale-share", "mechanism": "gpc"})

    assert not await store.read(lambda tx: may_transfer(tx, "c-1", "sale-share", clock.now()))
    assert not await store.read(lambda tx: may_transfer(tx, "c-1", "marketing", clock.now()))
    [standing] = [each for each in await Consents(store).of("c-1", clock.now()) if each.purpose == "sale-share"]
    assert standing.state == "denied"


async def test_nobody_who_is_unknown_erased_or_restricted_is_transferred(
    shop: Shop, store: UnitOfWork, clock: HandClock
) -> None:
    assert not await store.read(lambda tx: may_transfer(tx, "c-9", "sale-share", clock.now()))
    await shop.customer("c-1")
    await shop.customer("c-2")
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-restricted", {"customer_id": "c-1"})
    await shop.tell("customer-erased", {"customer_id": "c-2"})

    assert not await store.read(lambda tx: may_transfer(tx, "c-1", "sale-share", clock.now()))
    assert not await store.read(lambda tx: may_transfer(tx, "c-2", "sale-share", clock.now()))


async def test_an_objection_to_profiling_ends_no_cart_journey(shop: Shop, store: UnitOfWork, enrolment_id: str) -> None:
    await shop.tell("consent-withdrawn", {"customer_id": "c-1", "purpose": "profiling"})
    await shop.relay.publish()

    assert (await shop.enrolment()).live
    assert await store.read(lambda tx: objects(tx, "c-1", "profiling"))
    due = await store.read(lambda tx: tx.engine_messages.due(shop.clock.now(), 10))
    assert [each.message.name for each in due] == []


async def test_who_restricted_the_use_of_their_data_gets_nothing(
    shop: Shop, store: UnitOfWork, sending: Sending, sender: RecordingSender, enrolment_id: str
) -> None:
    await shop.tell("customer-restricted", {"customer_id": "c-1"})
    assert await store.read(lambda tx: restricted(tx, "c-1"))

    sent = await sending.send(enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None)

    assert (sent.outcome, sent.reason) == ("suppressed", "customer_restricted")
    assert sender.delivered == []


async def test_the_restriction_ends_with_the_word_that_ends_it(
    shop: Shop, store: UnitOfWork, sending: Sending, enrolment_id: str, clock: HandClock
) -> None:
    await shop.tell("customer-restricted", {"customer_id": "c-1"})
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-unrestricted", {"customer_id": "c-1"})

    sent = await sending.send(enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None)
    assert sent.outcome == "sent"


async def test_an_erased_address_is_not_written_to_because_a_list_is_imported_again(
    shop: Shop, store: UnitOfWork, clock: HandClock, sending: Sending
) -> None:
    await shop.customer("c-1")
    clock.advance(timedelta(minutes=1))
    await shop.tell("customer-erased", {"customer_id": "c-1"})
    clock.advance(timedelta(days=1))
    await shop.send("customer-identified", {"customer_id": "c-7", "email": "C-1@example.com"})
    await shop.tell("consent-given", {"customer_id": "c-7", "mechanism": "import"})
    await shop.cart("cart-7", "c-7")
    enrolment = await shop.enrolment("cart-7")

    async def outcome(step: str) -> tuple[str, str]:
        sent = await sending.send(
            enrolment_id=enrolment.enrolment_id, step=step, template="abandoned-cart", coupon_id=None
        )
        return sent.outcome, sent.reason

    assert await outcome("one") == ("suppressed", "suppressed")
    clock.advance(timedelta(minutes=1))
    await shop.tell("consent-given", {"customer_id": "c-7", "mechanism": "web_form"})
    assert await outcome("two") == ("sent", "ok")


async def test_a_wording_that_was_changed_is_refused(store: UnitOfWork, clock: HandClock, tmp_path: Path) -> None:
    folder = tmp_path / "consent-texts"
    folder.mkdir()
    (folder / "news-1.en.md").write_text("I want news.", encoding="utf-8")
    first = load_consent_texts(tmp_path)
    await store.run(lambda tx: first.keep(tx, clock.now()))
    assert await store.read(first.is_kept)

    (folder / "news-1.en.md").write_text("I want news and more.", encoding="utf-8")
    changed = load_consent_texts(tmp_path)

    assert not await store.read(changed.is_kept)
    with pytest.raises(BadSettings, match="CONSENT_TEXT_CHANGED"):
        await store.run(lambda tx: changed.keep(tx, clock.now()))


def test_the_wordings_that_are_shipped_are_those_of_the_lock() -> None:
    """Released wordings never change: people have agreed to them as they stand. A new one gets a line of its own."""
    lock = tomllib.loads((shipped("config") / "consent-texts/lock.toml").read_text(encoding="utf-8"))

    assert {f"{each.version}.{each.language}.md": each.sha256 for each in TEXTS.all()} == lock


def test_the_purposes_that_are_shipped_say_what_they_are_in_each_language() -> None:
    purposes = load_purposes(shipped("config"), TEXTS)

    assert list(purposes) == ["marketing", "profiling", "sale-share"]
    for purpose in purposes.values():
        assert set(purpose.label) == set(purpose.explanation) == {"en", "pl"}


def test_a_file_of_wordings_without_a_language_is_refused(tmp_path: Path) -> None:
    (tmp_path / "consent-texts").mkdir()
    (tmp_path / "consent-texts/news.md").write_text("x", encoding="utf-8")
    with pytest.raises(BadSettings, match="CONSENT_TEXT_WRONG"):
        load_consent_texts(tmp_path)


async def test_who_objects_to_profiling_is_rated_as_if_unknown(
    shop: Shop, store: UnitOfWork, clock: HandClock, enrolment_id: str
) -> None:
    bounds = ScoreBounds(
        recent=timedelta(days=60),
        lapsed_after=timedelta(days=180),
        frequent_orders=5,
        regular_orders=2,
        premium_minor=10_000,
        average_minor=4_000,
    )
    await shop.order("o-1", customer_id="c-1")
    scoring = Scoring(store, bounds, clock)
    known = await scoring.score(enrolment_id)
    clock.advance(timedelta(minutes=1))
    await shop.tell("consent-withdrawn", {"customer_id": "c-1", "purpose": "profiling"})

    assert known.order_count == 1
    assert (await scoring.score(enrolment_id)).order_count == 0
