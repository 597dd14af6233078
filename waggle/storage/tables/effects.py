"""What journeys do in the outside world beyond messages and coupons, and what is told as an occasion."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from waggle.storage.tables.columns import UtcTime, metadata

_IN_DOUBT = text("state = 'in_doubt'")

effects = Table(
    "effects",
    metadata,
    Column("effect_id", Text, primary_key=True),
    Column("enrolment_id", Text, ForeignKey("enrolments.enrolment_id"), nullable=False),
    Column("step", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("customer_id", Text, index=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("result", Text),
    Column("planned_at", UtcTime, nullable=False),
    Column("token", Text),
    Column("lease_until", UtcTime),
    Column("attempts", Integer, nullable=False),
    Column("handed_over_at", UtcTime),
    Column("settled_at", UtcTime),
    # The promise that a step of a journey has one effect, however often its job is worked.
    UniqueConstraint("enrolment_id", "step"),
    Index("ix_effects_in_doubt", "handed_over_at", sqlite_where=_IN_DOUBT, postgresql_where=_IN_DOUBT),
)

# Each day on which occasions were looked for: of several processes one does it.
occasion_runs = Table(
    "occasion_runs",
    metadata,
    Column("day", Text, primary_key=True),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
)
