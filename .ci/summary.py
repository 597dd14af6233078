"""Add up the stages of a CI run and print "<n> passed, <n> failed" as the last line.

A stage is given as name=exit-code; if there is a report <name>.xml of pytest its tests are counted, else the stage
itself. A skipped test counts as failed: everything that a test needs has been installed. What failed is named once
more just before the last line, since logs are read from their end.
"""

import json
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

_LINE, _MOST = 300, 30


def count(report: Path) -> tuple[int, int]:
    """Return how many tests of *report* passed and how many did not."""
    suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - written by our own pytest
    tests, failures, errors, skipped = (
        sum(int(suite.get(key, "0")) for suite in suites) for key in ("tests", "failures", "errors", "skipped")
    )
    if skipped:
        print(f"{report.name}: {skipped} skipped, which counts as failed")
    bad = failures + errors + skipped
    return tests - bad, bad


def causes(reports: Path, name: str, code: str) -> list[str]:
    """Return, a line each, what made the stage *name* fail, as far as its report tells."""
    found: list[str] = []
    tests, told = reports / f"{name}.xml", reports / f"{name}.json"
    if tests.is_file():
        for case in ET.parse(tests).getroot().iter("testcase"):  # noqa: S314 - written by our own pytest
            for bad in (each for each in case if each.tag in {"failure", "error", "skipped"}):
                text = (bad.get("message") or "").partition("\n")[0][:_LINE]
                found.append(f"{bad.tag}: {case.get('classname')}::{case.get('name')}: {text}")
    elif told.is_file():
        report = json.loads(told.read_text(encoding="utf-8"))
        found += [str(each)[:_LINE] for each in report.get("found", [])]
        found += [f"never reached: {each}" for each in report.get("points_missed", [])]
    return [f"{name} ended with {code}", *found[:_MOST]]


def main() -> int:
    """Print the sum; exit code 1 if anything failed."""
    passed = failed = 0
    reports = Path(sys.argv[1])
    told: list[str] = []
    for stage in sys.argv[2:]:
        name, _, code = stage.partition("=")
        report = reports / f"{name}.xml"
        good, bad = count(report) if report.is_file() else (int(code == "0"), 0)
        if code != "0" and not bad:
            bad = 1  # it failed outside any test: a fault of style, a time-out, no test at all
        if code != "0" or bad:
            told += causes(reports, name, code)
        passed += good
        failed += bad
    print(*told, sep="\n")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
