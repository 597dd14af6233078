"""`waggle messages` as an operator uses it."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.place import Place
from waggle.storage.store import Store, open_store
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender, lose_answer
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{place.home / 'waggle.db'}")
    yield opened
    opened.close()


@pytest.fixture
def shop(store: Store) -> Shop:
    return facts.shop(store, HandClock(), RememberingEngine())


async def sent(shop: Shop, name: str, sender: RecordingSender) -> str:
    await shop.customer(name)
    await shop.cart(f"cart-{name}", name)
    enrolment_id = (await shop.enrolment(f"cart-{name}")).enrolment_id
    await facts.sending(shop.store, shop.clock, sender).send(
        enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
    )
    return (await shop.message(enrolment_id)).message_id


@pytest.fixture
def ids(shop: Shop) -> tuple[str, str]:
    """One message that was sent and one in doubt."""

    async def both() -> tuple[str, str]:
        sender = RecordingSender()
        done = await sent(shop, "c-1", sender)
        sender.when_taken = lose_answer
        return done, await sent(shop, "c-2", sender)

    return asyncio.run(both())


def test_an_empty_house_has_no_messages(waggle: CommandLine) -> None:
    assert waggle("messages").out == "There are no messages.\n"
    assert waggle("messages", "--in-doubt").out == "No message is in doubt.\n"
    assert waggle("messages", "--in-doubt", "--json").out == "[]\n"


def test_those_in_doubt_are_listed_for_people_and_for_programs(waggle: CommandLine, ids: tuple[str, str]) -> None:
    shown = waggle("messages", "--in-doubt")
    [listed] = json.loads(waggle("messages", "--in-doubt", "--json").out)

    assert shown.code == 0
    assert ids[1] in shown.out
    assert ids[0] not in shown.out
    assert "ANSWER_LOST" in shown.out
    assert "handed over 2026-03-01 12:00:00 UTC" in shown.out
    assert (listed["message_id"], listed["journey"], listed["step"]) == (ids[1], "abandoned-cart", "first-mail")
    assert listed["handed_over_at"].startswith("2026-03-01T12:00:00")
    assert not {"customer_id", "email", "to"} & set(listed)


def test_all_are_listed_unless_said(waggle: CommandLine, ids: tuple[str, str]) -> None:
    assert {each["message_id"] for each in json.loads(waggle("messages", "--json").out)} == set(ids)


def test_a_doubt_is_settled_once(waggle: CommandLine, ids: tuple[str, str], store: Store) -> None:
    words = ("--as", "sent", "--by", "kim", "--why", "listed in the log")

    first, second = (waggle("messages", "settle", ids[1], *words) for _ in range(2))

    assert (first.code, first.out) == (0, f"{ids[1]} is settled as sent.\n")
    assert second.code == 1
    assert "MESSAGE_NOT_IN_DOUBT" in second.err
    assert json.loads(waggle("messages", "--in-doubt", "--json").out) == []
    [entry] = asyncio.run(store.read(lambda tx: tx.audit.of_subject(ids[1])))
    assert (entry.actor, entry.action, entry.why) == ("kim", "message-settled", "listed in the log")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--as", "lost", "--by", "kim", "--why", "listed"), 2, "lost"),
        (("--as", "sent", "--by", "kim"), 2, "--why"),
        (("--as", "sent", "--by", "kim", "--why", "asked ada@example.com"), 1, "WORDS_REFUSED"),
    ],
)
def test_what_cannot_be_settled_like_this_is_said(
    waggle: CommandLine, ids: tuple[str, str], words: tuple[str, ...], code: int, said: str
) -> None:
    ended = waggle("messages", "settle", ids[1], *words)

    assert ended.code == code
    assert said in ended.out + ended.err
    assert "ada@" not in ended.err


def test_a_message_that_nobody_knows_is_said_so(waggle: CommandLine) -> None:
    ended = waggle("messages", "settle", "m-0", "--as", "sent", "--by", "kim", "--why", "listed")

    assert ended.code == 1
    assert "MESSAGE_UNKNOWN" in ended.err
