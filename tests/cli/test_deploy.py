"""`waggle deploy`: all or nothing, and plain words for what is wrong."""

import json
import shutil
import socket
import time
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.place import ROOT, WITHIN_S, Place, started
from waggle.testing.gateway import FakeGateway


@pytest.fixture
def own_diagrams(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "bpmn", tmp_path / "bpmn")
    return tmp_path / "bpmn" / "journeys" / "abandoned-cart.bpmn"


@pytest.fixture
def misspelt(own_diagrams: Path) -> Path:
    text = own_diagrams.read_text()
    own_diagrams.write_text(text.replace('type="score-customer"', 'type="score-costumer"'))
    return own_diagrams


@pytest.mark.anyio
async def test_what_was_deployed_is_listed(place: Place) -> None:
    async with (
        FakeGateway.serving() as gateway,
        started(place, "deploy", "--json", WAGGLE_ENGINE__ADDRESS=gateway.address) as deploy,
    ):
        assert await deploy.ended() == 0

    told = json.loads(deploy.said)
    names = {each["name"] for each in told["deployed"]}
    files = {file.name: file.stem for file in (ROOT / "bpmn").glob("*/*.*")}
    assert {"abandoned-cart", "cart-offer"} < names == set(files.values())
    assert set(gateway.resources) == files.keys()


@pytest.mark.anyio
async def test_a_task_type_that_no_worker_has_keeps_everything_from_being_deployed(
    place: Place, misspelt: Path
) -> None:
    async with (
        FakeGateway.serving() as gateway,
        started(place, "deploy", WAGGLE_ENGINE__ADDRESS=gateway.address, WAGGLE_BPMN_DIR="bpmn") as deploy,
    ):
        assert await deploy.ended() == 1

    assert str(misspelt) in deploy.said
    assert "Task_ScoreCustomer" in deploy.said
    assert "score-costumer" in deploy.said
    assert "mend: " in deploy.said
    assert gateway.calls == []


def test_a_wrong_diagram_is_told_without_an_engine(
    waggle: CommandLine, own_diagrams: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_diagrams.write_text("<bpmn")
    monkeypatch.setenv("WAGGLE_BPMN_DIR", "bpmn")

    said = waggle("deploy")

    assert said.code == 1
    assert str(own_diagrams) in said.err
    assert said.out == ""


@pytest.mark.parametrize("door", ["closed", "silent"])
def test_an_engine_that_does_not_answer_gets_one_sentence_within_ten_seconds(
    waggle: CommandLine, place: Place, door: str
) -> None:
    with socket.create_server(("127.0.0.1", place.engine_port if door == "silent" else 0)):
        began_s = time.monotonic()
        said = waggle("deploy")

    # Ten seconds of waiting at most, and the slowness of a machine on which other tests run.
    assert time.monotonic() - began_s < WITHIN_S
    assert said.code == 3
    assert said.out == ""
    assert said.err.startswith(f"waggle: ENGINE_UNREACHABLE: no answer from 127.0.0.1:{place.engine_port}")
    assert said.err.count("\n") == 1
