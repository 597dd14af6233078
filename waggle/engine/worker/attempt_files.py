"""What processes write down so that those after them know what they died of."""

import fcntl
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

KEY_CHARACTERS = 32

Sign = Literal["+", "-"]
"""An attempt without an outcome; or the outcome, which makes those before it forgotten."""

_BLANK = " " * KEY_CHARACTERS + "\n"
_RECORD_BYTES = 1 + KEY_CHARACTERS + 1
_RECORD = re.compile(rb"([+-])([0-9a-f]{32})\n")
_KEY = re.compile(r"[0-9a-f]{32}")


class AtHandFile:
    """The jobs that one process has at hand, one a line. It is held locked for as long as the process lives."""

    def __init__(self, folder: Path) -> None:
        """Make a new file in *folder*, whose `lost` file has to be held by the caller.

        Raises:
            OSError: it cannot be made or locked.
        """
        self._file = folder / f"at-hand-{os.getpid()}-{secrets.token_hex(4)}"
        self._fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def write(self, line: int, key: str | None) -> None:
        """Put *key* on *line*, or clear it.

        Raises:
            OSError: the disk is full or broken.
        """
        content = _BLANK if key is None else f"{key}\n"
        os.pwrite(self._fd, content.encode(), line * len(_BLANK))

    def remove(self) -> None:
        """End it: the process leaves nothing behind."""
        self._file.unlink(missing_ok=True)
        os.close(self._fd)


def left_by_the_dead(folder: Path) -> Iterator[tuple[Path, set[str]]]:
    """Give each file of a process that is gone, with what it had at hand; the `lost` file has to be held meanwhile."""
    for file in sorted(folder.glob("at-hand-*")):
        try:
            fd = os.open(file, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            # A key that is there twice is told once: the process died once.
            yield file, {line for line in file.read_text(errors="replace").split("\n") if _KEY.fullmatch(line)}
        finally:
            os.close(fd)


class LostFile:
    """The attempts that ended without an outcome, in their order, shared by all processes."""

    def __init__(self, folder: Path) -> None:
        """Use the file `lost` in *folder*, and `lock` beside it."""
        self._file = folder / "lost"
        self._lock = folder / "lock"
        self._read_to = (0, 0)
        """Inode and bytes of what was read."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep the others from writing."""
        fd = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    @property
    def size_bytes(self) -> int:
        """As of the last reading."""
        return self._read_to[1]

    def append(self, sign: Sign, keys: Iterable[str]) -> None:
        """Add a record for each of *keys*; to be held meanwhile."""
        fd = os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            size = os.fstat(fd).st_size
            # A record that a full disk cut short is written over.
            os.pwrite(fd, "".join(f"{sign}{key}\n" for key in keys).encode(), size - size % _RECORD_BYTES)
        finally:
            os.close(fd)

    def rewrite(self, keys: Iterable[str]) -> None:
        """Put attempts at *keys* in the place of all that is there; to be held meanwhile."""
        rewritten = self._file.with_suffix(".new")
        rewritten.write_text("".join(f"+{key}\n" for key in keys))
        rewritten.replace(self._file)

    def news(self) -> tuple[bool, list[tuple[str, str]]]:
        """Return whether what was read before is void, and the (sign, key) that were added since.

        Raises:
            OSError: it is there and cannot be read.
        """
        try:
            facts = os.stat(self._file)  # noqa: PTH116 -- half the cost of Path.stat, on a path taken per job
        except FileNotFoundError:
            return False, []
        inode, from_byte = self._read_to
        if inode == facts.st_ino and facts.st_size - facts.st_size % _RECORD_BYTES == from_byte:
            return False, []
        return self._read()

    def _read(self) -> tuple[bool, list[tuple[str, str]]]:
        inode, from_byte = self._read_to
        with self._file.open("rb") as file:
            facts = os.fstat(file.fileno())
            is_void = inode != facts.st_ino or facts.st_size < from_byte
            from_byte = 0 if is_void else from_byte
            file.seek(from_byte)
            content = file.read()
        whole = len(content) - len(content) % _RECORD_BYTES
        self._read_to = (facts.st_ino, from_byte + whole)
        found = (_RECORD.fullmatch(content, start, start + _RECORD_BYTES) for start in range(0, whole, _RECORD_BYTES))
        return is_void, [(record[1].decode(), record[2].decode()) for record in found if record is not None]
