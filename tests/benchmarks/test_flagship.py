"""What the benchmark of the flagship makes of what it measured; how fast that is, no test says."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from matplotlib.image import imread
from rich.console import Console

from benchmarks.databases import opened as opened_database
from benchmarks.disk import used_bytes
from benchmarks.flagship.flow import Flow, Trip, per_s, spread_ms
from benchmarks.flagship.house import House
from benchmarks.flagship.mails import Mails
from benchmarks.flagship.peak import told as told_of_peak
from benchmarks.flagship.picture import draw
from benchmarks.flagship.shoppers import HOLDOUT_PERCENT, Event, Shopper, arrival_gaps_s, shoppers
from benchmarks.flagship.table import told
from waggle.domain.event import FACTS
from waggle.services.journeys import load_journeys
from waggle.settings import load_settings

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def latency_row(database: str, load: str) -> dict[str, Any]:
    spread = {"p50": 41.0, "p99": 130.5, "max": 150.0}
    return {
        "row": "latency", "database": database, "workers": 1, "capacity_per_s": 30.1, "load": load, "carts": 300,
        "offered_per_s": 21.0, "mails_per_s": 20.9,
        "accepted_to_first_effect_ms": spread, "accepted_to_mail_ms": spread,
    }  # fmt: skip


def peak_row(database: str) -> dict[str, Any]:
    return {
        "row": "peak", "database": database, "workers": 2, "carts": 10_000, "mails": 10_000, "missing": 0, "doubled": 0,
        "last_mail_s": 431.0, "mails_per_s": 23.2, "after_due_s": {"p50": 210.0, "p99": 398.0}, "later_than_30_min": 0,
        "arrivals": [(10.0, 200), (431.0, 10_000)],
        "cpu_s": {"api": 1.0, "relay": 2.0, "worker-1": 90.0, "worker-2": 92.0, "broker": 300.0},
    }  # fmt: skip


def waiting_row(database: str, carts: int) -> dict[str, Any]:
    sizes = {"broker_rss_bytes": 14_000, "engine_disk_bytes": 52_000, "database_bytes": 2_600}
    return {
        "row": "waiting", "database": database, "workers": 1, "carts": carts,
        "broker_rss_bytes": 10**9, "per_cart": sizes,
    }  # fmt: skip


ROWS = [
    *(latency_row(database, load) for database in ("sqlite", "postgresql") for load in ("idle", "70 %")),
    *(peak_row(database) for database in ("sqlite", "postgresql")),
    *(waiting_row(database, carts) for database in ("sqlite", "postgresql") for carts in (20_000, 50_000)),
]


@pytest.mark.parametrize("kinds", [{"latency"}, {"peak"}, {"waiting"}, {"latency", "peak", "waiting"}])
def test_whatever_was_measured_is_drawn(kinds: set[str], tmp_path: Path) -> None:
    file = tmp_path / "flagship.png"

    draw([row for row in ROWS if row["row"] in kinds], file)

    assert imread(file).std() > 0.01


def test_the_table_names_every_kind_of_row_and_sums_the_workers() -> None:
    console = Console(record=True, width=200)

    told(ROWS, console)

    text = console.export_text()
    assert "41 / 130.5" in text
    assert "18.2, 0.2, 30.0" in text
    assert "13.7" in text


def test_a_mail_that_never_came_counts_as_late() -> None:
    left_at = {"a@shop.example": NOON, "b@shop.example": NOON, "c@shop.example": NOON}
    arrived_at = {
        "a@shop.example": NOON + timedelta(minutes=21),
        "b@shop.example": NOON + timedelta(minutes=31),
    }

    row = told_of_peak(left_at, arrived_at, Counter(["a@shop.example", "b@shop.example", "b@shop.example"]))

    assert (row["mails"], row["missing"], row["doubled"], row["later_than_30_min"]) == (2, 1, 1, 2)
    assert (row["first_mail_s"], row["last_mail_s"]) == (60.0, 660.0)
    assert row["arrivals"] == [(60.0, 1), (660.0, 2)]


def test_a_peak_without_any_mail_still_has_every_number_that_is_told() -> None:
    row = peak_row("sqlite") | told_of_peak({"a@shop.example": NOON}, {}, Counter())

    told([row], Console(record=True))

    assert row["missing"] == row["later_than_30_min"] == 1


def test_the_first_and_last_tenth_do_not_count_in_a_rate() -> None:
    arrivals_s = [0.0, *(100 + number / 10 for number in range(18)), 1000.0]
    trips = [Trip(Shopper(0), mailed_ns=round(at * 1e9)) for at in arrivals_s]

    assert per_s(trips) == pytest.approx(10)


def test_a_spread_is_in_milliseconds() -> None:
    assert spread_ms([1_000_000 * number for number in range(1, 101)]) == {"p50": 50, "p99": 99, "max": 100}


def test_nobody_who_comes_is_held_out() -> None:
    journey = load_journeys(load_settings({}).config_dir).of("abandoned-cart")
    numbers = [shopper.number for shopper in itertools.islice(shoppers(), 100)]

    assert journey.entry.holdout_percent == HOLDOUT_PERCENT
    assert numbers[-1] > 100


def test_every_event_is_of_a_kind_that_the_door_knows() -> None:
    shopper = Shopper(1)
    events: list[Event] = [*shopper.signs_up(), shopper.fills_cart(NOON)]

    assert {event["type"] for event in events} <= set(FACTS)
    assert events[-1]["time"] == "2026-03-02T12:00:00+00:00"


def test_the_same_seed_gives_the_same_arrivals_at_about_the_rate_asked_for() -> None:
    first, again = (list(itertools.islice(arrival_gaps_s(20, 4), 2000)) for _ in range(2))

    assert first == again
    assert sum(first) == pytest.approx(100, rel=0.1)


def test_a_line_that_is_not_yet_whole_is_read_with_the_next_ones(tmp_path: Path) -> None:
    mails = Mails(tmp_path / "mails.txt")
    assert mails.new() == []

    mails.file.write_text("a@shop.example\t1\nb@shop")
    assert mails.new() == [("a@shop.example", 1)]
    mails.file.write_text("a@shop.example\t1\nb@shop.example\t2\n")
    assert mails.new() == [("b@shop.example", 2)]
    assert mails.new() == []


def test_a_file_with_two_names_takes_its_room_once(tmp_path: Path) -> None:
    file, second = tmp_path / "state.sst", tmp_path / "snapshot.sst"
    file.write_bytes(b"x" * 100_000)
    second.hardlink_to(file)

    assert used_bytes([file, second, tmp_path / "gone"]) == used_bytes([file]) >= 100_000


def test_an_sqlite_file_tells_its_size(tmp_path: Path) -> None:
    with opened_database("sqlite", tmp_path) as database:
        (tmp_path / "waggle.db").write_bytes(b"x" * 8192)

        assert database.size_bytes() == 8192
        assert database.pid is None


@dataclass
class HouseOfMails:
    """Mails everybody who fills a cart, after those who came before."""

    mails: Mails
    most_at_once: int = 0
    _waiting: list[str] = field(default_factory=list)

    async def post(self, event: Event) -> None:
        self._waiting.append(event["data"]["customer_id"].replace("customer-", "c"))
        self.most_at_once = max(self.most_at_once, len(self._waiting))
        asyncio.get_running_loop().call_later(0.01, self._mail)

    def _mail(self) -> None:
        with self.mails.file.open("a") as noted:
            noted.write(f"{self._waiting.pop(0)}@shop.example\t{10**9}\n")


@asynccontextmanager
async def flow_of(folder: Path) -> AsyncIterator[tuple[Flow, HouseOfMails]]:
    house = HouseOfMails(Mails(folder / "mails.txt"))
    async with Flow.opened(cast("House", house)) as flow:
        yield flow, house


@pytest.mark.anyio
async def test_as_many_carts_are_on_their_way_as_was_said_and_each_gets_its_own_mail(tmp_path: Path) -> None:
    async with flow_of(tmp_path) as (flow, house):
        trips = await flow.together([Shopper(number) for number in range(12)], at_once=4)

    assert sorted(trip.shopper.number for trip in trips) == list(range(12))
    assert {trip.mailed_ns for trip in trips} == {10**9}
    assert house.most_at_once == 4
