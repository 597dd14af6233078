"""Events: accepted, refused, set aside."""

from sqlalchemy import JSON, Column, Index, Table, Text, UniqueConstraint, text

from waggle.storage.tables.columns import PERSONAL, SEQUENCE, UtcTime, metadata

events = Table(
    "events",
    metadata,
    Column("sequence", SEQUENCE, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("body_sha256", Text, nullable=False),
    # Whom the data names as customer, in a column of its own so that it can be found.
    Column("customer_id", Text, index=True),
    # What is not personal.
    Column("data", JSON, nullable=False),
    # The rest, with a key of `customer_id`, else of the anonymous id or cart: a JSON object.
    Column("sealed", Text, info=PERSONAL),
    Column("state", Text, nullable=False),
    Column("settled_at", UtcTime),
    Column("code", Text),
    UniqueConstraint("source", "event_id"),
    Index(
        "ix_events_pending",
        "sequence",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    sqlite_autoincrement=True,
)

refused_events = Table(
    "refused_events",
    metadata,
    Column("refusal_id", SEQUENCE, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("refused_at", UtcTime, nullable=False),
)
