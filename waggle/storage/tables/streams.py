"""What is on its way out, and how far each stream is."""

from sqlalchemy import JSON, BigInteger, Column, Index, Integer, Table, Text, text

from waggle.storage.tables.columns import SEQUENCE, UtcTime, metadata

_UNNUMBERED = text("position IS NULL")
_NUMBERED = text("position IS NOT NULL")

# Rows come with the transactions that they tell of: none is forgotten, none tells of what did not happen.
outcomes = Table(
    "outcomes",
    metadata,
    Column("outcome_id", SEQUENCE, primary_key=True, autoincrement=True),
    # Given once the row is committed: see OutcomeLog.number.
    Column("position", BigInteger),
    # "event": an event was applied, `event_sequence` says which, and the rest is empty.
    Column("type", Text, nullable=False),
    Column("event_sequence", BigInteger),
    Column("subject", Text),
    Column("customer_id", Text, index=True),
    Column("at", UtcTime, nullable=False),
    Column("data", JSON(none_as_null=True)),
    Index("ix_outcomes_unnumbered", "outcome_id", sqlite_where=_UNNUMBERED, postgresql_where=_UNNUMBERED),
    Index("uq_outcomes_position", "position", unique=True, sqlite_where=_NUMBERED, postgresql_where=_NUMBERED),
    Index("ix_outcomes_at", "at"),
    sqlite_autoincrement=True,
)

streams = Table(
    "streams",
    metadata,
    Column("name", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("confirmed_at", UtcTime),
    Column("failures", Integer, nullable=False),
    Column("code", Text),
    Column("failed_at", UtcTime),
    Column("holder", Text),
    Column("held_until", UtcTime),
)
