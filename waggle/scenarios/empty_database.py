"""A database that has all tables and no rows, kept for the next run: to make one takes longer than a scenario."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path


def empty_database(kept: Path, make: Callable[[Path], Path]) -> Path:
    """Return the database in the folder *kept* if its tables are those of today; else the one that *make* makes.

    *make* gets a folder of its own and returns the file in it.
    """
    file = kept / f"tables-{_version()}.db"
    if not file.exists():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="tables-", dir=kept) as folder:
            made = make(Path(folder))
            for old in kept.glob("tables-*.db"):
                old.unlink(missing_ok=True)
            # Another process may do the same: whoever looks finds a whole file or none.
            made.replace(file)
    return file


def _version() -> str:
    """Return what changes whenever the code changes that makes the tables."""
    digest = hashlib.sha256()
    folder = Path(__file__).parents[1] / "storage"
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder)}\n".encode() + file.read_bytes())
    return digest.hexdigest()[:16]
