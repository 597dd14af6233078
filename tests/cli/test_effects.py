"""`waggle effects` as an operator uses it."""

import asyncio
import json
from collections.abc import Iterator

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.place import Place
from waggle.errors import OutcomeUnknown
from waggle.services.effects import Effects
from waggle.storage.store import Store, open_store
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.journey_engine import RememberingEngine


@pytest.fixture
def store(place: Place) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{place.home / 'waggle.db'}")
    yield opened
    opened.close()


@pytest.fixture
def in_doubt(store: Store) -> str:
    """Leave one effect in doubt and return its id."""

    async def answer_is_lost(_key: str) -> str:
        raise OutcomeUnknown("HELPDESK_SILENT")

    async def begin() -> str:
        clock = HandClock()
        shop = facts.shop(store, clock, RememberingEngine())
        await shop.customer("c-1")
        await shop.cart("cart-1", "c-1")
        enrolment_id = (await shop.enrolment("cart-1")).enrolment_id
        effects = Effects(store, clock)
        carried = await effects.carry_out(
            enrolment_id=enrolment_id, step="ticket", kind="open-ticket", act=answer_is_lost
        )
        assert carried.outcome == "in_doubt"
        [effect] = await effects.in_doubt()
        return effect.effect_id

    return asyncio.run(begin())


def test_an_empty_house_has_no_effect_in_doubt(waggle: CommandLine) -> None:
    assert waggle("effects").out == "No effect is in doubt.\n"
    assert waggle("effects", "--json").out == "[]\n"


def test_what_is_in_doubt_is_listed_for_people_and_for_programs(waggle: CommandLine, in_doubt: str) -> None:
    assert in_doubt in waggle("effects").out
    [line] = json.loads(waggle("effects", "--json").out)
    assert (line["effect_id"], line["kind"], line["step"]) == (in_doubt, "open-ticket", "ticket")


def test_somebody_has_the_last_word_and_is_remembered(waggle: CommandLine, in_doubt: str, store: Store) -> None:
    said = waggle("effects", "settle", in_doubt, "--as", "done", "--by", "kim", "--why", "seen there")

    assert (said.code, said.out) == (0, f"{in_doubt} is settled as done.\n")
    assert waggle("effects").out == "No effect is in doubt.\n"
    again = waggle("effects", "settle", in_doubt, "--as", "failed", "--by", "kim", "--why", "seen there")
    assert again.code == 1
    assert "EFFECT_NOT_IN_DOUBT" in again.err
