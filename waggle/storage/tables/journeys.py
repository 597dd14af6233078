"""Who is in which journey, and what the engine is told."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from waggle.storage.tables.columns import SEQUENCE, UtcTime, metadata

_LIVE = text("state != 'ended'")
_ENTERING = text("state = 'entering'")
_LIVE_ABOUT_PRODUCT = text("state != 'ended' AND sku IS NOT NULL")

enrolments = Table(
    "enrolments",
    metadata,
    Column("enrolment_id", Text, primary_key=True),
    Column("journey", Text, nullable=False),
    Column("business_key", Text, nullable=False),
    Column("entry", Integer, nullable=False),
    Column("customer_id", Text, index=True),
    Column("cart_id", Text, index=True),
    Column("held_out", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("entered_at", UtcTime, nullable=False),
    Column("started_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("outcome", Text),
    Column("outcome_reason", Text),
    Column("instance_key", BigInteger),
    Column("process_version", Integer),
    Column("order_id", Text),
    Column("sku", Text),
    Column("watched_price_minor", BigInteger),
    Column("watched_currency", Text),
    UniqueConstraint("journey", "business_key", "entry"),
    # The promise that a business key is in a journey at most once at a time.
    Index("ix_enrolments_entering", "entered_at", sqlite_where=_ENTERING, postgresql_where=_ENTERING),
    Index("uq_enrolments_live", "journey", "business_key", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
    # Who waits for one product, those first who have waited longest.
    Index(
        "ix_enrolments_live_sku",
        "journey",
        "sku",
        "entered_at",
        "enrolment_id",
        sqlite_where=_LIVE_ABOUT_PRODUCT,
        postgresql_where=_LIVE_ABOUT_PRODUCT,
    ),
)

_WAITING = text("state = 'waiting'")

engine_messages = Table(
    "engine_messages",
    metadata,
    Column("queue_id", SEQUENCE, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("enrolment_id", Text, ForeignKey("enrolments.enrolment_id"), nullable=False, index=True),
    Column("time_to_live_s", Integer, nullable=False),
    Column("variables", JSON, nullable=False),
    Column("state", Text, nullable=False),
    Column("not_before_at", UtcTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("settled_at", UtcTime),
    Column("code", Text),
    UniqueConstraint("name", "message_id"),
    Index("ix_engine_messages_due", "not_before_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
)

# What goes to more enrolments than one transaction tells: a row goes once it has reached the last of them.
waves = Table(
    "waves",
    metadata,
    Column("wave_id", SEQUENCE, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("journey", Text, nullable=False),
    Column("sku", Text, nullable=False, index=True),
    Column("time_to_live_s", Integer, nullable=False),
    Column("variables", JSON, nullable=False),
    Column("cheaper", Boolean, nullable=False),
    Column("left", BigInteger),
    Column("until", UtcTime, nullable=False),
    Column("after_at", UtcTime, nullable=False),
    Column("after_id", Text, nullable=False),
    # Numbers are not given again: the order of waves is the order of their events.
    sqlite_autoincrement=True,
)
