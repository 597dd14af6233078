"""`waggle consents`, `privacy-requests`, `retention` and `transfers` as a privacy officer uses them."""

import asyncio
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.place import Place
from waggle.resources import shipped
from waggle.services.consent_texts import load_consent_texts
from waggle.services.transfers import note
from waggle.storage.store import Store, open_store
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{place.home / 'waggle.db'}")
    yield opened
    opened.close()


@pytest.fixture
def shop(store: Store) -> Shop:
    """With one customer, who agreed to a wording."""
    made = facts.shop(store, HandClock(), RememberingEngine())
    texts = load_consent_texts(shipped("config"))

    async def fill() -> None:
        await store.run(lambda tx: texts.keep(tx, made.clock.now()))
        await made.customer()
        said = {"customer_id": "c-1", "text_version": "marketing-email-1.en", "ip": "192.0.2.7"}
        await made.tell("consent-given", {**said, "mechanism": "web_form"})

    asyncio.run(fill())
    return made


def test_how_consents_stand_is_shown_without_the_person(waggle: CommandLine, shop: Shop) -> None:
    said = waggle("consents", "show", "c-1")

    assert "marketing" in said.out
    assert "granted" in said.out
    assert "192.0.2.7" not in said.out
    assert waggle("consents", "show", "c-9").out == "Nothing was ever said.\n"


def test_a_proof_has_the_wording_and_who_looked_is_kept(waggle: CommandLine, shop: Shop, store: Store) -> None:
    said = waggle("consents", "proof", "c-1", "--purpose", "marketing", "--channel", "email", "--by", "kim")

    assert "| I want offers and reminders by e-mail." in said.out
    assert "192.0.2.7" in said.out
    [entry] = asyncio.run(store.read(lambda tx: tx.audit.of_subject("c-1")))
    assert (entry.action, entry.actor) == ("consent-proof-shown", "kim")


def test_who_asks_for_a_proof_by_address_gets_none_and_leaves_no_address_in_the_log(
    waggle: CommandLine, shop: Shop, store: Store
) -> None:
    asked = ("--purpose", "marketing", "--channel", "email", "--by", "kim")

    assert waggle("consents", "proof", "c-1@example.com", *asked).out == "Nothing was ever said.\n"
    assert not asyncio.run(store.read(lambda tx: tx.audit.of_subject("c-1@example.com")))


def test_a_request_is_opened_listed_and_closed(waggle: CommandLine, shop: Shop) -> None:
    assert waggle("privacy-requests", "list").out == "No request is open.\n"
    opened = waggle("privacy-requests", "open", "access", "c-1", "--by", "kim", "--json")
    line = json.loads(opened.out)
    assert (line["right"], line["state"]) == ("access", "open")
    assert line["request_id"] in waggle("privacy-requests", "list", "--json").out
    assert line["request_id"] in waggle("privacy-requests", "show", line["request_id"], "--json").out

    done = waggle("privacy-requests", "done", line["request_id"], "--why", "on paper", "--by", "kim")

    assert done.out == f"{line['request_id']} is closed: answered.\n"
    assert waggle("privacy-requests", "list").out == "No request is open.\n"
    assert waggle("privacy-requests", "show", "nothing").code == 1


def test_nobody_opens_a_request_for_who_is_not_known(waggle: CommandLine, shop: Shop) -> None:
    said = waggle("privacy-requests", "open", "erasure", "c-9", "--by", "kim")

    assert said.code == 1
    assert "CUSTOMER_UNKNOWN" in said.err


def test_a_copy_is_written_for_its_owner_alone_and_over_nothing(
    waggle: CommandLine, shop: Shop, tmp_path: Path
) -> None:
    target = tmp_path / "copy.zip"
    assert waggle("privacy-requests", "export", "c-1", "--to", str(target), "--by", "kim").code == 0

    assert target.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(target) as packed:
        assert b"c-1@example.com" in packed.read("data/customers.jsonl")
    assert waggle("privacy-requests", "export", "c-1", "--to", str(target), "--by", "kim").code == 1


