"""Engine messages on their way to more enrolments than one transaction tells; what is exported by the day."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_LIVE_ABOUT_PRODUCT = sa.text("state != 'ended' AND sku IS NOT NULL")


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "waves",
        sa.Column("wave_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("journey", sa.Text(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("time_to_live_s", sa.Integer(), nullable=False),
        sa.Column("variables", sa.JSON(), nullable=False),
        sa.Column("cheaper", sa.Boolean(), nullable=False),
        sa.Column("left", sa.BigInteger(), nullable=True),
        sa.Column("until", _TIME, nullable=False),
        sa.Column("after_at", _TIME, nullable=False),
        sa.Column("after_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("wave_id", name=op.f("pk_waves")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_waves_sku", "waves", ["sku"])
    _order_who_waits(["journey", "sku", "entered_at", "enrolment_id"])
    op.create_index("ix_messages_planned", "messages", ["planned_at", "message_id"])
    op.create_index("ix_orders_placed", "orders", ["placed_at", "order_id"])
    op.create_index("ix_product_views_viewer_id", "product_views", ["viewer_id"])


def downgrade() -> None:
    """Go back."""
    op.drop_index("ix_product_views_viewer_id", "product_views")
    op.drop_index("ix_orders_placed", "orders")
    op.drop_index("ix_messages_planned", "messages")
    _order_who_waits(["journey", "sku", "entered_at"])
    op.drop_table("waves")


def _order_who_waits(columns: list[str]) -> None:
    op.drop_index("ix_enrolments_live_sku", "enrolments")
    op.create_index(
        "ix_enrolments_live_sku",
        "enrolments",
        columns,
        sqlite_where=_LIVE_ABOUT_PRODUCT,
        postgresql_where=_LIVE_ABOUT_PRODUCT,
    )
