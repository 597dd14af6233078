"""Coupons and their budgets."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from waggle.storage.tables.columns import UtcTime, metadata

_RESERVED = text("state = 'reserved'")

coupons = Table(
    "coupons",
    metadata,
    Column("coupon_id", Text, primary_key=True),
    Column("enrolment_id", Text, ForeignKey("enrolments.enrolment_id"), nullable=False),
    Column("step", Text, nullable=False),
    Column("campaign", Text, nullable=False),
    Column("code", Text, nullable=False, unique=True),
    Column("percent", Integer, nullable=False),
    Column("cost_minor", BigInteger, nullable=False),
    Column("customer_id", Text, index=True),
    Column("state", Text, nullable=False),
    Column("reserved_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("issued_at", UtcTime),
    Column("closed_at", UtcTime),
    Column("order_id", Text),
    UniqueConstraint("enrolment_id", "step"),
    Index("ix_coupons_campaign", "campaign", "state"),
    Index("ix_coupons_reserved", "expires_at", sqlite_where=_RESERVED, postgresql_where=_RESERVED),
)

# What the coupons of a campaign take up, changed with them in one transaction: a sum would grow with the campaign.
coupon_budgets = Table(
    "coupon_budgets",
    metadata,
    Column("campaign", Text, primary_key=True),
    # Empty until the first coupon after the migration, which could not know it.
    Column("currency", Text),
    Column("taken_count", BigInteger, nullable=False),
    Column("taken_minor", BigInteger, nullable=False),
)
