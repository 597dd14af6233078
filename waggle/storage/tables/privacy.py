"""What people asked of us about their data, what we made for them, and what left the house."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from waggle.storage.tables.columns import PERSONAL, SEQUENCE, UtcTime, metadata

privacy_requests = Table(
    "privacy_requests",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("right", Text, nullable=False),
    Column("customer_id", Text, nullable=False, index=True),
    Column("source", Text, nullable=False),
    Column("opened_by", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("confirmed_at", UtcTime),
    Column("done_at", UtcTime),
    Column("done_by", Text),
    Column("outcome", Text),
    Column("payload", Text, info=PERSONAL),
    Index("ix_privacy_requests_state", "state", "due_at"),
)

one_time_links = Table(
    "one_time_links",
    metadata,
    # Of the token only the hash is kept: who reads the database cannot follow the link.
    Column("token_sha256", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("customer_id", Text, nullable=False, index=True),
    Column("subject", Text, nullable=False),
    Column("payload", Text, info=PERSONAL),
    Column("made_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("used_at", UtcTime),
)

exports = Table(
    "exports",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False, index=True),
    Column("archive", Text, info=PERSONAL),
    Column("archive_bytes", BigInteger, nullable=False),
    Column("made_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False, index=True),
    Column("fetched_at", UtcTime),
)

transfers = Table(
    "transfers",
    metadata,
    Column("transfer_id", SEQUENCE, primary_key=True, autoincrement=True),
    Column("at", UtcTime, nullable=False, index=True),
    Column("destination", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
)

legal_holds = Table(
    "legal_holds",
    metadata,
    Column("customer_id", Text, primary_key=True),
    Column("why", Text, nullable=False),
    Column("held_by", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
)

retention_runs = Table(
    "retention_runs",
    metadata,
    Column("day", Text, primary_key=True),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
)
