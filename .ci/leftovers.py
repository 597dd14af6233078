"""Name the processes that a CI run started and left behind; exit code 1 if there are any.

Known by CI_RUN_FOLDER in their environment, or by working inside that folder, so no other process on the machine is
ever meant. What is just ending is given a while to do so. With --end they are ended. Reads /proc: Linux only.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

_ENDS_WITHIN_S = 10.0


def left_behind(marker: str) -> dict[int, str]:
    """Return command lines by process id, without this process and those it descends from."""
    own = _ancestors(os.getpid())
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) in own:
            continue
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            works_in = str((folder / "cwd").readlink())
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue  # ended meanwhile, or another user's
        if f"CI_RUN_FOLDER={marker}".encode() in environment or works_in.startswith(f"{marker}/"):
            found[int(folder.name)] = command
    return found


def _ancestors(pid: int) -> set[int]:
    found = set()
    while pid:
        found.add(pid)
        # The fields after the last bracket: state, parent; the name before may hold anything.
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def main() -> int:
    """Print one line per process found."""
    marker, patient_until_s = os.environ["CI_RUN_FOLDER"], time.monotonic() + _ENDS_WITHIN_S
    while (found := left_behind(marker)) and "--end" not in sys.argv and time.monotonic() < patient_until_s:
        time.sleep(0.5)
    for pid, command in found.items():
        print(f"left behind: {pid} {command[:200]}")
        if "--end" in sys.argv:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
