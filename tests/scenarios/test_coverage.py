"""Which nodes and flows scenarios reach, over all of them."""

from waggle.resources import shipped
from waggle.scenarios.coverage import cover
from waggle.scenarios.story import Path
from waggle.services.diagrams import read_diagram

DIAGRAM = read_diagram(shipped("bpmn") / "journeys" / "customer-objection.bpmn")
EVERYTHING = {*DIAGRAM.nodes, *DIAGRAM.flows}


def test_what_several_scenarios_reach_counts_together() -> None:
    found = cover(DIAGRAM, [Path(nodes=set(DIAGRAM.nodes)), Path(flows=set(DIAGRAM.flows))], {})

    assert (found.reached, found.total, found.percent) == (len(EVERYTHING), len(EVERYTHING), 100)
    assert found.is_complete


def test_a_flow_that_none_takes_is_named_by_its_ends() -> None:
    missing = "Flow_StillOpenToEnrolmentAlreadyEnded"

    found = cover(DIAGRAM, [Path(nodes=EVERYTHING - {missing})], {})

    [gap] = found.unexplained
    assert (gap.element, gap.name) == (missing, "no (Still open? to Enrolment already ended)")
    assert found.percent < 100


def test_a_gap_that_is_explained_is_no_gap() -> None:
    missing = "Event_EnrolmentAlreadyEnded"

    found = cover(DIAGRAM, [Path(nodes=EVERYTHING - {missing})], {missing: "only after a crash"})

    assert found.is_complete
    assert found.unreached[0].reason == "only after a crash"


def test_an_explanation_of_what_is_reached_or_not_there_is_stale() -> None:
    found = cover(DIAGRAM, [Path(nodes=EVERYTHING)], {"Task_CloseRequest": "never", "Task_Gone": "never"})

    assert found.stale == ("Task_CloseRequest", "Task_Gone")
    assert not found.is_complete
