"""Calls of webhooks: taken, turned away."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from waggle.storage.tables.columns import UtcTime, metadata

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("source", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("delivery_id", Text, primary_key=True),
    Column("body_sha256", Text, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Index("ix_webhook_deliveries_source", "source", "received_at"),
    Index("ix_webhook_deliveries_received_at", "received_at"),
)

# A row for each reason, not for each call: whoever forges calls must not be able to fill the disk.
webhook_refusals = Table(
    "webhook_refusals",
    metadata,
    Column("source", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("last_at", UtcTime, nullable=False),
)

webhook_ends = Table(
    "webhook_ends",
    metadata,
    Column("source", Text, primary_key=True),
    Column("why", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)
