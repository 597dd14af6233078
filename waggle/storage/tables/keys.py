"""Who may send, ask and decide."""

from sqlalchemy import JSON, Column, Table, Text

from waggle.storage.tables.columns import UtcTime, metadata

keys = Table(
    "keys",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("hint", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("source", Text),
    Column("scopes", JSON, nullable=False),
    Column("role", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("last_used_at", UtcTime),
    Column("revoked_at", UtcTime),
    Column("replaced_by", Text),
)

# Those who work with Waggle, by short names of their own choice.
staff = Table(
    "staff",
    metadata,
    Column("name", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("added_at", UtcTime, nullable=False),
    Column("removed_at", UtcTime),
)
