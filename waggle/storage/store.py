"""Open the database a URL names, brought up to date."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from waggle.errors import BadSettings, TemporaryFailure
from waggle.storage.failures import translated, translated_sqlite
from waggle.storage.postgresql import PostgresqlUnitOfWork, postgresql_engine
from waggle.storage.sqlite import SqliteUnitOfWork, sqlite_engine

Store = SqliteUnitOfWork | PostgresqlUnitOfWork

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 7_446_331
"""Any number that no other program on the same database uses."""


def open_store(url: str, *, busy_timeout_s: float = 5.0) -> Store:
    """Return the unit of work for *url*, its tables brought up to date.

    *url* is `sqlite:///path` or `postgresql://user@host/name`.

    Raises:
        BadSettings: the URL is of no kind that Waggle knows.
        TemporaryFailure: the database cannot be reached, locked or written.
    """
    engine = open_engine(url, busy_timeout_s=busy_timeout_s)
    try:
        upgrade(engine)
    except DBAPIError as error:
        engine.dispose()
        raise (translated(error) or error) from error
    except sqlite3.Error as error:
        engine.dispose()
        raise (translated_sqlite(error) or error) from error
    if engine.dialect.name == "sqlite":
        return SqliteUnitOfWork(engine)
    return PostgresqlUnitOfWork(engine)


def open_engine(url: str, *, busy_timeout_s: float = 5.0) -> Engine:
    """Return a SQLAlchemy engine for *url* as `open_store` uses it.

    Raises:
        BadSettings: the URL is of no kind that Waggle knows.
        TemporaryFailure: the folder of the database cannot be made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadSettings("DATABASE_URL", "database.url is no URL; write sqlite:///path or postgresql://...") from error
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        path = Path(parsed.database)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TemporaryFailure("DATABASE_UNREACHABLE", f"the folder {path.parent} cannot be made") from error
        return sqlite_engine(path, busy_timeout_s=busy_timeout_s)
    if parsed.get_backend_name() == "postgresql":
        return postgresql_engine(parsed)
    raise BadSettings(
        "DATABASE_URL", f"database.url begins with {parsed.drivername!r}; Waggle knows sqlite and postgresql"
    )


def upgrade(engine: Engine) -> None:
    """Bring the tables up to date; of several processes that start at once one does it and the others wait."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            # Kept in the file: every later connection finds it set.
            connection.connection.driver_connection.execute("PRAGMA journal_mode = WAL")  # type: ignore[union-attr]
    if is_up_to_date(engine):
        return
    with _alone(engine), engine.begin() as connection:
        command.upgrade(_config(connection), "head")


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Keep out other processes that want to change the tables; on SQLite the transaction itself does."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # In a transaction of its own: one that waits here goes on seeing the tables as they were before it waited.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        yield


def is_up_to_date(engine: Engine) -> bool:
    """Say whether the tables are those that this version of Waggle expects."""
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        return MigrationContext.configure(connection).get_current_revision() == _head()


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _head() -> str | None:
    return ScriptDirectory.from_config(_config()).get_current_head()
