"""Open the database a URL names, brought up to date."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from waggle.errors import BadSettings, TemporaryFailure, WaggleError
from waggle.log import get_logger
from waggle.storage.erased import ErasedList, erase_again, tell_erased
from waggle.storage.failures import translated, translated_sqlite
from waggle.storage.keyring import FileKeyring, Keyring, NoKeyring
from waggle.storage.postgresql import PostgresqlUnitOfWork, postgresql_engine
from waggle.storage.sqlite import SqliteUnitOfWork, sqlite_engine
from waggle.storage.tables.vault import person_keys

_log = get_logger(__name__)

Store = SqliteUnitOfWork | PostgresqlUnitOfWork

_MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 7_446_331
"""Any number that no other program on the same database uses."""
_OTHERS_CHANGE_WITHIN = "10min"
"""So long a process that starts waits for another that changes the tables."""
_SCRUBBED = 1
"""Set as SQLite's user_version once no page of the file can hold anything from before personal fields were sealed."""


def open_store(
    url: str,
    *,
    keyring: Keyring | None = None,
    erased: Path | None = None,
    busy_timeout_s: float = 5.0,
    allow_plaintext: bool = False,
) -> Store:
    """Return the unit of work for *url*, its tables brought up to date.

    *url* is `sqlite:///path` or `postgresql://user@host/name`. *erased* is the file that lists who was erased. Not
    given, it and the master keys of an SQLite file lie beside it, in the folder `keys`.

    Raises:
        BadSettings: the URL is of no kind that Waggle knows, or the master keys are not those of the database,
            or it is on another machine and not reached through TLS, which only *allow_plaintext* lets pass.
        TemporaryFailure: the database cannot be reached, locked or written.
    """
    engine = open_engine(url, busy_timeout_s=busy_timeout_s, allow_plaintext=allow_plaintext)
    keyring = keyring_of(engine) if keyring is None else keyring
    listed = _erased_list_of(engine) if erased is None else ErasedList(erased)
    try:
        upgrade(engine, keyring)
        _check_keys(engine, keyring)
        if listed is not None:
            erase_again(engine, keyring, listed)
            tell_erased(engine, keyring, listed)
    except DBAPIError as error:
        engine.dispose()
        raise (translated(error) or error) from error
    except sqlite3.Error as error:
        engine.dispose()
        raise (translated_sqlite(error) or error) from error
    tell = partial(_tell_erased, engine, keyring, listed)
    if engine.dialect.name == "sqlite":
        return SqliteUnitOfWork(engine, keyring, tell)
    return PostgresqlUnitOfWork(engine, keyring, tell)


def _tell_erased(engine: Engine, keyring: Keyring, listed: ErasedList | None) -> None:
    """Tell what was just committed; what cannot be told now is told at the next erasure or start."""
    if listed is None:
        return
    try:
        tell_erased(engine, keyring, listed)
    except (DBAPIError, WaggleError) as error:
        failure = translated(error) if isinstance(error, DBAPIError) else error
        _log.error("erasure not yet told", code=getattr(failure, "code", "UNEXPECTED"))


def open_engine(url: str, *, busy_timeout_s: float = 5.0, allow_plaintext: bool = False) -> Engine:
    """Return a SQLAlchemy engine for *url* as `open_store` uses it.

    Raises:
        BadSettings: the URL is of no kind that Waggle knows, or leads to another machine and not through TLS.
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
        return postgresql_engine(parsed, allow_plaintext=allow_plaintext)
    raise BadSettings(
        "DATABASE_URL", f"database.url begins with {parsed.drivername!r}; Waggle knows sqlite and postgresql"
    )


def keyring_of(engine: Engine) -> Keyring:
    """Return the master keys of a database for which none are named."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        return FileKeyring(Path(engine.url.database).parent / "keys" / "master.toml", may_make=True)
    return NoKeyring()


def _erased_list_of(engine: Engine) -> ErasedList | None:
    if engine.dialect.name == "sqlite" and engine.url.database:
        return ErasedList(Path(engine.url.database).parent / "keys" / "erased.jsonl")
    return None


def upgrade(engine: Engine, keyring: Keyring | None = None) -> None:
    """Bring the tables up to date; of several processes that start at once one does it and the others wait."""
    keyring = keyring_of(engine) if keyring is None else keyring
    if engine.dialect.name == "sqlite":
        # Kept in the file: every later connection finds it set.
        _sqlite(engine, "PRAGMA journal_mode = WAL")
    was = revision(engine)
    if was != _head():
        with _alone(engine), engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                # To rewrite a large table takes as long as it takes.
                connection.execute(text("SET LOCAL statement_timeout = 0"))
            command.upgrade(config_for(connection, keyring), "head")
    _scrub(engine, was)


def _scrub(engine: Engine, was: str | None) -> None:
    """Let nothing of what the tables held before it was sealed stay behind in the files of the database."""
    had_plain_rows = was in {"0001", "0002"}
    if engine.dialect.name == "postgresql":
        if had_plain_rows:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("SET statement_timeout = 0"))
                connection.execute(text("VACUUM FULL events, customers"))
                connection.invalidate()
        return
    if _sqlite(engine, "PRAGMA user_version") == _SCRUBBED:
        return
    # A kill before the mark is set only means that it is done again.
    if was is not None:
        _sqlite(engine, "VACUUM")
        _sqlite(engine, "PRAGMA wal_checkpoint(TRUNCATE)")
    _sqlite(engine, f"PRAGMA user_version = {_SCRUBBED}")


def _sqlite(engine: Engine, statement: str) -> object:
    """Execute *statement* outside any transaction and return the first value of its answer."""
    with engine.connect() as connection:
        row = connection.connection.driver_connection.execute(statement).fetchone()  # type: ignore[union-attr]
        return None if row is None else row[0]


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    """Keep out other processes that want to change the tables; on SQLite the transaction itself does."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # Whoever is before us may have much to change: longer than a statement of ours may take.
            for limit in ("lock_timeout", "statement_timeout"):
                connection.execute(text(f"SET LOCAL {limit} = '{_OTHERS_CHANGE_WITHIN}'"))
            # In a transaction of its own: one that waits here goes on seeing the tables as they were before it waited.
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        yield


def is_up_to_date(engine: Engine) -> bool:
    """Say whether the tables are those that this version of Waggle expects."""
    return revision(engine) == _head()


def revision(engine: Engine) -> str | None:
    """Return how far the tables have come; None: there are none yet."""
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        return MigrationContext.configure(connection).get_current_revision()


def _check_keys(engine: Engine, keyring: Keyring) -> None:
    """Find out before anything is stored whether *keyring* belongs to the database.

    Raises:
        BadSettings: a key that closes what is stored is not in it.
    """
    column = person_keys.c.master_key_id
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        seen: str | None = ""
        # From one to the next by the index, however many persons there are.
        while (seen := connection.scalar(select(func.min(column)).where(column > seen))) is not None:
            keyring.of(seen)


def config_for(connection: Connection | None = None, keyring: Keyring | None = None) -> Config:
    """Return what Alembic needs to change the tables on *connection*, in its transaction."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["keyring"] = keyring
    return config


def knows(revision: str) -> bool:
    """Say whether the tables were ever like that; not if a newer Waggle made them."""
    return revision in {script.revision for script in ScriptDirectory.from_config(config_for()).walk_revisions()}


@cache
def _head() -> str | None:
    """Return the newest revision; to read all of them each time took four fifths of what opening a store takes."""
    return ScriptDirectory.from_config(config_for()).get_current_head()
