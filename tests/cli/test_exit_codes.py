"""0 done, 1 tried in vain, 2 wrongly asked or set, 3 not now: as waggle/cli/__init__.py says."""

import json

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.place import Place
from waggle.registry import find_tasks


def test_what_was_done_is_0(waggle: CommandLine) -> None:
    assert waggle("tasks").code == 0


def test_what_was_tried_in_vain_is_1(waggle: CommandLine) -> None:
    assert waggle("doctor").code == 1


@pytest.mark.parametrize(
    "words",
    [("dance",), ("deploy", "everything"), ("worker", "dance"), ("keys", "create"), ("keys", "create", "The Shop!")],
    ids=" ".join,
)
def test_what_was_wrongly_asked_is_2(waggle: CommandLine, words: tuple[str, ...]) -> None:
    assert waggle(*words).code == 2


@pytest.mark.parametrize("command", ["up", "demo", "deploy", "api", "relay", "worker", "mailbox"])
def test_what_is_wrongly_set_is_2_and_named(waggle: CommandLine, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAGGLE_POLICY__CAP_MESSAGES", "many")

    said = waggle(command)

    assert said.code == 2
    assert said.err.startswith("waggle: SETTING_WRONG: policy.cap_messages: Expected `int`, got `str`, from ")
    assert said.out == ""


def test_a_home_that_cannot_be_written_is_named(waggle: CommandLine, place: Place) -> None:
    place.home.write_text("no folder", encoding="utf-8")

    said = waggle("up")

    assert said.code == 2
    assert said.err.startswith(f"waggle: HOME_UNUSABLE: {place.home} cannot be written: set WAGGLE_HOME")


def test_what_is_away_is_3(waggle: CommandLine) -> None:
    assert waggle("deploy").code == 3


def test_an_error_quotes_brackets_as_they_are(waggle: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be markup on a terminal."""
    monkeypatch.setenv("WAGGLE_POLICY__DEFAULT_TIME_ZONE", "[bold]Mars[/bold]")

    assert "'[bold]Mars[/bold]'" in waggle("deploy").err


def test_the_list_of_tasks_is_json_for_programs(waggle: CommandLine) -> None:
    listed = json.loads(waggle("tasks", "--json").out)

    assert [each["task_type"] for each in listed] == list(find_tasks())
    assert {"reads", "writes", "throws", "timeout_s"} < set(listed[0])


def test_the_list_of_tasks_fits_80_columns_and_says_what_each_throws(waggle: CommandLine) -> None:
    text = waggle("tasks").out

    assert max(map(len, text.splitlines())) <= 80
    assert "throws COUPON_BUDGET_EXHAUSTED" in text


def test_the_state_of_the_engine_is_json_for_programs(waggle: CommandLine, place: Place) -> None:
    said = waggle("engine", "status", "--json", "--home", str(place.home / "engine"))

    assert json.loads(said.out)["state"] == "stopped"
    assert said.code == 1


def test_a_new_write_key_is_all_that_is_printed(waggle: CommandLine) -> None:
    first, second = waggle("keys", "create", "shop/eu").out, waggle("keys", "create", "shop/eu").out

    assert first.startswith("wk_")
    assert first.count("\n") == 1
    assert first != second
