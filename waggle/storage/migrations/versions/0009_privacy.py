"""Consents with proof, requests of customers, transfers."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Go forward; a consent of before says what it said, and nothing of where it came from."""
    op.add_column("consents", sa.Column("state", sa.Text(), server_default="granted", nullable=False))
    op.add_column("consents", sa.Column("legal_basis", sa.Text(), server_default="consent", nullable=False))
    op.add_column("consents", sa.Column("mechanism", sa.Text(), nullable=True))
    op.add_column("consents", sa.Column("source", sa.Text(), nullable=True))
    op.add_column("consents", sa.Column("event_id", sa.Text(), nullable=True))
    op.add_column("consents", sa.Column("proof_url", sa.Text(), nullable=True))
    op.add_column("consents", sa.Column("ip", sa.Text(), nullable=True))
    op.add_column("consents", sa.Column("valid_until", _TIME, nullable=True))
    op.execute("UPDATE consents SET state = 'withdrawn' WHERE NOT given")
    op.drop_column("consents", "given")
    op.create_index("uq_consents_event", "consents", ["source", "event_id"], unique=True)
    _people()
    _rights()
    _house()


def _people() -> None:
    op.create_table(
        "consent_texts",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_seen_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("version", "language", name=op.f("pk_consent_texts")),
    )
    op.create_table(
        "restrictions",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("restricted", sa.Boolean(), nullable=False),
        sa.Column("stated_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("source", "event_id", name=op.f("pk_restrictions")),
    )
    op.create_index(op.f("ix_restrictions_customer_id"), "restrictions", ["customer_id"])
    op.create_table(
        "suppressed_addresses",
        sa.Column("blind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("blind", "channel", name=op.f("pk_suppressed_addresses")),
    )


def _rights() -> None:
    op.create_table(
        "privacy_requests",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("right", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", _TIME, nullable=False),
        sa.Column("due_at", _TIME, nullable=False),
        sa.Column("confirmed_at", _TIME, nullable=True),
        sa.Column("done_at", _TIME, nullable=True),
        sa.Column("done_by", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_privacy_requests")),
    )
    op.create_index(op.f("ix_privacy_requests_customer_id"), "privacy_requests", ["customer_id"])
    op.create_index("ix_privacy_requests_state", "privacy_requests", ["state", "due_at"])
    op.create_table(
        "one_time_links",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=True),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("used_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_one_time_links")),
    )
    op.create_index(op.f("ix_one_time_links_customer_id"), "one_time_links", ["customer_id"])
    op.create_index(op.f("ix_one_time_links_expires_at"), "one_time_links", ["expires_at"])
    op.create_table(
        "exports",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("archive", sa.Text(), nullable=True),
        sa.Column("archive_bytes", sa.BigInteger(), nullable=False),
        sa.Column("made_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=False),
        sa.Column("fetched_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_exports")),
    )
    op.create_index(op.f("ix_exports_customer_id"), "exports", ["customer_id"])
    op.create_index(op.f("ix_exports_expires_at"), "exports", ["expires_at"])


def _house() -> None:
    op.create_table(
        "transfers",
        sa.Column("transfer_id", _SEQUENCE, autoincrement=True, nullable=False),
        sa.Column("at", _TIME, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("transfer_id", name=op.f("pk_transfers")),
    )
    op.create_index(op.f("ix_transfers_at"), "transfers", ["at"])
    op.create_table(
        "legal_holds",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("held_by", sa.Text(), nullable=False),
        sa.Column("since", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_legal_holds")),
    )
    op.create_table(
        "retention_runs",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_retention_runs")),
    )


def downgrade() -> None:
    """Go back; who only was asked to confirm has then agreed to nothing."""
    for table in ("retention_runs", "legal_holds", "transfers", "exports", "one_time_links", "privacy_requests"):
        op.drop_table(table)
    for table in ("suppressed_addresses", "restrictions", "consent_texts"):
        op.drop_table(table)
    op.execute("DELETE FROM consents WHERE state = 'requested'")
    op.add_column("consents", sa.Column("given", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.execute("UPDATE consents SET given = (state = 'granted')")
    op.drop_index("uq_consents_event", "consents")
    for column in (
        "valid_until", "ip", "proof_url", "event_id", "source", "mechanism", "legal_basis", "state",
    ):  # fmt: skip
        op.drop_column("consents", column)
