"""What becomes of doubts, what coupons take up of their budgets, and what people decided."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_IN_DOUBT = sa.text("state = 'in_doubt'")


def upgrade() -> None:
    """Go forward; added in place, since to copy `messages` would take long and trip over what refers to it."""
    op.add_column("messages", sa.Column("in_doubt", sa.Text(), server_default="listed", nullable=False))
    op.add_column("messages", sa.Column("doubts", sa.Integer(), server_default="0", nullable=False))
    op.add_column("messages", sa.Column("doubted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("messages", sa.Column("provider", sa.Text(), nullable=True))
    op.add_column("messages", sa.Column("repeat_safe_until", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_messages_in_doubt", "messages", ["handed_over_at"], sqlite_where=_IN_DOUBT, postgresql_where=_IN_DOUBT
    )
    op.execute("UPDATE messages SET doubts = 1, doubted_at = handed_over_at WHERE state = 'in_doubt'")
    op.create_table(
        "coupon_budgets",
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("taken_count", sa.BigInteger(), nullable=False),
        sa.Column("taken_minor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("campaign", name=op.f("pk_coupon_budgets")),
    )
    op.execute(
        "INSERT INTO coupon_budgets (campaign, taken_count, taken_minor) "
        "SELECT campaign, count(*), sum(cost_minor) FROM coupons WHERE state != 'reversed' GROUP BY campaign"
    )
    op.create_table(
        "audit",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_audit")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_subject"), "audit", ["subject"])


def downgrade() -> None:
    """Go back."""
    op.drop_table("audit")
    op.drop_table("coupon_budgets")
    op.drop_index("ix_messages_in_doubt", "messages")
    for column in ("repeat_safe_until", "provider", "doubted_at", "doubts", "in_doubt"):
        op.drop_column("messages", column)
