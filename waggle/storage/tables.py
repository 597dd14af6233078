"""The tables. A column marked `personal` holds personal data and is read through one repository only."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

PERSONAL = {"personal": True}

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC; SQLite, which knows no time zones, keeps it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a time without a zone rather than guess one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 -- the base class's signature
        """Give every time its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite numbers rows by itself only in a column of type INTEGER.
_Sequence = BigInteger().with_variant(Integer(), "sqlite")

events = Table(
    "events",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("time", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("data", JSON, nullable=False, info=PERSONAL),
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
    Index(
        "ix_events_subject_pending",
        "subject",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index("ix_events_subject", "subject"),
    sqlite_autoincrement=True,
)

refused_events = Table(
    "refused_events",
    metadata,
    Column("refusal_id", _Sequence, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("event_id", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("body_sha256", Text, nullable=False),
    Column("refused_at", UtcTime, nullable=False),
)

write_keys = Table(
    "write_keys",
    metadata,
    Column("key_hash", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

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
    Column("fact_id", _Sequence, primary_key=True, autoincrement=True),
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

carts = Table(
    "carts",
    metadata,
    Column("cart_id", Text, primary_key=True),
    Column("customer_id", Text, index=True),
    Column("currency", Text, nullable=False),
    Column("items", JSON, nullable=False),
    Column("url", Text),
    Column("last_activity_at", UtcTime, nullable=False),
    Column("customer_told_at", UtcTime),
    Column("url_told_at", UtcTime),
)

orders = Table(
    "orders",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("customer_id", Text, index=True),
    Column("cart_id", Text, index=True),
    Column("placed_at", UtcTime, nullable=False),
    Column("currency", Text, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("coupon_code", Text),
)

products = Table(
    "products",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("name", Text),
    Column("price_minor", BigInteger),
    Column("currency", Text),
    Column("url", Text),
    Column("image_url", Text),
    Column("updated_at", UtcTime),
    Column("quantity", BigInteger),
    Column("stock_changed_at", UtcTime),
)

_LIVE = text("state != 'ended'")
_ENTERING = text("state = 'entering'")

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
    UniqueConstraint("journey", "business_key", "entry"),
    # The promise that a business key is in a journey at most once at a time.
    Index("ix_enrolments_entering", "entered_at", sqlite_where=_ENTERING, postgresql_where=_ENTERING),
    Index("uq_enrolments_live", "journey", "business_key", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
)

_WAITING = text("state = 'waiting'")

engine_messages = Table(
    "engine_messages",
    metadata,
    Column("queue_id", _Sequence, primary_key=True, autoincrement=True),
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

OPEN = ("planned", "claimed", "handed_over")
_OPEN = text(f"state IN {OPEN}")
_IN_DOUBT = text("state = 'in_doubt'")

messages = Table(
    "messages",
    metadata,
    Column("message_id", Text, primary_key=True),
    Column("enrolment_id", Text, ForeignKey("enrolments.enrolment_id"), nullable=False),
    Column("step", Text, nullable=False),
    Column("customer_id", Text),
    Column("cart_id", Text),
    Column("channel", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("template", Text, nullable=False),
    Column("coupon_id", Text),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("planned_at", UtcTime, nullable=False),
    Column("not_before_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("token", Text),
    Column("lease_until", UtcTime),
    Column("attempts", Integer, nullable=False),
    Column("handed_over_at", UtcTime),
    Column("settled_at", UtcTime),
    Column("provider_answer", Text),
    Column("in_doubt", Text, nullable=False, server_default="listed"),
    Column("doubts", Integer, nullable=False, server_default="0"),
    Column("doubted_at", UtcTime),
    Column("provider", Text),
    Column("repeat_safe_until", UtcTime),
    # The promise that a step of a journey sends one message, however often its job is worked.
    UniqueConstraint("enrolment_id", "step"),
    Index("ix_messages_customer", "customer_id", "purpose", "channel", "handed_over_at"),
    Index("ix_messages_open", "expires_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_messages_in_doubt", "handed_over_at", sqlite_where=_IN_DOUBT, postgresql_where=_IN_DOUBT),
)

links = Table(
    "links",
    metadata,
    Column("token", Text, primary_key=True),
    Column("message_id", Text, ForeignKey("messages.message_id"), nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("url", Text),
)

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
    Column("customer_id", Text),
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

# What people decided. Rows are added, never changed.
audit = Table(
    "audit",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("why", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    sqlite_autoincrement=True,
)
