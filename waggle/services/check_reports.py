"""Findings in the forms that build servers read: SARIF 2.1.0 and JUnit."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from waggle.services.findings import Finding

_VERSION: Final = "2.1.0"
_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(findings: Sequence[Finding], rules: Mapping[str, str], here: Path, left_out: Sequence[str]) -> dict[str, Any]:
    """Return a SARIF log: one run, one result a finding.

    Args:
        findings: what was found.
        rules: rule id -> what it demands.
        here: folder that addresses of files begin at.
        left_out: what was not looked at, and why.
    """
    used = sorted({finding.rule for finding in findings})
    driver = {
        "name": "waggle check",
        "rules": [
            {
                "id": rule,
                "shortDescription": {"text": rules.get(rule, rule)},
                "defaultConfiguration": {"level": "error"},
            }
            for rule in used
        ],
    }
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "utf16CodeUnits",
        "results": [_result(finding, used.index(finding.rule), here) for finding in findings],
    }
    if left_out:
        run["invocations"] = [
            {
                "executionSuccessful": True,
                "toolExecutionNotifications": [{"level": "warning", "message": {"text": text}} for text in left_out],
            }
        ]
    return {"$schema": _SCHEMA, "version": _VERSION, "runs": [run]}


def junit(findings: Sequence[Finding], files: Iterable[Path], here: Path) -> str:
    """Return a JUnit report: one suite, one case a file, failed if anything is wrong in it."""
    by_file = {file: list(each) for file, each in groupby(sorted(findings, key=_file), key=_file)}
    every = sorted({*files, *by_file})
    failed = sum(file in by_file for file in every)
    suites = ET.Element("testsuites", tests=str(len(every)), failures=str(failed), errors="0")
    suite = ET.SubElement(
        suites, "testsuite", name="waggle check", tests=str(len(every)), failures=str(failed), errors="0", skipped="0"
    )
    for file in every:
        case = ET.SubElement(
            suite, "testcase", classname="waggle.check", name=_address(file, here), file=_address(file, here)
        )
        found = by_file.get(file, [])
        if found:
            failure = ET.SubElement(case, "failure", type="finding", message=_count(len(found)))
            failure.text = "\n".join(map(_told, found))
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def as_json(finding: Finding, here: Path) -> dict[str, Any]:
    """Return what is known of *finding*, for programs."""
    return {
        "rule": finding.rule,
        "file": _address(finding.file, here),
        "line": line_of(finding),
        "element": finding.element,
        "name": finding.name,
        "problem": finding.problem,
        "consequence": finding.consequence,
        "mend": finding.mend,
    }


def line_of(finding: Finding) -> int:
    """Return the line on which the element begins; 1 if it cannot be told."""
    try:
        text = finding.file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return 1
    at = max(text.find(f'id="{finding.element}"'), text.find(f"[{finding.element}]"))
    return text.count("\n", 0, at) + 1 if at >= 0 else 1


def _result(finding: Finding, index: int, here: Path) -> dict[str, Any]:
    called = f'"{finding.name}" ' if finding.name else ""
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": "error",
        "message": {
            "text": f"{called}({finding.element}): {finding.problem}. If ignored: {finding.consequence}. "
            f"Mend: {finding.mend}."
        },
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _address(finding.file, here)},
                    "region": {"startLine": line_of(finding)},
                },
                "logicalLocations": [{"name": finding.element, "kind": "element"}],
            }
        ],
        "partialFingerprints": {"element/v1": f"{finding.rule}:{finding.element}"},
    }


def _told(finding: Finding) -> str:
    called = f' "{finding.name}"' if finding.name else ""
    return (
        f"{finding.element}{called}: {finding.problem}\n  if ignored: {finding.consequence}\n  mend: {finding.mend}\n"
        f"  rule: {finding.rule}"
    )


def _count(number: int) -> str:
    return "1 finding" if number == 1 else f"{number} findings"


def _file(finding: Finding) -> Path:
    return finding.file


def _address(file: Path, here: Path) -> str:
    """Return *file* as seen from *here*, or whole if it lies elsewhere."""
    return file.relative_to(here).as_posix() if file.is_relative_to(here) else file.as_posix()
