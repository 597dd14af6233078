"""What people decided."""

from sqlalchemy import JSON, Column, Table, Text

from waggle.storage.tables.columns import SEQUENCE, UtcTime, metadata

# What people decided. Rows are added, never changed.
audit = Table(
    "audit",
    metadata,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("why", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    sqlite_autoincrement=True,
)
