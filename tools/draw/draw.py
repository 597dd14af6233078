"""Draw a diagram for the first time, from a short spec that says what stands in which column and row.

    python tools/draw/draw.py SPEC.toml bpmn/journeys/some-journey.bpmn

Once drawn, the diagram belongs to whoever works on it in Modeler: the tool refuses to write over a file, unless --force
says that it is still a draft. README.md beside this file describes the spec.
"""

import argparse
import sys
from pathlib import Path

from tools.draw.document import write_document
from tools.draw.layout import lay_out
from tools.draw.spec import SpecError, read_spec


def main(source: Path, target: Path, *, force: bool) -> int:
    """Draw *source* into *target*; return the exit code."""
    if target.exists() and not force:
        print(f"{target} exists; whoever drew it there owns it now. (--force draws it anew.)", file=sys.stderr)
        return 1
    try:
        spec = read_spec(source)
        content = write_document(spec, lay_out(spec))
    except SpecError as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 1
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return 0


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("source", type=Path)
    arguments.add_argument("target", type=Path)
    arguments.add_argument("--force", action="store_true", help="write over the target")
    asked = arguments.parse_args()
    sys.exit(main(asked.source, asked.target, force=asked.force))
