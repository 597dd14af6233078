"""Customers, and what they agreed to."""

from sqlalchemy import Boolean, Column, Index, Table, Text

from waggle.storage.tables.columns import PERSONAL, SEQUENCE, UtcTime, metadata

customers = Table(
    "customers",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("email", Text, info=PERSONAL),
    Column("first_name", Text, info=PERSONAL),
    Column("time_zone", Text),
    Column("language", Text),
    Column("email_at", UtcTime),
    Column("first_name_at", UtcTime),
    Column("time_zone_at", UtcTime),
    Column("language_at", UtcTime),
    Column("identified_at", UtcTime),
    Column("erased_at", UtcTime),
)

consents = Table(
    "consents",
    metadata,
    Column("fact_id", SEQUENCE, primary_key=True, autoincrement=True),
    Column("customer_id", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("given", Boolean, nullable=False),
    Column("stated_at", UtcTime, nullable=False),
    Column("text_version", Text),
    Index("ix_consents_customer", "customer_id", "purpose", "channel"),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
)
