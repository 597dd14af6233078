"""What files take on the disk."""

from collections.abc import Iterable
from pathlib import Path

_BLOCK_BYTES = 512
"""POSIX counts allocated blocks in this unit, whatever the file system's own is."""


def files_in(folder: Path) -> list[Path]:
    """Return every file below *folder*; another process may be adding and removing some."""
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def used_bytes(files: Iterable[Path]) -> int:
    """Return the allocated size of *files*; one with several names, as in snapshots, counts once."""
    sizes: dict[tuple[int, int], int] = {}
    for file in files:
        try:
            facts = file.stat()
        except FileNotFoundError:
            continue
        sizes[facts.st_dev, facts.st_ino] = facts.st_blocks * _BLOCK_BYTES
    return sum(sizes.values())
