"""What people agreed to, the wordings they saw, and whom not to use or write to."""

from sqlalchemy import Boolean, Column, Index, Table, Text

from waggle.storage.tables.columns import PERSONAL, SEQUENCE, UtcTime, metadata

consents = Table(
    "consents",
    metadata,
    Column("fact_id", SEQUENCE, primary_key=True, autoincrement=True),
    Column("customer_id", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("stated_at", UtcTime, nullable=False),
    Column("text_version", Text),
    Column("state", Text, nullable=False, server_default="granted"),
    Column("legal_basis", Text, nullable=False, server_default="consent"),
    Column("mechanism", Text),
    Column("source", Text),
    Column("event_id", Text),
    Column("proof_url", Text),
    Column("ip", Text, info=PERSONAL),
    Column("valid_until", UtcTime),
    Index("ix_consents_customer", "customer_id", "purpose", "channel"),
    # An event says what it says once; rows of before events were noted have none.
    Index("uq_consents_event", "source", "event_id", unique=True),
)

consent_texts = Table(
    "consent_texts",
    metadata,
    Column("version", Text, primary_key=True),
    Column("language", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("first_seen_at", UtcTime, nullable=False),
)

restrictions = Table(
    "restrictions",
    metadata,
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False, index=True),
    Column("restricted", Boolean, nullable=False),
    Column("stated_at", UtcTime, nullable=False),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
)

# What is left of somebody who was erased: enough to know the address again, not enough to learn it.
suppressed_addresses = Table(
    "suppressed_addresses",
    metadata,
    Column("blind", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
)
