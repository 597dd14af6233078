"""Keys of persons."""

from sqlalchemy import Column, Index, Integer, Table, Text, text

from waggle.storage.tables.columns import UtcTime, metadata

_UNTOLD = text("told = 0")

# The row of an erased person stays, without a key: somebody who comes back gets the next generation of it.
person_keys = Table(
    "person_keys",
    metadata,
    Column("person", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("wrapped_key", Text),
    Column("master_key_id", Text, index=True),
    Column("created_at", UtcTime, nullable=False),
    Column("destroyed_at", UtcTime),
    # 0: destroyed, but not yet in the list of erased persons that is kept outside the database.
    Column("told", Integer, nullable=False),
    Index("ix_person_keys_untold", "person", sqlite_where=_UNTOLD, postgresql_where=_UNTOLD),
)
