"""Points and levels of the loyalty programme; who is in which advertising audience outside."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text, text

from waggle.storage.tables.columns import UtcTime, metadata

_STILL_IN = text("removed_at IS NULL")

loyalty_entries = Table(
    "loyalty_entries",
    metadata,
    # The event that said it: so each counts once.
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False, index=True),
    Column("at", UtcTime, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("order_id", Text),
    Column("tier", Text),
)

audience_memberships = Table(
    "audience_memberships",
    metadata,
    Column("enrolment_id", Text, ForeignKey("enrolments.enrolment_id"), primary_key=True),
    Column("customer_id", Text, nullable=False, index=True),
    Column("audience", Text, nullable=False),
    Column("keeper", Text, nullable=False),
    Column("member", Text),
    Column("added_at", UtcTime, nullable=False),
    Column("removed_at", UtcTime),
    Index("ix_audience_memberships_in", "added_at", sqlite_where=_STILL_IN, postgresql_where=_STILL_IN),
)
