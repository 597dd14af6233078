"""One process at a time, by files whose lock the operating system drops with its holder."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waggle.errors import TemporaryFailure

_POLL_S = 0.1


class LockHeld(TemporaryFailure):
    """Another process has the lock."""


@contextmanager
def held(path: Path, limit_s: float) -> Iterator[None]:
    """Hold the lock file at *path* for the length of the block.

    Raises:
        LockHeld: LOCK_HELD, another process kept it longer than *limit_s*.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + limit_s
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise LockHeld("LOCK_HELD", f"Another process holds {path}; try again later.") from None
                time.sleep(_POLL_S)
        yield
