"""`waggle check`: what it looks at, what it prints and how it ends."""

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.cli.conftest import CommandLine
from tests.services.planting import CART, SAMPLE, SEGMENT, TABLE, Change, lay_out


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small shop of one's own, whose diagrams the commands look at."""
    shop = lay_out(tmp_path / "shop")
    monkeypatch.setenv("WAGGLE_BPMN_DIR", str(shop / "bpmn"))
    monkeypatch.setenv("WAGGLE_CONFIG_DIR", str(shop / "config"))
    # Whether Node is there must not decide about these.
    monkeypatch.setenv("PATH", str(tmp_path))
    return shop


def plant(shop: Path, file: str, old: str, new: str) -> None:
    text = (shop / file).read_text(encoding="utf-8")
    (shop / file).write_text(Change(old, new).made_in(text), encoding="utf-8")


def found(waggle: CommandLine, *words: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = json.loads(waggle("check", "--json", *words).out)["findings"]
    return told


def test_a_file_without_mistakes_ends_it_with_0(waggle: CommandLine, shop: Path) -> None:
    said = waggle("check", str(shop / CART))

    assert said.code == 0
    assert "1 file looked at: all is well" in said.out


def test_a_mistake_ends_it_with_1_and_is_told_with_consequence_and_mend(waggle: CommandLine, shop: Path) -> None:
    plant(shop, CART, 'type="send-message"', 'type="sned-message"')

    said = waggle("check", str(shop / CART))

    assert said.code == 1
    text = " ".join(said.out.split())
    assert '"Send the cart mail" Task_SendFirstMail' in text
    assert 'no worker answers the task type "sned-message"' in text
    assert "if ignored the journey waits here for ever" in text
    assert "mend use send-message" in text
    assert "1 file looked at: 1 to mend" in text


def test_only_what_is_named_is_told_of(waggle: CommandLine, shop: Path) -> None:
    plant(shop, CART, 'type="send-message"', 'type="sned-message"')
    plant(shop, TABLE, 'hitPolicy="FIRST"', 'hitPolicy="PRIORITY"')

    assert {each["rule"] for each in found(waggle, str(shop / TABLE))} == {"hit-policies-are-what-they-say"}
    everything = {each["rule"] for each in found(waggle)}
    assert everything >= {"hit-policies-are-what-they-say", "task-types-have-workers"}


def test_a_folder_can_be_named(waggle: CommandLine, shop: Path) -> None:
    plant(shop, TABLE, 'hitPolicy="FIRST"', 'hitPolicy="PRIORITY"')

    assert [each["file"] for each in found(waggle, str(shop / "bpmn" / "decisions"))] == [f"shop/{TABLE}"]


def test_a_file_of_settings_is_looked_at_like_a_diagram(waggle: CommandLine, shop: Path) -> None:
    assert "1 file looked at: all is well" in waggle("check", str(shop / SEGMENT)).out

    plant(shop, SEGMENT, 'field = "consent"', 'field = "consents"')

    said = waggle("check", str(shop / SEGMENT))
    assert said.code == 1
    text = " ".join(said.out.split())
    assert "element newsletter-readers problem all, rule 1:" in text
    assert "1 file looked at: 1 to mend" in text


def test_a_draft_elsewhere_is_looked_at_as_if_it_stood_in_its_place(
    waggle: CommandLine, shop: Path, tmp_path: Path
) -> None:
    draft = tmp_path / "abandoned-cart.bpmn"
    shutil.copy(shop / CART, draft)
    plant(tmp_path, draft.name, 'type="send-message"', 'type="sned-message"')

    assert [each["element"] for each in found(waggle, str(draft))] == ["Task_SendFirstMail"]
    assert waggle("check", str(shop / CART)).code == 0


def test_a_file_that_is_not_there_is_named(waggle: CommandLine, shop: Path) -> None:
    said = waggle("check", str(shop / "bpmn" / "journeys" / "abandoned-card.bpmn"))

    assert said.code == 2
    assert said.err.startswith("waggle: FILE_MISSING: ")


def test_without_node_the_rest_is_looked_at_and_what_was_left_out_is_said(waggle: CommandLine, shop: Path) -> None:
    plant(shop, CART, "=eligible = true", "=eligible == true")
    why = "bpmnlint did not look at the diagrams: Node is not installed"

    said = waggle("check", str(shop / CART))

    assert said.code == 1
    assert "it compares with ==" in " ".join(said.out.split())
    assert why in " ".join(said.out.split())
    assert json.loads(waggle("check", "--json", str(shop / CART)).out)["left_out"] == [why]


def test_build_servers_get_files_of_their_own(waggle: CommandLine, shop: Path, tmp_path: Path) -> None:
    plant(shop, SAMPLE, "=engaged = true", "=enagaged = true")

    said = waggle("check", "--sarif", "out.sarif", "--junit", "out.xml", str(shop / SAMPLE))

    results = json.loads((tmp_path / "out.sarif").read_text(encoding="utf-8"))["runs"][0]["results"]
    assert said.code == 1
    assert "variables-are-written-before-they-are-read" in {result["ruleId"] for result in results}
    assert ET.fromstring((tmp_path / "out.xml").read_text(encoding="utf-8")).get("failures") == "1"  # noqa: S314 -- our own
