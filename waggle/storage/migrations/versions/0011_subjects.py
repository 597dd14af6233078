"""What an enrolment and a message are about; effects beyond messages and coupons."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_LIVE_ABOUT_PRODUCT = sa.text("state != 'ended' AND sku IS NOT NULL")
_IN_DOUBT = sa.text("state = 'in_doubt'")

_NEW_COLUMNS: dict[str, dict[str, TypeEngine[Any]]] = {
    "enrolments": {
        "order_id": sa.Text(),
        "sku": sa.Text(),
        "watched_price_minor": sa.BigInteger(),
        "watched_currency": sa.Text(),
    },
    "messages": {"order_id": sa.Text(), "sku": sa.Text(), "clicked_at": _TIME},
}


def upgrade() -> None:
    """Go forward."""
    for table, columns in _NEW_COLUMNS.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.create_index(
        "ix_enrolments_live_sku",
        "enrolments",
        ["journey", "sku", "entered_at"],
        sqlite_where=_LIVE_ABOUT_PRODUCT,
        postgresql_where=_LIVE_ABOUT_PRODUCT,
    )
    _note_clicks()
    op.create_table(
        "effects",
        sa.Column("effect_id", sa.Text(), nullable=False),
        sa.Column("enrolment_id", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("planned_at", _TIME, nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("lease_until", _TIME, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("handed_over_at", _TIME, nullable=True),
        sa.Column("settled_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolments.enrolment_id"], name=op.f("fk_effects_enrolment_id_enrolments")
        ),
        sa.PrimaryKeyConstraint("effect_id", name=op.f("pk_effects")),
        sa.UniqueConstraint("enrolment_id", "step", name=op.f("uq_effects_enrolment_id_step")),
    )
    op.create_index("ix_effects_customer_id", "effects", ["customer_id"])
    op.create_index(
        "ix_effects_in_doubt", "effects", ["handed_over_at"], sqlite_where=_IN_DOUBT, postgresql_where=_IN_DOUBT
    )
    op.create_table(
        "occasion_runs",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_occasion_runs")),
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("occasion_runs")
    op.drop_table("effects")
    op.drop_index("ix_enrolments_live_sku", "enrolments")
    for table, columns in _NEW_COLUMNS.items():
        for name in columns:
            op.drop_column(table, name)


def _note_clicks() -> None:
    """Note on each message the first click that was told of it: who clicked before would else look unengaged."""
    events = sa.table("events", sa.column("type"), sa.column("time"), sa.column("data", sa.JSON()))
    messages = sa.table("messages", sa.column("message_id"), sa.column("clicked_at"))
    connection = op.get_bind()
    clicked: dict[str, object] = {}
    told = sa.select(events.c.data, events.c.time).where(events.c.type == "message-clicked").order_by(events.c.time)
    for data, at in connection.execute(told):
        clicked.setdefault(data["message_id"], at)
    for message_id, at in clicked.items():
        connection.execute(sa.update(messages).where(messages.c.message_id == message_id).values(clicked_at=at))
