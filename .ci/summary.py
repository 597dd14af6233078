"""Add up the stages of a CI run and print "<n> passed, <n> failed" as the last line.

A stage is given as name=exit-code; if there is a report <name>.xml of pytest its tests are counted, else the stage
itself. A skipped test counts as failed: everything that a test needs has been installed.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree as ET


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


def main() -> int:
    """Print the sum; exit code 1 if anything failed."""
    passed = failed = 0
    for stage in sys.argv[2:]:
        name, _, code = stage.partition("=")
        report = Path(sys.argv[1], f"{name}.xml")
        good, bad = count(report) if report.is_file() else (int(code == "0"), 0)
        if code != "0" and not bad:
            bad = 1  # it failed outside any test: a fault of style, a time-out, no test at all
        passed += good
        failed += bad
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
