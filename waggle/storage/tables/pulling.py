"""How far sources and files were read."""

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from waggle.storage.tables.columns import UtcTime, metadata

cursors = Table(
    "cursors",
    metadata,
    Column("source", Text, primary_key=True),
    Column("walk", Text, primary_key=True),
    Column("cursor", Text),
    Column("round_began_at", UtcTime),
    Column("pulled_at", UtcTime),
    Column("items", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("last_code", Text),
    Column("tried_at", UtcTime),
    Column("not_before_at", UtcTime),
)

coverage = Table(
    "coverage",
    metadata,
    Column("source", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("covered_until", UtcTime, nullable=False),
)

import_runs = Table(
    "import_runs",
    metadata,
    Column("source", Text, primary_key=True),
    Column("file_sha256", Text, primary_key=True),
    Column("mapping", Text, nullable=False),
    Column("position_bytes", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("accepted", BigInteger, nullable=False),
    Column("duplicates", BigInteger, nullable=False),
    Column("refused", BigInteger, nullable=False),
    Column("began_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
)
