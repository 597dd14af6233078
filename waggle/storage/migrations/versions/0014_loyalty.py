"""Points, levels and audiences."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_STILL_IN = sa.text("removed_at IS NULL")


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "loyalty_entries",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("points", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("tier", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("source", "event_id", name=op.f("pk_loyalty_entries")),
    )
    op.create_index("ix_loyalty_entries_customer_id", "loyalty_entries", ["customer_id"])
    op.create_table(
        "audience_memberships",
        sa.Column("enrolment_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("keeper", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=True),
        sa.Column("added_at", _TIME, nullable=False),
        sa.Column("removed_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["enrolment_id"], ["enrolments.enrolment_id"], name=op.f("fk_audience_memberships_enrolment_id_enrolments")
        ),
        sa.PrimaryKeyConstraint("enrolment_id", name=op.f("pk_audience_memberships")),
    )
    op.create_index("ix_audience_memberships_customer_id", "audience_memberships", ["customer_id"])
    op.create_index(
        "ix_audience_memberships_in",
        "audience_memberships",
        ["added_at"],
        sqlite_where=_STILL_IN,
        postgresql_where=_STILL_IN,
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("audience_memberships")
    op.drop_table("loyalty_entries")
