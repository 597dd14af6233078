"""A run can be had again from its seed, and its report says no more than was shown."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from waggle.testing.chaos.plan import BROKER, DATABASE, SMTP, draw
from waggle.testing.chaos.report import BEGIN, END, Report, bound_95, record, show, write_json

PARTS = ["api", "relay", "worker-1", "worker-2"]


def report(**changes: object) -> Report:
    known: dict[str, object] = {
        "kills": 100,
        "broker_kills": 5,
        "database_kills": 20,
        "points": 3,
        "points_missed": [],
        "points_not_met": [],
        "accepted": 900,
        "acted": 900,
        "lost": 0,
        "doubled": 0,
        "in_doubt": 2,
        "in_doubt_listed": 2,
        "bound_95": 0.03,
        "seed": 7,
        "database": "sqlite",
        "carts": 300,
        "mails": 400,
        "coupons": 90,
        "duration_s": 200.0,
        "date": "2026-03-02",
        "commit": "abc1234",
        "found": [],
    }
    return Report(**(known | changes))  # type: ignore[arg-type]  # fields by name


def test_the_same_seed_draws_the_same_plan_and_another_seed_another() -> None:
    assert draw(7, 50, 3, PARTS, every_s=1.8) == draw(7, 50, 3, PARTS, every_s=1.8)
    assert draw(7, 50, 3, PARTS, every_s=1.8) != draw(8, 50, 3, PARTS, every_s=1.8)


def test_a_plan_has_as_many_kills_as_wanted_and_the_brokers_in_between() -> None:
    plan = draw(1, 200, 10, PARTS, every_s=1.8)
    victims = [kill.part for kill in plan.kills]
    assert victims.count(BROKER) == 10
    assert len(victims) == 210
    assert set(victims) == {BROKER, *PARTS}
    assert all(0.2 <= kill.after_s <= 5.4 for kill in plan.kills)


def test_a_database_without_a_server_is_neither_killed_nor_cut_off() -> None:
    with_server = draw(1, 200, 10, [*PARTS, DATABASE], every_s=1.8)
    without = draw(1, 200, 10, PARTS, every_s=1.8)
    assert DATABASE in {kill.part for kill in with_server.kills}
    assert DATABASE in {stroke.part for stroke in with_server.disturbances}
    assert DATABASE not in {stroke.part for stroke in (*without.kills, *without.disturbances)}


def test_the_way_to_the_mail_server_is_slowed_and_never_cut() -> None:
    plan = draw(1, 1000, 10, PARTS, every_s=1.8)
    assert {stroke.fault for stroke in plan.disturbances if stroke.part == SMTP} == {"slow"}


def test_a_plan_is_told_line_by_line() -> None:
    plan = draw(1, 20, 0, PARTS, every_s=1.8)
    lines = str(plan).splitlines()
    assert lines[0] == "seed 1"
    assert len(lines) == 3 + len(plan.kills) + len(plan.disturbances)


@pytest.mark.parametrize(
    ("failures", "trials", "bound"),
    # From tables of the exact one-sided limits; without failures three divided by the number of trials.
    [(0, 100, 0.03), (0, 1000, 0.003), (0, 2, 1.0), (1, 10, 0.3942), (2, 20, 0.2826), (1, 100, 0.0466), (5, 5, 1.0)],
)
def test_the_bound_is_that_of_three_or_of_clopper_and_pearson(failures: int, trials: int, bound: float) -> None:
    assert bound_95(failures, trials) == pytest.approx(bound, abs=5e-5)


def test_a_report_is_one_json_document(tmp_path: Path) -> None:
    file = tmp_path / "reports" / "chaos.json"
    write_json(report(), file)
    read = json.loads(file.read_text())
    wanted = {"kills", "accepted", "acted", "lost", "doubled", "in_doubt", "in_doubt_listed", "seed", "bound_95"}
    assert wanted <= read.keys()
    assert read["bound_95"] == 0.03


def test_a_finding_or_a_point_that_nobody_reached_makes_a_run_red() -> None:
    assert report().is_clean
    assert not report(found=["lost: cart-1: first-mail"]).is_clean
    assert not report(points_missed=["relay.Relay.sweep.inside"]).is_clean


def test_a_person_is_told_every_number_and_every_finding() -> None:
    console = Console(width=100)
    with console.capture() as said:
        show(report(found=["lost: cart-1: [first-mail] was due"], points_missed=["relay.sweep"]), console)
    text = said.get()
    assert "lost: cart-1: [first-mail] was due" in text
    assert "never reached: relay.sweep" in text
    assert "Not all promises kept" in text
    assert "below 3.00% with 95 % confidence" in text


def test_a_run_takes_its_row_on_the_page_and_replaces_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "guarantees.md"
    page.write_text(f"# Promises\n{BEGIN}\n{END}\nThe end.\n")
    record(report(carts=1), page)
    record(report(carts=2), page)
    record(report(database="postgresql", carts=3), page)
    rows = [line for line in page.read_text().splitlines() if line.startswith("| 2026")]
    assert [row.split(" | ")[7] for row in rows] == ["3", "2"]
    assert page.read_text().startswith(f"# Promises\n{BEGIN}")
    assert page.read_text().endswith(f"{END}\nThe end.\n")
    with pytest.raises(ValueError, match="lacks the lines"):
        record(report(), _empty(tmp_path / "other.md"))


def _empty(page: Path) -> Path:
    page.write_text("nothing")
    return page
