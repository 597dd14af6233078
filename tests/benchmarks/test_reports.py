"""What a benchmark makes of the rounds it has measured; how fast anything is, no test says."""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from matplotlib.image import imread
from rich.console import Console

from benchmarks.report import Report, Row, number, percentiles, spread, summed_up, told
from benchmarks.worker.calls import CallLog, read_calls, repeats
from benchmarks.worker.cart_worker import answering
from benchmarks.worker.diagram import diagram
from benchmarks.worker.given import Given, parser, read
from benchmarks.worker.plan import Plan, size
from benchmarks.worker.poison import POISONS, PROCESS_ID, Dose
from benchmarks.worker.poison import starts as poisoned_starts
from benchmarks.worker.rounds import NO_OP, latency
from benchmarks.worker.sampler import sampled
from benchmarks.worker.telling import BY, COLUMNS, draw
from benchmarks.worker.verdict import goals
from waggle.registry import find_tasks


def row(client: str, load: str, number: int = 0, **changes: object) -> Row:
    return {
        "client": client,
        "load": load,
        "round": number,
        "journeys": 100,
        "completed": 100,
        "journeys_per_s": 50.0 + number,
        "repeated_jobs": 0,
        "worker_cpu_s": 1.5,
        "rss_mb": 60.1,
        "latency_ms": {"p50": 10.5, "p99": 99.0},
        "worker_ended": False,
        **changes,
    }


def rows() -> Iterator[Row]:
    """A run as it should be: every load, two rounds of each."""
    for turn in range(2):
        for client in ("ours", "pyzeebe-polling", "pyzeebe-streaming", "java"):
            yield row(client, "no-op", turn)
            yield row(client, "overload", turn, repeated_jobs=0 if client == "ours" else 180)
        for database in ("sqlite", "postgresql"):
            yield row("ours", "journey", turn, database=database, journeys_per_s=19.0)
            yield row("ours", "journey-no-op", turn, database=database, journeys_per_s=20.0)
        yield row("ours", "poison", turn, poisoned=5, incidents=5, good_jobs_per_s=196.0)
        yield row("ours", "poison-clean", turn, poisoned=0, incidents=0, good_jobs_per_s=200.0)


def report(measured: list[Row]) -> Report:
    summary = summed_up(measured, by=BY, of=(*COLUMNS, "good_jobs_per_s"))
    return Report("worker", {"rounds": 2}, measured, summary, goals(measured, summary))


def verdicts(measured: list[Row]) -> dict[str, bool | None]:
    return {goal.goal: goal.met for goal in report(measured).goals}


def test_rounds_are_summed_up_as_median_least_and_most() -> None:
    measured = [row("ours", "no-op", number, journeys_per_s=value) for number, value in enumerate((70, 50, 60.5))]

    [summary] = summed_up(measured, by=("load", "client"), of=("journeys_per_s", "latency_ms.p99", "absent"))

    assert summary == {
        "load": "no-op",
        "client": "ours",
        "rounds": 3,
        "journeys_per_s": {"median": 60.5, "min": 50, "max": 70},
        "latency_ms.p99": {"median": 99, "min": 99, "max": 99},
    }


def test_groups_come_in_the_order_in_which_they_were_measured() -> None:
    measured = [row("java", "no-op"), row("ours", "no-op"), row("java", "no-op", 1)]

    assert [found["client"] for found in summed_up(measured, by=("client",), of=("completed",))] == ["java", "ours"]


def test_a_round_that_was_skipped_is_in_no_median() -> None:
    measured: list[Row] = [{"client": "java", "load": "no-op", "round": 0, "skipped": "no javac"}]

    assert summed_up(measured, by=("load", "client"), of=list(COLUMNS)) == []


def test_a_percentile_is_a_value_that_was_measured() -> None:
    assert percentiles([float(value) for value in range(1, 201)]) == {"p50": 100, "p99": 198}
    assert percentiles([7.25]) == {"p50": 7.25, "p99": 7.25}
    assert percentiles([]) == {"p50": None, "p99": None}


def test_of_nothing_there_is_no_spread() -> None:
    assert spread([]) is None


def test_a_dotted_name_reads_inside_and_finds_numbers_only() -> None:
    assert number(row("ours", "no-op"), "latency_ms.p50") == 10.5
    assert number(row("ours", "no-op"), "latency_ms") is None
    assert number(row("ours", "no-op"), "worker_ended") is None
    assert number(row("ours", "no-op"), "rss_mb.p50") is None


def test_a_report_is_json_with_rows_medians_goals_and_the_machine(tmp_path: Path) -> None:
    report(list(rows())).write(tmp_path / "new" / "report.json")

    written = json.loads((tmp_path / "new" / "report.json").read_text())

    assert len(written["rows"]) == 28
    assert set(written["rows"][0]) >= {
        *("client", "load", "journeys_per_s", "repeated_jobs", "completed", "worker_cpu_s", "rss_mb", "latency_ms")
    }
    assert written["machine"]["cores"] == os.cpu_count()
    assert {goal["met"] for goal in written["goals"]} == {True}


def test_a_report_is_told_as_a_table_with_its_goals() -> None:
    console = Console(record=True, width=200)

    told(report(list(rows())), console, by=BY, of=COLUMNS)

    text = console.export_text()
    assert "pyzeebe-polling" in text
    assert "50.5 50..51" in text
    assert "met  overload: jobs that ours ran more than once" in text


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_picture_is_written_in_the_form_its_name_says(tmp_path: Path, suffix: str) -> None:
    draw(report(list(rows())), tmp_path / f"picture{suffix}")

    if suffix == ".svg":
        assert "<svg" in (tmp_path / "picture.svg").read_text()
    else:
        height, width, _ = imread(tmp_path / "picture.png").shape
        assert width > height > 600


