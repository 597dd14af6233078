"""Findings as build servers read them."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from waggle.services.check_reports import as_json, junit, sarif
from waggle.services.findings import Finding

# What SARIF 2.1.0 demands of each object that we write (its schema, "required").
REQUIRED = {
    "log": {"version", "runs"},
    "run": {"tool"},
    "driver": {"name"},
    "rule": {"id"},
    "result": {"message"},
    "message": {"text"},
    "invocation": {"executionSuccessful"},
    "notification": {"message"},
}
LEVELS = {"none", "note", "warning", "error"}


def finding(folder: Path, file: str = "a.bpmn", element: str = "Task_Send") -> Finding:
    return Finding(folder / file, element, "Send", "it has no name", "nobody knows", "name it", "names-say-something")


def log_of(folder: Path, *left_out: str) -> dict[str, Any]:
    (folder / "a.bpmn").write_text('<definitions>\n<task id="Task_Send" />\n</definitions>', encoding="utf-8")
    return sarif([finding(folder)], {"names-say-something": "Everything has a name."}, folder, left_out)


def test_a_sarif_log_has_all_that_its_schema_demands(tmp_path: Path) -> None:
    log = log_of(tmp_path, "bpmnlint did not look")
    (run,) = log["runs"]
    (result,) = run["results"]
    (invocation,) = run["invocations"]

    assert log["version"] == "2.1.0"
    for kind, part in (
        ("log", log),
        ("run", run),
        ("driver", run["tool"]["driver"]),
        ("rule", run["tool"]["driver"]["rules"][0]),
        ("result", result),
        ("message", result["message"]),
        ("invocation", invocation),
        ("notification", invocation["toolExecutionNotifications"][0]),
    ):
        assert part.keys() >= REQUIRED[kind], kind
    assert result["level"] in LEVELS
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_sarif_result_leads_to_the_line_of_the_element(tmp_path: Path) -> None:
    (result,) = log_of(tmp_path)["runs"][0]["results"]
    (location,) = result["locations"]

    assert location["physicalLocation"] == {"artifactLocation": {"uri": "a.bpmn"}, "region": {"startLine": 2}}
    assert location["logicalLocations"] == [{"name": "Task_Send", "kind": "element"}]


def test_without_anything_left_out_no_invocation_is_told(tmp_path: Path) -> None:
    assert "invocations" not in log_of(tmp_path)["runs"][0]


def test_a_junit_report_has_a_case_for_each_file_and_fails_those_with_findings(tmp_path: Path) -> None:
    found = [finding(tmp_path), finding(tmp_path, element="Task_Wait")]

    suites = ET.fromstring(junit(found, [tmp_path / "a.bpmn", tmp_path / "b.dmn"], tmp_path))  # noqa: S314 -- our own

    suite = suites[0]
    assert (suites.get("tests"), suites.get("failures"), suite.get("tests"), suite.get("failures")) == (*"21", *"21")
    assert [case.get("name") for case in suite] == ["a.bpmn", "b.dmn"]
    assert [failure.get("message") for failure in suite.iter("failure")] == ["2 findings"]
    assert "Task_Wait" in (suite[0][0].text or "")


def test_programs_are_told_everything(tmp_path: Path) -> None:
    assert as_json(finding(tmp_path), tmp_path) == {
        "rule": "names-say-something",
        "file": "a.bpmn",
        "line": 1,
        "element": "Task_Send",
        "name": "Send",
        "problem": "it has no name",
        "consequence": "nobody knows",
        "mend": "name it",
    }
