"""A short spec becomes a whole diagram that nobody has to mend by hand."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.draw.document import write_document
from tools.draw.layout import lay_out
from tools.draw.shapes import Box, segments
from tools.draw.spec import SpecError, read_spec
from waggle.services.diagrams import Diagram, read_diagram

SPEC = """
id = "a-journey"
name = "A journey"
documentation = "Goal: to be drawn."
flows = [
  "Event_Began -> Gateway_Try -> Task_Send -> Gateway_Held",
  "Gateway_Held -> Event_Later | yes | =held = true",
  "Event_Later -> Gateway_Try",
  "Gateway_Held -> SubProcess_Wait | no | default",
  "SubProcess_Wait -> Event_Over",
  "Event_Refused -> Event_NotSent",
  "Event_Undo ..> Task_TakeBack",
  "Event_WaitBegan -> Gateway_Either -> Event_Clicked -> Event_Answered",
  "Gateway_Either -> Event_Silence -> Event_Unanswered",
]
[in.process]
Event_Began = { kind = "start", message = "cart-updated", name = "Cart updated", at = [0, 0] }
Gateway_Try = { kind = "xor", at = [1, 0] }
Task_Send = { task = "send-message", name = "Send", at = [2, 0], in = { step = "mail", coupon_id = "=" }, out = ["x"] }
Event_Refused = { on = "Task_Send", error = "ADDRESS_REFUSED", name = "Refused" }
Event_Undo = { on = "Task_Send", compensation = true, name = "To be undone", place = "bottom-left" }
Task_TakeBack = { task = "return-coupon", compensates = true, name = "Take it back", at = [1, 2] }
Event_NotSent = { kind = "end", name = "Not sent", at = [3, 1] }
Gateway_Held = { kind = "xor", name = "Held until later?", at = [3, 0] }
Event_Later = { kind = "catch", date = "=date and time(send_at)", name = "Time to try again", at = [2, -1] }
SubProcess_Wait = { kind = "subprocess", name = "Wait for an answer", at = [4, 0] }
Event_Over = { kind = "end", name = "Over", after = "SubProcess_Wait" }
[in.SubProcess_Wait]
Event_WaitBegan = { kind = "start", name = "Wait began", at = [0, 0] }
Gateway_Either = { kind = "await", at = [1, 0] }
Event_Clicked = { kind = "catch", message = "message-clicked", name = "Message clicked", at = [2, 0] }
Event_Answered = { kind = "end", name = "Answered", at = [3, 0] }
Event_Silence = { kind = "catch", duration = "=duration(settings.wait)", name = "Wait over", at = [2, 1] }
Event_Unanswered = { kind = "end", name = "Unanswered", at = [3, 1] }
[[exits]]
message = "order-placed"
name = "Order placed"
record = "Record the order"
outcome = "ordered"
end = "Ended by an order"
end_id = "Ordered"
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "a-journey.toml"
    file.write_text(SPEC)
    return file


@pytest.fixture
def diagram(spec: Path, tmp_path: Path) -> Diagram:
    read = read_spec(spec)
    target = tmp_path / "a-journey.bpmn"
    target.write_bytes(write_document(read, lay_out(read)))
    return read_diagram(target)


def test_what_the_spec_says_is_what_the_engine_reads(diagram: Diagram) -> None:
    send, later = diagram.nodes["Task_Send"], diagram.nodes["Event_Later"]
    assert (send.task_type, send.retries) == ("send-message", "5")
    assert (dict(send.inputs), dict(send.outputs)) == ({"step": "mail", "coupon_id": "=coupon_id"}, {"x": "=x"})
    assert later.timer == ("timeDate", "=date and time(send_at)")
    assert diagram.nodes["Gateway_Held"].default_flow == "Flow_HeldToWait"
    assert diagram.flows["Flow_HeldToLater"].condition == "=held = true"
    assert diagram.nodes["Event_Refused"].error_code == "ADDRESS_REFUSED"
    assert diagram.correlation_keys == {
        "cart-updated": None,
        "message-clicked": "=enrolment_id",
        "order-placed": "=enrolment_id",
    }


def test_an_exit_is_an_event_sub_process_that_records_its_outcome(diagram: Diagram) -> None:
    record = diagram.nodes["Task_RecordOrderPlaced"]
    assert diagram.nodes["SubProcess_OrderPlaced"].listens
    assert (record.parent, dict(record.inputs)["outcome"]) == ("SubProcess_OrderPlaced", "ordered")


def test_everything_is_drawn_and_every_sub_process_open(diagram: Diagram) -> None:
    assert {*diagram.nodes, *diagram.flows} <= diagram.drawn
    assert not {name for name in diagram.collapsed if name.startswith("SubProcess")}


def test_nothing_overlaps_and_no_line_goes_through_a_label(spec: Path) -> None:
    drawing = lay_out(read_spec(spec))
    stands = {
        name: box
        for name, box in drawing.boxes.items()
        if not name.startswith(("SubProcess", "Event_Refused", "Event_Undo"))
    }
    pairs = [(one, other) for one in stands for other in stands if one < other]
    assert [pair for pair in pairs if stands[pair[0]].overlap(stands[pair[1]])] == []
    lines = [piece.grown(1) for points in drawing.lines.values() for piece in segments(points)]
    assert [name for name, label in drawing.labels.items() if any(label.overlap(line) for line in lines)] == []


def test_lines_are_straight_or_turn_at_right_angles(spec: Path) -> None:
    drawing = lay_out(read_spec(spec))
    pieces = [piece for points in drawing.lines.values() for piece in segments(points)]
    assert all(min(piece.width, piece.height) < 1 for piece in pieces)


def test_a_sub_process_holds_what_is_in_it(spec: Path) -> None:
    read = read_spec(spec)
    drawing = lay_out(read)
    around = drawing.boxes["SubProcess_Wait"]
    inside: list[Box] = [drawing.boxes[child.id] for child in read.children("SubProcess_Wait")]
    assert all(box.overlap(around) == pytest.approx(box.width * box.height) for box in inside)


def test_a_diagram_that_exists_belongs_to_whoever_drew_it(spec: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.bpmn"
    target.write_text("mine")

    done = subprocess.run([sys.executable, "tools/draw/draw.py", spec, target], capture_output=True, check=False)

    assert (done.returncode, target.read_text()) == (1, "mine")


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ("Event_Later ->", "Event_Elsewhere ->", "there is no element Event_Elsewhere"),
        ('after = "SubProcess_Wait"', 'after = "Nobody"', "there is no element Nobody"),
        ('kind = "await", ', "", "what is it"),
        (", at = [2, -1]", "", "where is it"),
    ],
)
def test_a_spec_that_cannot_be_drawn_says_why(spec: Path, before: str, after: str, problem: str) -> None:
    spec.write_text(SPEC.replace(before, after, 1))

    with pytest.raises(SpecError, match=problem):
        read_spec(spec)