def test_of_a_run_without_rows_there_is_no_picture(tmp_path: Path) -> None:
    draw(report([]), tmp_path / "picture.svg")

    assert list(tmp_path.iterdir()) == []


def test_a_goal_whose_loads_were_not_played_is_neither_met_nor_missed() -> None:
    assert set(verdicts([row("pyzeebe-polling", "no-op")]).values()) == {None}


def test_one_repeated_job_in_one_round_misses_the_goal_of_overload() -> None:
    measured = [*rows(), row("ours", "overload", 2, repeated_jobs=1)]

    assert verdicts(measured)["overload: jobs that ours ran more than once, in any round"] is False


def test_fewer_completed_than_java_miss_the_goal_of_overload() -> None:
    measured = [row("ours", "overload", completed=99), row("java", "overload", completed=100)]

    assert verdicts(measured)["overload: journeys that ours completed in the window"] is False


def test_effects_below_the_goal_may_be_above_the_floor() -> None:
    measured = [
        row("ours", "journey", database="sqlite", journeys_per_s=8),
        row("ours", "journey-no-op", database="sqlite", journeys_per_s=10),
    ]

    found = verdicts(measured)

    assert found["journey on sqlite: with effects to without, goal"] is False
    assert found["journey on sqlite: with effects to without, floor"] is True


def test_a_poisoned_job_without_an_incident_misses_the_goal() -> None:
    measured = [row("ours", "poison", poisoned=5, incidents=4, good_jobs_per_s=10)]

    assert verdicts(measured)["poison: rounds in which not every poisoned job became an incident"] is False


def test_every_call_is_noted_and_a_second_one_for_the_same_element_counts_as_repeat(tmp_path: Path) -> None:
    log = CallLog(tmp_path / "calls")
    for element in ("Task_1", "Task_2", "Task_2", "Task_2"):
        log.note("journey", element)
    log.note("other", "Task_1")

    calls = read_calls(tmp_path / "calls")

    assert [call.element_id for call in calls] == ["Task_1", "Task_2", "Task_2", "Task_2", "Task_1"]
    assert repeats(calls) == 2
    assert read_calls(tmp_path / "absent") == []


def test_latency_runs_from_the_first_try_to_the_first_end_of_the_last_handler(tmp_path: Path) -> None:
    file = tmp_path / "calls"
    file.write_text("a\tTask_1\t2000000\na\tTask_2\t5000000\na\tTask_2\t9000000\nb\tTask_1\t3000000\n")

    assert latency(read_calls(file), {"a": 1_000_000, "b": 1_000_000}, "Task_2") == {"p50": 4, "p99": 4}


def test_every_client_is_told_the_same_on_its_command_line(tmp_path: Path) -> None:
    given = Given("127.0.0.1:1", tmp_path / "calls", ("work-1", "work-2"), 0.1, 6, 10.0)

    assert read(parser("any").parse_args(given.arguments())) == given


def test_the_diagram_joins_its_tasks_in_order() -> None:
    text = diagram("bench", ("first", "second")).decode()

    flows = re.findall(r'sourceRef="(\w+)" targetRef="(\w+)"', text)
    assert flows == [("Event_Start", "Task_1"), ("Task_1", "Task_2"), ("Task_2", "Event_End")]
    assert re.findall(r'taskDefinition type="(\w+)"', text) == ["first", "second"]


def test_poison_is_spread_evenly_over_all_kinds_to_the_very_number() -> None:
    dose = Dose.scaled(0.06)

    starts = list(poisoned_starts("p", dose.journeys, dose.poisoned))

    assert (len(starts), dose.poisoned) == (300, 60)
    assert {start.message for start in starts} == {PROCESS_ID}
    kinds = [{**start.variables, "journey_id": ""} for start in starts]
    counted = Counter(
        name for kind in kinds for name, poison in POISONS.items() if kind == {**poison, "journey_id": ""}
    )
    assert counted == dict.fromkeys(POISONS, 10)


def test_a_full_dose_is_twenty_thousand_jobs_of_which_a_thousand_are_poison() -> None:
    assert Dose.scaled(1) == Dose(journeys=5000, poisoned=1000)


def test_a_smaller_load_has_the_same_shape() -> None:
    assert NO_OP.scaled(1) is NO_OP
    assert NO_OP.scaled(0.1).journeys == 120
    assert NO_OP.scaled(0.1).task_types == NO_OP.task_types


def test_a_plan_knows_how_many_rounds_it_has() -> None:
    plan = Plan(5, ("no-op", "overload", "journey", "poison"), ("ours", "java"), ("sqlite",), 1)

    assert size(plan) == 5 * (2 + 2 + 2 + 2)


def test_without_effects_every_task_of_the_diagram_still_has_an_answer_of_its_type() -> None:
    diagrams = "".join(file.read_text() for file in Path(__file__).parents[2].glob("bpmn/journeys/abandoned-cart.bpmn"))
    asked_for = set(re.findall(r'taskDefinition type="([\w-]+)"', diagrams))

    answered = answering(find_tasks())

    assert {task.task_type for task in answered} == asked_for


def test_the_profile_names_the_place_that_uses_the_processor(tmp_path: Path) -> None:
    with sampled(tmp_path / "profile.json"):
        busy()

    profile = json.loads((tmp_path / "profile.json").read_text())
    assert any(":busy" in place or place.endswith(":<genexpr>") for place in profile["by_place_s"])
    assert profile["sum_s"] > 0


def busy() -> int:
    return sum(number * number for number in range(3_000_000))
