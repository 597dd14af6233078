"""No indices of events by subject: what an event is about is found among those that are pending, or by its customer."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    """Go forward."""
    # Nothing asked by them, and of the pages that a commit of 16 events wrote they were half.
    op.drop_index("ix_events_subject_pending", "events")
    op.drop_index("ix_events_subject", "events")


def downgrade() -> None:
    """Go back."""
    op.create_index("ix_events_subject", "events", ["subject"])
    op.create_index(
        "ix_events_subject_pending", "events", ["subject"], sqlite_where=_PENDING, postgresql_where=_PENDING
    )