def test_a_hold_is_set_and_lifted(waggle: CommandLine, shop: Shop, store: Store) -> None:
    waggle("privacy-requests", "hold", "c-1", "--why", "case 12", "--by", "kim")
    assert asyncio.run(store.read(lambda tx: tx.legal_holds.is_held("c-1")))
    waggle("privacy-requests", "hold", "c-1", "--why", "case 12 is over", "--lift", "--by", "kim")
    assert not asyncio.run(store.read(lambda tx: tx.legal_holds.is_held("c-1")))


def test_who_asked_to_be_forgotten_under_a_hold_is_seen_waiting_and_forgotten_once_it_is_lifted(
    waggle: CommandLine, shop: Shop, store: Store
) -> None:
    waggle("privacy-requests", "hold", "c-1", "--why", "case 12", "--by", "kim")
    asyncio.run(shop.tell("customer-erased", {"customer_id": "c-1"}))
    waiting = waggle("events", "--quarantined").out
    assert "LEGAL_HOLD" in waiting
    assert "customer-erased" in waiting

    lifted = waggle("privacy-requests", "hold", "c-1", "--why", "case 12 is over", "--lift", "--by", "kim")
    asyncio.run(shop.relay.apply_events())

    assert lifted.out == "c-1 is no longer held.\nThey asked to be forgotten: the relay does it now.\n"
    customer = asyncio.run(store.read(lambda tx: tx.customers.profile("c-1")))
    assert customer is not None
    assert customer.erased
    entries = asyncio.run(store.read(lambda tx: tx.audit.of_subject("c-1")))
    assert [each.action for each in entries] == ["legal-hold-set", "erasure-held-back", "legal-hold-lifted"]


def test_a_hold_of_nobody_is_refused_and_written_nowhere(waggle: CommandLine, shop: Shop, store: Store) -> None:
    """An e-mail address in place of an id would stay in the audit log for ever."""
    said = waggle("privacy-requests", "hold", "ada@example.com", "--why", "case 12", "--by", "kim")

    assert said.code == 1
    assert "waggle customer show" in said.err
    assert "ada@" not in said.err
    assert not asyncio.run(store.read(lambda tx: tx.audit.of_subject("ada@example.com")))
    lifted = waggle("privacy-requests", "hold", "c-1", "--why", "case 12 is over", "--lift", "--by", "kim")
    assert lifted.out == "c-1 was not held; nothing was changed.\n"
    assert not asyncio.run(store.read(lambda tx: tx.audit.of_subject("c-1")))


def test_a_copy_that_no_file_can_take_is_not_noted_as_made(
    waggle: CommandLine, shop: Shop, store: Store, tmp_path: Path
) -> None:
    there = tmp_path / "copy.zip"
    there.write_bytes(b"of somebody else")

    assert waggle("privacy-requests", "export", "c-1", "--to", str(there), "--by", "kim").code == 1
    away = waggle("privacy-requests", "export", "c-1", "--to", str(tmp_path / "no" / "folder.zip"), "--by", "kim")

    assert (away.code, away.err.partition(": ")[2][:13]) == (2, "FILE_UNUSABLE")
    assert there.read_bytes() == b"of somebody else"
    assert not asyncio.run(store.read(lambda tx: tx.audit.of_subject("c-1")))


def test_a_copy_of_nobody_leaves_no_file(waggle: CommandLine, shop: Shop, tmp_path: Path) -> None:
    assert waggle("privacy-requests", "export", "c-9", "--to", str(tmp_path / "copy.zip"), "--by", "kim").code == 1
    assert not (tmp_path / "copy.zip").exists()


def test_a_dry_run_of_retention_counts_every_table_with_a_term(waggle: CommandLine, shop: Shop) -> None:
    found = json.loads(waggle("retention", "--dry-run", "--json").out)

    assert {"carts", "orders", "messages"} <= {each["table"] for each in found}
    assert waggle("retention", "--by", "kim").code == 0


def test_the_register_shows_what_left(waggle: CommandLine, shop: Shop, store: Store) -> None:
    assert waggle("transfers").out == "Nothing personal has left.\n"
    asyncio.run(store.run(lambda tx: note(tx, "ads-1", "sale-share", 3, shop.clock.now())))

    [total] = json.loads(waggle("transfers", "--json").out)
    assert (total["destination"], total["purpose"], total["count"]) == ("ads-1", "sale-share", 3)
