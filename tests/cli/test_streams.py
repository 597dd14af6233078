"""`waggle streams` and `waggle export` as an operator uses them."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.place import Place
from waggle.ports.streams import StreamState
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
    """Two things happened, of which the stream `lake` was told one before it failed."""
    shop = facts.shop(store, HandClock(), RememberingEngine())

    async def happen() -> None:
        await shop.customer()
        await store.run(lambda tx: tx.outcomes.number(100))
        await store.run(lambda tx: tx.streams.add(StreamState(name="lake", position=1)))
        await store.run(lambda tx: tx.streams.fail("lake", "KAFKA_UNAVAILABLE", shop.clock.now()))

    asyncio.run(happen())
    return shop


def test_an_empty_house_has_no_streams(waggle: CommandLine) -> None:
    assert waggle("streams").out.startswith("No stream has begun.")
    assert json.loads(waggle("streams", "--json").out) == []


def test_streams_are_listed_for_people_and_for_programs(waggle: CommandLine, shop: Shop) -> None:
    shown = waggle("streams")
    [listed] = json.loads(waggle("streams", "--json").out)

    assert shown.code == 0
    assert "KAFKA_UNAVAILABLE (1 in a row)" in shown.out
    assert (listed["name"], listed["position"], listed["waiting"], listed["head"]) == ("lake", 1, 1, 2)


@pytest.mark.parametrize(("to", "position"), [("0", 0), ("2", 2), ("2026-03-01", 0), ("2027-01-01T10:00:00+01:00", 2)])
def test_a_stream_is_set_back(waggle: CommandLine, shop: Shop, to: str, position: int) -> None:
    said = waggle("streams", "rewind", "lake", "--to", to, "--why", "a day was lost", "--by", "kim")

    assert (said.code, said.out) == (0, f"lake goes on after position {position}.\n")
    assert json.loads(waggle("streams", "--json").out)[0]["position"] == position


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("sea", "--to", "0", "--why", "x"), 1, "STREAM_UNKNOWN"),
        (("lake", "--to", "3", "--why", "x"), 1, "POSITION_UNKNOWN"),
        (("lake", "--to", "yesterday", "--why", "x"), 2, "POSITION_UNKNOWN"),
        (("lake", "--to", "0", "--why", "ada@example.com asked"), 1, "WORDS_REFUSED"),
        (("lake", "--to", "0"), 2, "--why"),
    ],
)
def test_what_cannot_be_set_back_is_said(
    waggle: CommandLine, shop: Shop, words: tuple[str, ...], code: int, said: str
) -> None:
    ended = waggle("streams", "rewind", *words, "--by", "kim")

    assert ended.code == code
    assert said in ended.out + ended.err


def test_events_are_written_into_a_folder(waggle: CommandLine, shop: Shop, tmp_path: Path) -> None:
    said = waggle("export", "events", "--to", str(tmp_path / "lake"), "--format", "jsonl", "--since", "2026-03-01")

    assert said.code == 0
    assert said.out.startswith("2 events of ")
    [file] = (tmp_path / "lake").rglob("*.jsonl")
    assert file.parent.name == "day=2026-03-01"
    assert "example.com" not in file.read_text("utf-8")


def test_a_program_gets_one_document(waggle: CommandLine, shop: Shop, tmp_path: Path) -> None:
    words = ("--to", str(tmp_path), "--since", "2026-03-01", "--until", "2026-03-02", "--json")
    said = waggle("export", "events", *words)

    assert json.loads(said.out) == {"dataset": "events", "days": 1, "rows": 2, "files": 1, "known_days": 0}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--purpose", "crm"), 2, "WHY_MISSING"),
        (("--purpose", "crm", "--why", "x"), 2, "PURPOSE_UNKNOWN"),
        (("--since", "2026-03-02", "--until", "2026-03-01"), 1, "DAYS_EMPTY"),
        (("--format", "xlsx"), 2, "xlsx"),
    ],
)
@pytest.mark.usefixtures("shop")
def test_what_cannot_be_written_is_said(
    waggle: CommandLine, tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    ended = waggle("export", "events", "--to", str(tmp_path), *words)

    assert ended.code == code
    assert said in ended.out + ended.err
