"""How often a job was begun and nobody heard what came of it."""

import hashlib
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from waggle.engine.worker.attempt_files import KEY_CHARACTERS, AtHandFile, LostFile, Sign, left_by_the_dead
from waggle.errors import BadSettings
from waggle.log import get_logger

_log = get_logger(__name__)

MOST_ATTEMPTS = 10
"""After so many without an outcome a job is not begun again."""

_LARGEST_BYTES = 1_000_000
_KEPT_JOBS = 2_000


def attempt_key(task_type: str, whose: str, element_id: str) -> str:
    """Return the name under which attempts at a job are counted: the engine's keys do not last over its crashes.

    Hashed, since what comes from the engine may be of any length and say anything.
    """
    name = f"{task_type}\0{whose}\0{element_id}".encode(errors="replace")
    return hashlib.blake2b(name, digest_size=KEY_CHARACTERS // 2).hexdigest()


class Attempts:
    """Counts attempts without an outcome, also those that were the death of their process.

    The engine counts neither crashes nor lapsed leases: a job that kills its worker would come for ever. Each process
    writes down what it has at hand; who starts counts what the dead had. All is shared by the processes of one host and
    is not synced to the disk: it outlasts processes, not the machine, and other hosts count for themselves.
    """

    def __init__(self, folder: Path | None) -> None:
        """Keep files in *folder*; without one, count for this process alone."""
        self._folder = folder
        self._lost: Counter[str] = Counter()
        self._lost_file: LostFile | None = None
        self._at_hand_file: AtHandFile | None = None
        self._lines = 0
        self._free_lines: list[int] = []

    def open(self) -> None:
        """Begin to keep files, and count what dead processes left.

        Raises:
            BadSettings: ATTEMPTS_DIR_UNUSABLE.
        """
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lost_file = LostFile(self._folder)
            with lost_file.held():
                self._count_the_dead(self._folder, lost_file)
                self._lost_file, self._at_hand_file = lost_file, AtHandFile(self._folder)
                self._catch_up()
                self._keep_small(lost_file)
        except OSError as error:
            raise BadSettings(
                "ATTEMPTS_DIR_UNUSABLE",
                f"{self._folder} has to be a folder where the worker may write and lock files: {error.strerror}",
            ) from error

    def close(self) -> None:
        """Leave nothing behind for those who start later."""
        if self._at_hand_file is not None:
            self._at_hand_file.remove()
        self._at_hand_file = self._lost_file = None

    def lost(self, key: str) -> int:
        """Return how many attempts at *key* were lost since the engine last took an outcome."""
        self._catch_up()
        return self._lost.get(key, 0)

    def of(self, key: str) -> "Attempt":
        """Return the next attempt at *key*."""
        return Attempt(self, key, lost_before=self.lost(key))

    def begin(self, key: str) -> int:
        """Note that *key* is at hand, and return the line for `end`."""
        if self._free_lines:
            line = self._free_lines.pop()
        else:
            line, self._lines = self._lines, self._lines + 1
        self._write(line, key)
        return line

    def end(self, line: int) -> None:
        """Note that what began is over, however it ended."""
        self._free_lines.append(line)
        self._write(line, None)

    def lose(self, key: str) -> None:
        """Count an attempt at *key* of which no outcome was taken."""
        self._note("+", key)

    def forget(self, key: str) -> None:
        """Begin anew with *key*: the engine took an outcome."""
        if key in self._lost:
            self._note("-", key)

    def _count_the_dead(self, folder: Path, lost_file: LostFile) -> None:
        for file, keys in left_by_the_dead(folder):
            lost_file.append("+", sorted(keys))
            file.unlink()
            if keys:
                _log.warning("a worker died with jobs at hand", jobs=len(keys))

    def _keep_small(self, lost_file: LostFile) -> None:
        if lost_file.size_bytes > _LARGEST_BYTES:
            # Those of whom nothing was heard for longest: their journeys have most likely ended.
            kept = list(self._lost.items())[-_KEPT_JOBS:]
            lost_file.rewrite(key for key, count in kept for _ in range(min(count, MOST_ATTEMPTS)))

    def _note(self, sign: Sign, key: str) -> None:
        if self._lost_file is not None:
            try:
                with self._lost_file.held():
                    self._lost_file.append(sign, [key])
            except OSError as error:
                _log.error("attempt not written down", errno=error.errno)
            else:
                self._catch_up()
                return
        self._apply(sign, key)

    def _catch_up(self) -> None:
        if self._lost_file is None:
            return
        try:
            is_void, news = self._lost_file.news()
        except OSError as error:
            _log.error("attempts cannot be read", errno=error.errno)
            return
        if is_void:
            self._lost.clear()
        for sign, key in news:
            self._apply(sign, key)

    def _apply(self, sign: str, key: str) -> None:
        if sign == "+":
            self._lost[key] += 1
        else:
            self._lost.pop(key, None)

    def _write(self, line: int, key: str | None) -> None:
        if self._at_hand_file is None:
            return
        try:
            self._at_hand_file.write(line, key)
        except OSError as error:
            _log.error("job at hand not written down", errno=error.errno)


class Attempt:
    """One attempt at a job: at hand from when its context is entered; lost, unless an outcome was told."""

    def __init__(self, attempts: Attempts, key: str, *, lost_before: int) -> None:
        """Belong to *attempts*; so many were lost before this one."""
        self.lost_before = lost_before
        self._attempts = attempts
        self._key = key
        self._line: int | None = None
        self._is_told = False

    def __enter__(self) -> Self:
        self._line = self._attempts.begin(self._key)
        return self

    def over(self) -> None:
        """Note that the handler has ended: what kills the process from now on is not its doing."""
        if self._line is not None:
            self._attempts.end(self._line)
            self._line = None

    def told(self) -> None:
        """Note that the engine took an outcome, so that the job is not to blame for anything any more."""
        self._is_told = True
        self._attempts.forget(self._key)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over()
        if not self._is_told:
            self._attempts.lose(self._key)
