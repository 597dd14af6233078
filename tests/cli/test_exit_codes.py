"""0 done, 1 tried in vain, 2 wrongly asked or set, 3 not now: as waggle/cli/__init__.py says."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

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


def test_a_database_that_is_away_is_named_without_user_and_password(
    waggle: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAGGLE_DATABASE__URL", "postgresql://bee:hunter2@127.0.0.1:9/shop-facts")

    said = waggle("sources", "list")

    server = "PostgreSQL on 127.0.0.1, port 9, database shop-facts"
    assert said.code == 3
    assert said.err == f"waggle: DATABASE_UNREACHABLE: {server}: it does not answer; is it running?\n"


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


@pytest.mark.parametrize(
    ("words", "said_so"),
    [
        (("keys", "create"), "SOURCE is missing"),
        (("keys", "revoke", "k-1"), "--why is missing"),
        (("people", "add", "kim", "--role"), "--role needs a value"),
        (("people", "list", "now"), "now: not understood"),
        (("dance",), 'Unknown command "dance"'),
        (("people", "add", "kim", "--role", "king"), "king"),
        (("keys", "creat", "shop"), "creat: no such command; there are: "),
        (("demo", "--shoppers", "0"), "for --shoppers. Must be >= 1"),
    ],
    ids=lambda each: "" if isinstance(each, str) else " ".join(each),
)
def test_who_asks_wrongly_is_told_what_is_wrong_and_where_it_says_how(
    waggle: CommandLine, words: tuple[str, ...], said_so: str
) -> None:
    said = waggle(*words)

    assert said.code == 2
    assert said.err.startswith("waggle: MISUSED: ")
    assert said_so in said.err
    assert "--help` shows how it is called" in " ".join(said.err.split())


def test_a_file_that_cannot_be_written_is_named_with_the_cause(waggle: CommandLine, tmp_path: Path) -> None:
    target = tmp_path / "nowhere" / "codes.txt"

    said = waggle("audit", "export", "--jsonl", str(target))

    assert said.code == 2
    assert said.err.startswith(f"waggle: FILE_UNUSABLE: {target}")


def test_what_the_system_refuses_is_told_without_a_traceback(
    waggle: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/waggle.db")

    monkeypatch.setattr("waggle.cli.tasks.App", refuse)

    said = waggle("tasks")

    assert (said.code, said.err) == (1, "waggle: SYSTEM_REFUSED: /data/waggle.db: no space left on device\n")


def test_a_fault_of_our_own_is_told_without_the_text_of_the_error(
    waggle: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("ada@example.com")

    monkeypatch.setattr("waggle.cli.tasks.App", fail)

    said = waggle("tasks")

    assert said.code == 1
    assert said.err.startswith("waggle: INTERNAL_ERROR: KeyError: this is a fault of Waggle")
    assert "test_exit_codes.py" in said.err
    assert "ada@" not in said.err


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["table", "json"])
def test_a_reader_who_goes_away_is_no_fault(place: Place, form: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as nobody:
        ended = subprocess.run(
            [sys.executable, "-m", "waggle", "tasks", *form],
            env={**os.environ, **place.environment},
            stdout=nobody,
            stderr=subprocess.PIPE,
            check=False,
        )

    assert (ended.returncode, ended.stderr) == (1, b"")
