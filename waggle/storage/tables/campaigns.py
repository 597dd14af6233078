"""Campaigns, what people are asked to approve, and who is logged in to the console."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from waggle.storage.tables.columns import UtcTime, metadata

_WAITING = text("state = 'waiting'")

campaigns = Table(
    "campaigns",
    metadata,
    Column("campaign_id", Text, primary_key=True),
    Column("campaign", Text, nullable=False),
    Column("requested_by", Text),
    Column("requested_at", UtcTime, nullable=False, index=True),
    Column("enrolment_id", Text, unique=True),
    Column("wish", Text, nullable=False),
    Column("counted", Integer),
    Column("started_at", UtcTime),
    Column("cursor", Text, nullable=False),
    Column("walked", Boolean, nullable=False),
    Column("planned", Integer, nullable=False),
    Column("paced_until", UtcTime),
    Column("ended_at", UtcTime),
    Column("outcome", Text),
)

approvals = Table(
    "approvals",
    metadata,
    Column("approval_id", Text, primary_key=True),
    Column("enrolment_id", Text, ForeignKey("enrolments.enrolment_id"), nullable=False),
    Column("step", Text, nullable=False),
    Column("element_id", Text, nullable=False),
    Column("journey", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("form", Text, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("shown", JSON, nullable=False),
    Column("requested_by", Text),
    Column("asked_at", UtcTime, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("answer", Text),
    Column("answers", JSON, nullable=False),
    Column("comment", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", UtcTime),
    # The promise that a journey asks once, however often its job is worked.
    UniqueConstraint("enrolment_id", "step"),
    Index("ix_approvals_waiting", "asked_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
)

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("session_hash", Text, primary_key=True),
    Column("key_id", Text, nullable=False),
    Column("began_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
)
