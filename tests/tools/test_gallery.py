"""The page of the journeys and their pictures show what is drawn."""

import re
from pathlib import Path

import pytest

from tools.pictures.gallery import PAGE, ROOT, page
from waggle.services.diagrams import read_diagram

DIAGRAMS = sorted([*ROOT.glob("bpmn/journeys/*.bpmn"), *ROOT.glob("bpmn/pieces/*.bpmn")])
ELEMENTS = ("Task_", "Gateway_", "Event_", "SubProcess_", "CallActivity_", "Flow_")


def test_the_page_of_the_journeys_says_what_the_diagrams_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(ROOT / "bpmn", ROOT / "config"), "write it anew: make pictures"


@pytest.mark.parametrize("file", DIAGRAMS, ids=lambda file: file.stem)
def test_the_picture_of_a_diagram_has_its_elements_and_no_other(file: Path) -> None:
    picture = (ROOT / "docs/pictures" / f"{file.stem}.svg").read_text(encoding="utf-8")
    shown = {each.removesuffix("_label") for each in re.findall(r'data-element-id="([^"]+)"', picture)}
    diagram = read_diagram(file)
    drawn = {each for each in [*diagram.nodes, *diagram.flows] if each.startswith(ELEMENTS)}

    assert {each for each in shown if each.startswith(ELEMENTS)} == drawn, "draw it anew: make pictures"
