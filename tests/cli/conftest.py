"""Fixtures: a place to run the command line in, and the command line in this process."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.place import Place
from waggle.cli import main
from waggle.testing.ports import kept_ports


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


class CommandLine:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Said:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main(arguments)
        out, err = self._capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Said(end.value.code, out, err)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A home of its own with ports that nobody uses, in force for this process too."""
    with kept_ports(4) as ports:
        place = Place(tmp_path / "home", *ports)
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.chdir(tmp_path)
        yield place
        place.clear()


@pytest.fixture
def waggle(place: Place, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys)


@pytest.fixture
def mail_server(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Somebody listens where mail would be handed over; the port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        monkeypatch.setenv("WAGGLE_SMTP__PORT", str(port))
        yield port
