"""`waggle doctor` on a good installation and on broken ones."""

import json
import re
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event

from tests.cli.conftest import CommandLine
from tests.cli.place import ROOT, Place, started
from waggle.settings import ApiSettings
from waggle.storage.store import Store, open_store
from waggle.testing.gateway import FakeGateway
from waggle.wiring import database


def states(waggle: CommandLine) -> dict[str, tuple[str, str]]:
    said = waggle("doctor", "--json")
    found = {each["what"]: (each["state"], each["detail"]) for each in json.loads(said.out)}
    assert said.code == int(any(state == "bad" for state, _ in found.values()))
    return found


def bad(waggle: CommandLine) -> dict[str, str]:
    """Return what is bad; the engine is always away here."""
    return {what: detail for what, (state, detail) in states(waggle).items() if state == "bad" and what != "engine"}


@pytest.mark.anyio
async def test_a_good_installation_is_well(place: Place, mail_server: int) -> None:
    async with (
        FakeGateway.serving() as gateway,
        started(place, "doctor", WAGGLE_ENGINE__ADDRESS=gateway.address, WAGGLE_SMTP__PORT=str(mail_server)) as doctor,
    ):
        assert await doctor.ended() == 0

    assert "All is well." in doctor.said
    # Not anywhere in it: the name of a folder may hold any letters.
    assert not re.search(r"^bad\b", doctor.said, re.MULTILINE)
    assert "Zeebe 8.6.0" in doctor.said
    assert "this version may forget a job that fails twice" in " ".join(doctor.said.split())


def test_an_engine_that_is_away_is_bad_and_named(waggle: CommandLine, place: Place) -> None:
    state, detail = states(waggle)["engine"]

    assert state == "bad"
    assert f"ENGINE_UNREACHABLE: no answer from 127.0.0.1:{place.engine_port}" in detail


def test_the_embedded_engine_is_bad_if_it_does_not_run(
    waggle: CommandLine, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WAGGLE_ENGINE__ADDRESS")

    state, detail = states(waggle)["engine"]

    assert state == "bad"
    assert "`waggle up`" in detail
    assert str(place.home / "engine") in detail


@pytest.mark.usefixtures("mail_server")
def test_all_else_is_good_without_an_engine(waggle: CommandLine) -> None:
    assert bad(waggle) == {}


def test_a_mail_server_that_is_away_is_bad(waggle: CommandLine, place: Place) -> None:
    found = bad(waggle)

    assert set(found) == {"connectors"}
    assert f"nobody listens on 127.0.0.1:{place.smtp_port}" in found["connectors"]


def test_a_wrong_setting_is_all_that_is_said(waggle: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAGGLE_API__PROT", "1")

    [(what, (state, detail))] = states(waggle).items()

    assert (what, state) == ("settings", "bad")
    known = ", ".join(sorted(field.name for field in fields(ApiSettings)))
    assert f"api.prot is no setting, from WAGGLE_API__PROT; known: {known}" in detail


@pytest.mark.usefixtures("mail_server")
def test_a_section_that_nobody_knows_is_bad(
    waggle: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.toml").write_text('[pigeon]\nloft = "north"\n', encoding="utf-8")
    monkeypatch.setenv("WAGGLE_CONFIG", "own.toml")

    assert "[pigeon] is neither" in bad(waggle)["connectors"]


def test_what_is_set_is_shown_with_its_source_and_a_secret_is_not(
    waggle: CommandLine, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAGGLE_ENGINE__CLIENT_SECRET", "hunter2")
    monkeypatch.setenv("WAGGLE_SMTP__PASSWORD", "hunter3")

    said = waggle("doctor", "--json").out

    assert f"api.port = {place.api_port}, from WAGGLE_API__PORT" in said
    assert "engine.client_secret = ***, from WAGGLE_ENGINE__CLIENT_SECRET" in said
    assert "hunter" not in said


@pytest.fixture
def locked(place: Place) -> Iterator[None]:
    """Let another program hold the database."""
    open_store(f"sqlite:///{place.home / 'waggle.db'}").close()
    other = sqlite3.connect(place.home / "waggle.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.close()


@pytest.mark.usefixtures("mail_server", "locked")
def test_a_locked_database_is_bad(waggle: CommandLine) -> None:
    assert "DATABASE_LOCKED: another program holds the database file locked" in bad(waggle)["database"]


@pytest.mark.usefixtures("mail_server")
def test_a_database_that_cannot_be_written_is_bad(waggle: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not bind root, so the connection itself is told to refuse writing."""

    def opened(url: str, **settings: Any) -> Store:  # noqa: ANN401 -- whatever the real one takes
        store = open_store(url, **settings)

        @event.listens_for(store._engine, "begin")
        def refuse(connection: Connection) -> None:
            connection.exec_driver_sql("PRAGMA query_only = ON")

        return store

    monkeypatch.setattr(database, "open_store", opened)

    assert "DATABASE_READ_ONLY" in bad(waggle)["database"]


@pytest.mark.usefixtures("mail_server")
def test_a_home_that_cannot_be_made_is_bad(waggle: CommandLine, place: Place) -> None:
    place.home.write_text("no folder", encoding="utf-8")

    assert "DATABASE_UNREACHABLE" in bad(waggle)["database"]


@pytest.mark.usefixtures("mail_server")
def test_a_broken_diagram_is_bad_and_the_element_named(
    waggle: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "bpmn", tmp_path / "bpmn")
    diagram = tmp_path / "bpmn" / "journeys" / "abandoned-cart.bpmn"
    diagram.write_text(diagram.read_text().replace('type="score-customer"', 'type="score-costumer"'))
    monkeypatch.setenv("WAGGLE_BPMN_DIR", "bpmn")

    [detail] = bad(waggle).values()

    assert "score-costumer" in detail
    assert "mend:" in detail


@pytest.mark.usefixtures("mail_server")
def test_a_port_that_a_stranger_has_is_bad_and_the_stranger_named(waggle: CommandLine, place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.api_port)):
        [detail] = bad(waggle).values()

    assert f"port {place.api_port} is taken by " in detail
    assert "set api.port to another" in detail
