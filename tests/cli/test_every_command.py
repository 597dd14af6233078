"""What holds for every command, whoever wrote it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from cyclopts import App as Commands

from tests.cli.conftest import CommandLine
from tests.cli.place import Place
from waggle.cli import _COMMANDS, commands


def paths(app: Commands, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield before
    for name in app:
        if not name.startswith("-"):
            yield from paths(app[name], (*before, name))


EVERY = list(paths(commands))


def test_the_commands_are_these() -> None:
    assert {path[0] for path in EVERY if path} == {
        *("up", "demo", "check", "deploy", "doctor", "tasks", "keys", "people", "audit", "messages", "effects"),
        *("engine", "simulate"),
        *("api", "relay", "worker", "exchange", "mailbox"),
        *("sources", "import"),
        *("customer", "replay"),
        *("events", "engine-messages"),
        *("streams", "export"),
        *("backup", "privacy"),
        *("consents", "privacy-requests", "retention", "transfers"),
        *("journeys", "migrate", "rollback", "promote"),
        *("templates", "new", "diff"),
        *("segments", "campaigns", "approvals"),
    }


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_its_help_has_an_example_that_can_be_typed(waggle: CommandLine, path: tuple[str, ...]) -> None:
    said = waggle(*path, "--help")

    text = " ".join(said.out.split())
    assert said.code == 0
    assert "Example: " in text
    example = text.partition("Example: ")[2]
    typed = re.match(r"(?:WAGGLE_\w+=\S+ )*waggle ([a-z-]+)(?: ([a-z]+))?", example)
    assert typed is not None, example
    assert typed[1] in {each[0] for each in EVERY if each}
    assert path[:1] in {(), (typed[1],)}


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_it_fits_a_terminal_of_80_columns(waggle: CommandLine, path: tuple[str, ...]) -> None:
    assert max(map(len, waggle(*path, "--help").out.splitlines())) <= 80


LISTED = [path[:-1] for path in EVERY if path[-1:] == ("list",)]


def test_all_groups_that_have_something_to_list_list_it_by_that_word() -> None:
    assert {path[0] for path in LISTED} == {
        *("approvals", "audit", "campaigns", "effects", "engine-messages", "events", "journeys", "keys", "messages"),
        *("people", "privacy-requests", "segments", "sources", "streams"),
    }


@pytest.mark.parametrize("path", LISTED, ids=" ".join)
def test_a_group_lists_without_the_word_too(waggle: CommandLine, path: tuple[str, ...]) -> None:
    bare, said = waggle(*path, "--json"), waggle(*path, "list", "--json")

    json.loads(said.out)
    assert (bare.code, bare.out) == (said.code, said.out) == (0, said.out)


@pytest.mark.parametrize("path", LISTED, ids=" ".join)
def test_a_command_that_a_group_does_not_have_is_answered_with_those_it_has(
    waggle: CommandLine, path: tuple[str, ...]
) -> None:
    said = waggle(*path, "dance")

    assert said.code == 2
    assert re.match(r"waggle: MISUSED: dance: no such command; there are: .*\blist\b", said.err)


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_its_help_loses_no_word_in_angle_brackets(waggle: CommandLine, path: tuple[str, ...]) -> None:
    """Markdown takes <name> for HTML and drops it."""
    assert not re.search(r"\[\w+\.\]|/ ?/|=/", waggle(*path, "--help").out)


@pytest.mark.parametrize("path", [path for path in EVERY if len(path) > 1], ids=" ".join)
def test_the_help_of_a_group_says_what_each_of_its_commands_is_for(waggle: CommandLine, path: tuple[str, ...]) -> None:
    assert re.search(rf"^\W+{path[-1]} +[A-Z]\w*", waggle(*path[:-1], "--help").out, re.MULTILINE)


@pytest.mark.parametrize("path", [path for path in EVERY if path], ids=" ".join)
def test_an_unknown_option_is_named_and_ends_it_with_2(waggle: CommandLine, path: tuple[str, ...]) -> None:
    said = waggle(*path, "--colour", "red")

    assert said.code == 2
    assert "colour" in said.out + said.err


def test_the_first_help_says_what_each_command_is_for(place: Place) -> None:
    """In a process of its own: here each was imported already."""
    said = subprocess.run(
        [sys.executable, "-m", "waggle"],
        env={**os.environ, **place.environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    for name in {path[0] for path in EVERY if path}:
        assert re.search(rf"^\W+{name} +[A-Z]\w*", said, re.MULTILINE), name


@pytest.mark.parametrize("path", [path for path in EVERY if len(path) == 1], ids=" ".join)
def test_the_first_help_says_of_it_what_its_own_begins_with(path: tuple[str, ...]) -> None:
    [listed] = [named[path[0]][1] for named in _COMMANDS.values() if path[0] in named]

    assert " ".join(commands[path[0]].help.split()).startswith(listed)


@pytest.mark.parametrize("path", [path for path in EVERY if path[:1] != ("engine",)], ids=" ".join)
def test_no_switch_has_a_twin_that_says_nothing(waggle: CommandLine, path: tuple[str, ...]) -> None:
    assert "--no-" not in waggle(*path, "--help").out
