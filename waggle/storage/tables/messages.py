"""What shoppers get, and the links in it."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from waggle.storage.tables.columns import UtcTime, metadata

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
    Column("order_id", Text),
    Column("sku", Text),
    Column("clicked_at", UtcTime),
    # The promise that a step of a journey sends one message, however often its job is worked.
    UniqueConstraint("enrolment_id", "step"),
    Index("ix_messages_customer", "customer_id", "purpose", "channel", "handed_over_at"),
    # Those of one day, in order.
    Index("ix_messages_planned", "planned_at", "message_id"),
    Index("ix_messages_open", "expires_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    Index("ix_messages_open_of_enrolment", "enrolment_id", "not_before_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
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
