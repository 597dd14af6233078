"""Lint the journeys and decisions in bpmn/: `make check` runs this.

It is `waggle check` for this checkout, whatever settings are in force.
"""

import sys
from pathlib import Path

from waggle.cli.check import examine, report
from waggle.errors import BadSettings

_ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Print every finding; return 1 if there is one."""
    try:
        return report(examine(_ROOT / "bpmn", _ROOT / "config"))
    except BadSettings as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
