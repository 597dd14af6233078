"""Named places at which a process kills itself when asked to, kept in a folder that outlives it."""

import os
import signal
from pathlib import Path


class CrashPoints:
    """Shared by the processes that pass the points and by whoever arms them.

    In the folder, the file `seen` names every point that was ever passed, `armed/<point>` awaits the next process that
    passes it, and `fired/<point>` holds the pid of the one that did.
    """

    def __init__(self, folder: Path) -> None:
        self._seen = folder / "seen"
        self._armed = folder / "armed"
        self._armed_at = f"{self._armed}{os.sep}"
        self._fired = folder / "fired"
        self._passed: set[str] = set()

    def prepare(self) -> None:
        """Make the folder; whoever starts the processes does it once, before them."""
        for folder in (self._armed, self._fired):
            folder.mkdir(parents=True, exist_ok=True)

    def arm(self, point: str) -> None:
        """Have the next process that comes by die there; one alone, and once."""
        (self._fired / point).unlink(missing_ok=True)
        (self._armed / point).touch()

    def disarm(self) -> set[str]:
        """Let everybody live and return the points that nobody had reached."""
        left = self.armed()
        for point in left:
            (self._armed / point).unlink(missing_ok=True)
        return left

    def armed(self) -> set[str]:
        """Return the points that still wait."""
        return {file.name for file in self._armed.iterdir()}

    def fired(self) -> dict[str, int]:
        """Return the points that were claimed since they were armed last, with the pid of the process that died."""
        # Between its claim and the note of its pid a process may be looked at.
        return {file.name: int(file.read_text() or 0) for file in self._fired.iterdir()}

    def seen(self) -> list[str]:
        """Return every point that some process has passed, in the order of their discovery."""
        try:
            return list(dict.fromkeys(self._seen.read_text().splitlines()))
        except FileNotFoundError:
            return []

    def reach(self, point: str) -> None:
        """Note that this process came by, and die if the point is armed: by SIGKILL, so that nothing is tidied up."""
        if point not in self._passed:
            self._passed.add(point)
            _write(self._seen, f"{point}\n", os.O_APPEND)
        if self.claim(point):
            os.kill(os.getpid(), signal.SIGKILL)

    def claim(self, point: str) -> bool:
        """Say whether *point* was armed; of all processes one alone hears yes."""
        # Asked at every step of the product, and nearly always no: joined as text, which costs a tenth.
        if not os.access(f"{self._armed_at}{point}", os.F_OK):
            return False
        fired = self._fired / point
        try:
            (self._armed / point).rename(fired)
        except FileNotFoundError:
            return False
        _write(fired, str(os.getpid()), os.O_TRUNC)
        return True

    def blame(self, point: str, pid: int) -> None:
        """Note that *pid* is who died of *point*, which somebody else has claimed."""
        _write(self._fired / point, str(pid), os.O_TRUNC)


def _write(file: Path, text: str, mode: int) -> None:
    # One call of the system, so that lines of several processes stay whole.
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | mode, 0o644)
    try:
        os.write(handle, text.encode())
    finally:
        os.close(handle)
