"""`waggle tasks` and `waggle worker`: limits per task type, and where they come from."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from waggle.app import App
from waggle.registry import find_tasks
from waggle.settings import load_settings

DECLARED = find_tasks()["send-message"]


def listed(waggle: CommandLine, task_type: str) -> dict[str, Any]:
    every: list[dict[str, Any]] = json.loads(waggle("tasks", "--json").out)
    return next(each for each in every if each["task_type"] == task_type)


def test_without_anything_set_the_declared_limits_are_in_force(waggle: CommandLine) -> None:
    shown = listed(waggle, "send-message")

    assert (shown["concurrency"], shown["timeout_s"]) == (DECLARED.concurrency, DECLARED.timeout_s)
    assert (shown["rate_per_s"], shown["retries"]) == (DECLARED.rate_per_s, DECLARED.retries)
    assert shown["set_by"] == {}


def test_each_task_says_what_it_does_in_words_of_its_own(waggle: CommandLine) -> None:
    every = json.loads(waggle("tasks", "--json").out)

    said = [each["does"].partition(". ")[0] for each in every]
    assert len(set(said)) == len(every)
    assert not any(words.startswith("Look, and decide") for words in said)
    assert "read-campaign              How far a campaign is. " in waggle("tasks").out


def test_what_is_set_is_shown_with_its_source(
    waggle: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.toml").write_text("[worker.tasks.send-message]\nretries = 7\nrate_per_s = 5\n", encoding="utf-8")
    monkeypatch.setenv("WAGGLE_CONFIG", "own.toml")
    monkeypatch.setenv("WAGGLE_WORKER__TASKS__SEND_MESSAGE__RATE_PER_S", "20")

    shown = listed(waggle, "send-message")

    assert (shown["retries"], shown["rate_per_s"], shown["concurrency"]) == (7, 20, DECLARED.concurrency)
    assert shown["set_by"] == {
        "retries": str(tmp_path / "own.toml"),
        "rate_per_s": "WAGGLE_WORKER__TASKS__SEND_MESSAGE__RATE_PER_S",
    }
    text = " ".join(waggle("tasks").out.split())
    assert "20 per second (from WAGGLE_WORKER__TASKS__SEND_MESSAGE__RATE_PER_S)" in text
    said = waggle("doctor", "--json").out
    assert "worker.tasks.send-message.rate_per_s = 20.0, from WAGGLE_WORKER__TASKS__SEND_MESSAGE__RATE_PER_S" in said


def test_what_runs_tasks_runs_them_within_the_limits_that_are_set(tmp_path: Path) -> None:
    app = App(load_settings({"WAGGLE_WORKER__TASKS__SEND_MESSAGE__TIMEOUT_S": "60"}, here=tmp_path))

    assert app.tasks["send-message"].timeout_s == 60
    assert app.tasks["send-message"].concurrency == DECLARED.concurrency
    assert list(app.tasks) == list(find_tasks())


@pytest.mark.parametrize("command", ["tasks", "worker", "up"])
def test_limits_of_a_task_type_that_nobody_answers_are_refused(
    waggle: CommandLine, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAGGLE_WORKER__TASKS__SEND_MESAGE__RETRIES", "1")

    said = waggle(command)

    assert said.code == 2
    assert said.err.startswith("waggle: TASK_TYPE_UNKNOWN: worker.tasks.send-mesage: no worker answers it; known: ")
    assert "send-message" in said.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--concurrency", "4"], "LIMITS_FOR_NOBODY: --concurrency: name the task types meant"),
        (["send-message", "--concurrency", "0"], "send-message.concurrency: Expected `int` >= 1, from --concurrency"),
        (["send-message", "--rate-per-s", "0"], "send-message.rate_per_s: Expected `float` > 0.0, from --rate-per-s"),
        (["send-message", "--timeout-s", "-1"], "send-message.timeout_s: Expected `float` > 0.0, from --timeout-s"),
        (["send-message", "--retries", "0"], "send-message.retries: Expected `int` >= 1, from --retries"),
        (["send-mesage", "--retries", "5"], "worker.tasks.send-mesage: no worker answers it"),
    ],
    ids=" ".join,
)
def test_a_flag_that_cannot_be_is_named(waggle: CommandLine, words: list[str], told: str) -> None:
    said = waggle("worker", *words)

    assert said.code == 2
    assert told in " ".join(said.err.split())
