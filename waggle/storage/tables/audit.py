"""What people decided, and what was refused to them."""

from sqlalchemy import JSON, BigInteger, Column, Table, Text

from waggle.storage.tables.columns import SEQUENCE, UtcTime, metadata

# Rows are added, never changed, and numbered without gaps; each holds the hash of itself and of all before it.
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
    Column("row_hash", Text, nullable=False, server_default="none"),
    sqlite_autoincrement=True,
)

# Where the chain ends: one row, which those who add to the chain change one after another.
audit_head = Table(
    "audit_head",
    metadata,
    Column("chain", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("row_hash", Text, nullable=False),
)
