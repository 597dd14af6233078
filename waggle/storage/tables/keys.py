"""Who may send and ask."""

from sqlalchemy import Column, Table, Text

from waggle.storage.tables.columns import UtcTime, metadata

write_keys = Table(
    "write_keys",
    metadata,
    Column("key_hash", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
