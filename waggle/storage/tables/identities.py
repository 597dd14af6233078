"""Which ids are one person."""

from sqlalchemy import Boolean, Column, Table, Text

from waggle.storage.tables.columns import UtcTime, metadata

# Who was told to have which anonymous id, e-mail address or phone number; of the last two only blind indexes.
identities = Table(
    "identities",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("customer_id", Text, primary_key=True, index=True),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("first_seen_at", UtcTime, nullable=False),
    Column("last_seen_at", UtcTime, nullable=False),
)

# What was said on pairs of ids; rows are added, never changed.
merges = Table(
    "merges",
    metadata,
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False, index=True),
    Column("merged_customer_id", Text, nullable=False, index=True),
    Column("merged", Boolean, nullable=False),
    Column("at", UtcTime, nullable=False),
)

# What follows from both: of each id that is not alone, the one that stands for the person.
merged_ids = Table(
    "merged_ids",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("person_id", Text, nullable=False, index=True),
)
