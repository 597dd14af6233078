"""What came in and could not be understood."""

from sqlalchemy import BigInteger, Column, Index, Table, Text, text

from waggle.storage.tables.columns import PERSONAL, SEQUENCE, UtcTime, metadata

_WAITING = text("state = 'waiting'")

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", SEQUENCE, primary_key=True, autoincrement=True),
    Column("source", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("where", Text, nullable=False),
    # Keyed, so that nobody can guess what came in; under it the content is sealed, too.
    Column("fingerprint", Text, nullable=False),
    Column("content_bytes", BigInteger, nullable=False),
    # Empty once it is settled.
    Column("sealed", Text, info=PERSONAL),
    Column("set_aside_at", UtcTime, nullable=False),
    Column("state", Text, nullable=False),
    Column("settled_at", UtcTime),
    # The same again while it waits is the same.
    Index(
        "uq_quarantine_waiting",
        "source",
        "topic",
        "fingerprint",
        unique=True,
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    ),
    sqlite_autoincrement=True,
)
