"""The diagrams in bpmn/ and the workers, settings, messages and coupons beside them speak of the same things."""

import re
from pathlib import Path

import pytest

from tests.services.planting import CART, SAMPLE, Change, found_in, lay_out
from waggle.errors import BadSettings
from waggle.registry import find_tasks
from waggle.resources import shipped
from waggle.services.diagram_checks import check_diagrams
from waggle.services.diagrams import read_diagram

PICTURE = shipped("bpmn").parent / "docs/pictures/abandoned-cart.svg"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return lay_out(tmp_path)


def test_nothing_is_wrong_with_what_is_shipped() -> None:
    assert [str(finding) for finding in check_diagrams(shipped("bpmn"), shipped("config"), find_tasks())] == []


def test_a_document_type_is_refused(shop: Path) -> None:
    text = (shop / CART).read_text(encoding="utf-8")
    entity = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><bpmn:definitions'
    (shop / CART).write_text(Change("<bpmn:definitions", entity).made_in(text), encoding="utf-8")

    with pytest.raises(BadSettings, match="remove the <!DOCTYPE"):
        read_diagram(shop / CART)


def test_a_finding_says_where_what_else_and_how_to_mend_it(shop: Path) -> None:
    text = (shop / CART).read_text(encoding="utf-8")
    (shop / CART).write_text(Change('type="read-cart"', 'type="read-card"').made_in(text), encoding="utf-8")

    (found,) = [finding for finding in found_in(shop) if finding.element == "Task_ReadCart"]

    assert str(found).splitlines() == [
        f'{shop / CART}: Task_ReadCart "Read the cart": no worker answers the task type "read-card"',
        "    else: the journey waits here for ever",
        "    mend: use read-cart, or have workers/read_card.py written",
    ]


def test_a_diagram_tells_what_it_asks_of_others(shop: Path) -> None:
    diagram = read_diagram(shop / SAMPLE)
    call, each, undo = (
        diagram.nodes[name] for name in ("CallActivity_SendMail", "Task_ScoreEach", "Event_UndoSilence")
    )

    assert call.call is not None
    assert (call.call.process, call.call.binding, call.call.takes_all) == ("send-when-allowed", "deployment", False)
    assert each.repetition is not None
    assert (each.repetition.kind, each.repetition.items, each.repetition.item) == ("sequential", "=rounds", "round")
    assert (undo.definition, undo.attached_to) == ("compensate", "Task_RecordSilence")
    assert diagram.nodes["Task_Approve"].form == "approve-sample"
    assert diagram.nodes["Task_RecordUndone"].compensates
    assert not diagram.is_piece
    assert read_diagram(shop / "bpmn/pieces/sample-piece.bpmn").is_piece


def test_the_picture_in_the_readme_shows_the_journey_as_it_is() -> None:
    diagram = read_diagram(shipped("bpmn") / "journeys" / "abandoned-cart.bpmn")
    elements = {*diagram.nodes, *diagram.flows}

    assert not_alike(PICTURE.read_text("utf-8"), elements) == set(), "draw it anew: make pictures"
    # An element that came, and one that went, would each be noticed.
    assert not_alike(PICTURE.read_text("utf-8"), elements ^ {"Task_New", "Task_SendFirstMail"}) == {
        "Task_New",
        "Task_SendFirstMail",
    }


def not_alike(picture: str, elements: set[str]) -> set[str]:
    """Return the elements that only the picture or only the diagram has."""
    shown = {element.removesuffix("_label") for element in re.findall(r'data-element-id="([^"]+)"', picture)}
    kinds = tuple({element.partition("_")[0] + "_" for element in elements})
    return {element for element in shown if element.startswith(kinds)} ^ elements
