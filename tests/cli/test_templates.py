"""`waggle templates`: the steps lie where Modeler looks, also in an analyst's own folder."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.place import ROOT
from waggle.cli.templates import FOLDER


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An analyst's own folder, with a message of their own."""
    for name in ("bpmn", "config"):
        shutil.copytree(ROOT / name, tmp_path / name)
        monkeypatch.setenv(f"WAGGLE_{name.upper()}_DIR", str(tmp_path / name))
    shutil.copytree(ROOT / "config/messages/abandoned-cart", tmp_path / "config/messages/easter-eggs")
    return tmp_path


def test_an_analysts_own_messages_stand_in_the_drop_downs(waggle: CommandLine, own: Path) -> None:
    said = waggle("templates", "--json")

    assert said.code == 0
    assert json.loads(said.out)["folder"] == str(own / FOLDER)
    step = json.loads((own / FOLDER / "task-send-message.json").read_text())
    [field] = [each for each in step["properties"] if each.get("label") == "Message"]
    assert {"name": "Easter eggs", "value": "easter-eggs"} in field["choices"]


def test_a_diagram_drawn_without_steps_is_tied_to_them_and_changed_in_nothing_else(
    waggle: CommandLine, own: Path
) -> None:
    file = own / "bpmn/journeys/abandoned-cart.bpmn"
    attributes = re.compile(r' zeebe:modelerTemplate(Version|Icon)?="[^"]*"')
    before = attributes.sub("", file.read_text())
    more = '<zeebe:input source="fast" target="speed" />'
    before = before.replace('<zeebe:input source="=cart_id"', f'{more}<zeebe:input source="=cart_id"', 1)
    file.write_text(before)

    waggle("templates", "--link")

    after = file.read_text()
    assert '<bpmn:serviceTask id="Task_SendFirstMail" zeebe:modelerTemplate="waggle.task.send-message"' in after
    assert '<bpmn:serviceTask id="Task_ReadCart" name' in after, "it says more than its step"
    assert attributes.sub("", after) == before
    assert json.loads(waggle("templates", "--link", "--json").out)["tied"] == {}


def test_the_check_fails_until_they_are_written_anew_and_writes_nothing(waggle: CommandLine, own: Path) -> None:
    said = waggle("templates", "--check")
    assert said.code == 1
    assert "TEMPLATES_STALE" in said.err
    assert not (own / FOLDER).exists()

    waggle("templates")

    assert waggle("templates", "--check").code == 0
