"""`waggle simulate` as far as it goes without an engine: what is asked, refused, told and drawn."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from waggle.cli import main
from waggle.cli.simulating import _conclude, _document, _draw, _tell
from waggle.resources import shipped
from waggle.scenarios.performance import Performance
from waggle.scenarios.scenario import Expectation, Scenario
from waggle.scenarios.session import Theatre, coverage
from waggle.scenarios.story import Happening
from waggle.scenarios.story import Path as Way

BEGAN_AT = datetime(2026, 3, 1, 10, tzinfo=UTC)


@pytest.fixture
def theatre(tmp_path: Path) -> Theatre:
    """Give a copy of one shipped journey with its settings."""
    bpmn, config = tmp_path / "bpmn", tmp_path / "config"
    (bpmn / "journeys").mkdir(parents=True)
    shutil.copy(shipped("bpmn") / "journeys" / "customer-objection.bpmn", bpmn / "journeys")
    shutil.copytree(shipped("config"), config)
    return Theatre(bpmn, config, tmp_path / "simulate")


def performance(**found: Any) -> Performance:  # noqa: ANN401 -- fields of a Performance
    scenario = Scenario(
        journey="customer-objection",
        name="case",
        file=Path("case.toml"),
        title="A case",
        expect=msgspec.convert(found.pop("expect", {}), Expectation),
    )
    fields: dict[str, Any] = {
        "enrolments": [{"outcome": "applied", "outcome_reason": "", "state": "ended"}],
        "mails": [],
        "messages": [],
        "paths": {"customer-objection": Way(nodes={"Task_OpenEnrolment", "Event_ObjectionRequested"})},
        "incidents": [],
        "happenings": [
            Happening(BEGAN_AT, "told", "privacy-request-opened"),
            Happening(
                BEGAN_AT + timedelta(minutes=20), "passed", "Open the [enrolment]", "customer-objection", "Task_X"
            ),
        ],
    }
    return Performance(scenario=scenario, began_at=BEGAN_AT, took_s=1.0, **{**fields, **found})


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["simulate", *arguments])
    return int(ended.value.code or 0), " ".join(capsys.readouterr().err.split())


def printed(tell: Any, *arguments: Any, **more: Any) -> str:  # noqa: ANN401 -- whatever it is given
    console = Console(width=160, force_terminal=False)
    with console.capture() as captured:
        tell(console, *arguments, **more)
    return captured.get()


@pytest.mark.parametrize("arguments", [(), ("abandoned-cart", "--all"), ("--all", "--scenario", "x")])
def test_one_journey_or_all_is_asked_for(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, said = refused(capsys, *arguments)

    assert (code, "SIMULATE_WHAT" in said) == (2, True)


def test_a_scenario_that_does_not_exist_is_answered_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(capsys, "abandoned-cart", "--scenario", "no-such")

    assert code == 2
    assert "abandoned-cart has no scenario no-such; known: address-refused, at-night" in said


@pytest.mark.parametrize(
    ("setting", "said_so"),
    [
        ("nope=3", "--settings nope: abandoned-cart has no such setting; those it has: cart_idle, order_window, reply"),
        ("exits.nope=3", "--settings exits.nope: abandoned-cart has no such setting; those it has: exits.order_ends_"),
        ("entry.nope=3", "--settings entry.nope: abandoned-cart has no such setting; those it has: entry.cool_down, "),
        ("policy.nope=3", "--settings policy.nope: Waggle has no such setting; those it has: policy.cap_messages, "),
    ],
)
def test_a_setting_that_the_journey_does_not_have_is_answered_with_those_it_has(
    capsys: pytest.CaptureFixture[str], setting: str, said_so: str
) -> None:
    """Before an engine is started; no file of a scenario is blamed."""
    code, said = refused(capsys, "abandoned-cart", "--settings", setting)

    assert code == 2
    assert said.startswith(f"waggle: SETTING_UNKNOWN: {said_so}")
    assert ".toml" not in said


def test_a_journey_that_does_not_exist_is_answered_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = refused(capsys, "abandoned-card")

    assert code == 2
    assert said.startswith("waggle: JOURNEY_UNKNOWN: ")
    assert "has no journey abandoned-card; there are: abandoned-cart, " in said


def test_less_than_one_engine_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "abandoned-cart", "--engines", "0") == (2, "waggle: SIMULATE_WHAT: --engines: at least 1")


def test_a_folder_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, said = refused(capsys, "abandoned-cart", "--bpmn", str(tmp_path / "none"))

    assert (code, "FOLDER_MISSING" in said) == (2, True)


def test_a_journey_that_the_check_faults_is_not_played(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAGGLE_HOME", str(tmp_path / "home"))
    bpmn = tmp_path / "bpmn"
    shutil.copytree(shipped("bpmn"), bpmn)
    diagram = bpmn / "journeys" / "abandoned-cart.bpmn"
    text = diagram.read_text(encoding="utf-8")
    diagram.write_text(text.replace('type="score-customer"', 'type="scored-customer"'), encoding="utf-8")

    code, said = refused(capsys, "abandoned-cart", "--bpmn", str(bpmn))

    assert code == 1
    assert "nothing was simulated" in said
    assert "scored-customer" in said
    assert "mend:" in said


def test_the_story_says_when_what_happened_and_how_it_ended() -> None:
    said = printed(_tell, performance())

    assert "20 min" in said
    assert "Open the [enrolment]" in said
    assert "Outcome: applied" in said
    assert "as expected" in said


def test_what_differs_is_listed() -> None:
    said = printed(_tell, performance(expect={"outcome": "ordered"}))

    assert "not as expected" in said
    assert "✗ outcome ordered was expected; it is applied" in said


def test_the_conclusion_names_what_is_not_reached(theatre: Theatre) -> None:
    played = [performance()]

    said = printed(_conclude, played, coverage(theatre, played, ["customer-objection"]), 3.0, is_all=True)

    assert "not reached customer-objection: Task_CloseRequest Close the request" in said
    assert "1 of 1 scenarios as expected" in said
    assert "nodes and flows are reached by no scenario and not explained" in said


def test_the_conclusion_of_all_ends_with_what_was_not_as_expected(theatre: Theatre) -> None:
    played = [performance(), performance(expect={"outcome": "ordered"})]

    said = printed(_conclude, played, coverage(theatre, played, ["customer-objection"]), 3.0, is_all=True)

    below = said.partition("explained in vain")[2] or said.partition("not reached")[2]
    assert below.count("customer-objection/case") == 1
    assert "✗ outcome ordered was expected; it is applied" in below
    assert below.index("✗") < below.index("1 of 2 scenarios as expected")


def test_programs_are_told_the_same(theatre: Theatre) -> None:
    played = [performance(expect={"outcome": "ordered"})]

    document = _document(played, coverage(theatre, played, ["customer-objection"]))

    [told] = document["scenarios"]
    assert (told["as_expected"], told["outcome"]) == (False, "applied")
    assert told["happenings"][1]["after_s"] == 1200
    [covered] = document["coverage"]
    assert covered["reached"] == 2
    assert covered["total"] == 2 + len(covered["unreached"])
    msgspec.json.encode(document)


def test_each_scenario_and_each_diagram_gets_its_picture(theatre: Theatre, tmp_path: Path) -> None:
    _draw(theatre, [performance()], tmp_path / "pictures")

    names = {file.name for file in (tmp_path / "pictures").iterdir()}
    assert names == {"customer-objection.case.svg", "reached.customer-objection.svg"}


def test_gaps_of_the_files_in_question_count(theatre: Theatre) -> None:
    folder = theatre.bpmn_dir / "scenarios" / "customer-objection"
    folder.mkdir(parents=True)
    (folder / "gaps.toml").write_text('Task_CloseRequest = "never"\nTask_Gone = "never"', encoding="utf-8")

    [found] = coverage(theatre, [performance()], ["customer-objection"])

    assert "Task_CloseRequest" not in {gap.element for gap in found.unexplained}
    assert found.stale == ("Task_Gone",)
