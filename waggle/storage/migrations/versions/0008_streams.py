"""What is on its way out."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UNNUMBERED = sa.text("position IS NULL")
_NUMBERED = sa.text("position IS NOT NULL")


def upgrade() -> None:
    """Go forward; what was applied before can be told as well, what journeys came to before cannot."""
    op.create_table(
        "outcomes",
        sa.Column(
            "outcome_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("event_sequence", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("outcome_id", name=op.f("pk_outcomes")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_outcomes_unnumbered", "outcomes", ["outcome_id"], sqlite_where=_UNNUMBERED, postgresql_where=_UNNUMBERED
    )
    op.create_index(
        "uq_outcomes_position",
        "outcomes",
        ["position"],
        unique=True,
        sqlite_where=_NUMBERED,
        postgresql_where=_NUMBERED,
    )
    op.create_index("ix_outcomes_at", "outcomes", ["at"])
    op.create_index(op.f("ix_outcomes_customer_id"), "outcomes", ["customer_id"])
    op.create_table(
        "streams",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_streams")),
    )
    op.execute(
        "INSERT INTO outcomes (type, event_sequence, at) SELECT 'event', sequence, settled_at FROM events "
        "WHERE state = 'applied' AND settled_at IS NOT NULL ORDER BY sequence"
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("streams")
    op.drop_table("outcomes")
