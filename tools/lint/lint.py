"""Lint the journeys and decisions in bpmn/: `make check` runs this.

First what only Waggle knows (workers, catalogue, settings, messages, coupons: waggle/services/diagram_rules.py), then
what bpmnlint knows (modelling rules, what this version of the engine supports, FEEL). The second half needs Node and
installs itself as pinned in package-lock.json; without Node it is left out, and that is said.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from waggle.errors import BadSettings
from waggle.registry import find_tasks
from waggle.services.diagram_checks import check_diagrams

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent.parent
_INSTALLED = _HERE / "node_modules" / ".package-lock.json"


def main() -> int:
    """Print every finding; return 1 if there is one."""
    try:
        findings = check_diagrams(_ROOT / "bpmn", _ROOT / "config", find_tasks())
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 1
    for finding in findings:
        print(finding)
    diagrams = sorted((_ROOT / "bpmn").rglob("*.bpmn"))
    failures = len(findings) + _bpmnlint(diagrams)
    print(f"{len(diagrams)} diagrams linted, {failures} findings")
    return 1 if failures else 0


def _bpmnlint(diagrams: list[Path]) -> int:
    """Return how many findings bpmnlint printed; 0 if Node is not there."""
    node = shutil.which("node")
    npm = shutil.which("npm")
    if node is None or npm is None:
        print(
            "Node is not installed, so bpmnlint did not look at the diagrams; Waggle's own rules did.", file=sys.stderr
        )
        return 0
    if not _INSTALLED.exists() or _INSTALLED.stat().st_mtime < (_HERE / "package-lock.json").stat().st_mtime:
        subprocess.run([npm, "ci", "--silent"], cwd=_HERE, check=True)
    done = subprocess.run([node, _HERE / "bpmnlint.js", *diagrams], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    for finding in found:
        called = f' "{finding["name"]}"' if finding.get("name") else ""
        print(f"{finding['file']}: {finding['id']}{called}: {finding['message']} (rule {finding['rule']})")
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
