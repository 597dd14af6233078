"""What holds for every command, whoever wrote it."""

import re
from collections.abc import Iterator

import pytest
from cyclopts import App as Commands

from tests.cli.conftest import CommandLine
from waggle.cli import commands


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


@pytest.mark.parametrize("path", [path for path in EVERY if path], ids=" ".join)
def test_an_unknown_option_is_named_and_ends_it_with_2(waggle: CommandLine, path: tuple[str, ...]) -> None:
    said = waggle(*path, "--colour", "red")

    assert said.code == 2
    assert "colour" in said.out + said.err
