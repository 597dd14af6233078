"""Read whole tables: for reports that count everything, and for comparing two databases."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select

from waggle.storage import tables
from waggle.storage.store import open_engine


def read_tables(url: str, names: Sequence[str], *, allow_plaintext: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Return every row of the tables *names*, all from one moment, each as a column-to-value mapping."""
    engine = open_engine(url, allow_plaintext=allow_plaintext)
    try:
        with engine.connect().execution_options(read_only=True) as connection, connection.begin():
            return {
                name: [dict(row) for row in connection.execute(select(tables.metadata.tables[name])).mappings()]
                for name in names
            }
    finally:
        engine.dispose()
