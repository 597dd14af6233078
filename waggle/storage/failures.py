"""Say a database's errors in Waggle's words."""

import sqlite3

from sqlalchemy import URL, Engine, ExceptionContext, event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from waggle.errors import TemporaryFailure, WaggleError

_SERVER = "waggle_server"

_SQLITE = {
    "SQLITE_BUSY": ("DATABASE_LOCKED", "another program holds the database file locked; end it or wait"),
    "SQLITE_LOCKED": ("DATABASE_LOCKED", "another connection holds a table locked; wait"),
    "SQLITE_READONLY": (
        "DATABASE_READ_ONLY",
        "the database file or its folder cannot be written; check its permissions",
    ),
    "SQLITE_FULL": ("DATABASE_FULL", "the disk of the database is full; free some space"),
    "SQLITE_IOERR": ("DATABASE_UNREACHABLE", "the disk of the database does not answer as it should"),
    "SQLITE_CANTOPEN": ("DATABASE_UNREACHABLE", "the database file cannot be opened; check that its folder exists"),
}
_POSTGRESQL = {
    "25006": ("DATABASE_READ_ONLY", "PostgreSQL accepts reads only; is it a standby?"),
    "53100": ("DATABASE_FULL", "the disk of PostgreSQL is full; free some space"),
    "55P03": ("DATABASE_LOCKED", "PostgreSQL holds a lock for too long; look for a stuck transaction"),
    "57014": ("DATABASE_LOCKED", "PostgreSQL cancelled a statement that took too long"),
}
# By what libpq and psycopg say where there is no state; the first that is found.
_UNREACHED = (
    ("failed to resolve host", "no host of that name is known"),
    ("certificate", "its certificate is not one that we trust; sslrootcert=FILE names an authority of your own"),
    ("SSL", "it does not speak TLS as database.url asks for"),
    ("FATAL", "it turns us away: user, password or database are wrong, or it is starting, ending or full"),
)
_SERIALIZATION = frozenset({"40001", "40P01"})
# Long enough to be polite, short enough that a shop's retry finds the database back.
_RETRY_AFTER_S = 5.0


def name_server(engine: Engine) -> None:
    """Let `translated` say of errors of *engine* which server it was; never as whom, nor with which password."""
    server = _server(engine.url)

    @event.listens_for(engine, "handle_error")
    def note(context: ExceptionContext) -> None:
        setattr(context.original_exception, _SERVER, server)


def is_serialization_failure(error: DBAPIError) -> bool:
    """Say whether PostgreSQL asks to run the transaction again: another one came first."""
    return getattr(error.orig, "sqlstate", None) in _SERIALIZATION


def translated(error: DBAPIError) -> WaggleError | None:
    """Return what *error* means for the caller, or None if it is a defect of ours, such as a broken constraint."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return translated_sqlite(cause)
    state = getattr(cause, "sqlstate", None)
    if state in _POSTGRESQL:
        code, detail = _POSTGRESQL[state]
        return TemporaryFailure(code, detail, retry_after_s=_RETRY_AFTER_S)
    if state in _SERIALIZATION:
        return TemporaryFailure("DATABASE_LOCKED", "too many transactions at once on the same rows", retry_after_s=1.0)
    # Without an answer there is no state; a value that the driver cannot send has none either, and is a defect of ours.
    no_answer = state is None and isinstance(error, OperationalError | InterfaceError)
    if error.connection_invalidated or no_answer or (state is not None and state.startswith(("08", "57P"))):
        server = getattr(cause, _SERVER, "PostgreSQL")
        said = str(cause)
        why = next((why for word, why in _UNREACHED if word in said), "it does not answer; is it running?")
        return TemporaryFailure("DATABASE_UNREACHABLE", f"{server}: {why}", retry_after_s=_RETRY_AFTER_S)
    return None


def _server(url: URL) -> str:
    hosts = url.query.get("host", url.host or "")
    host = ",".join(hosts) if isinstance(hosts, tuple) else hosts
    port = url.port or url.query.get("port", 5432)
    return f"PostgreSQL on {host or 'this machine'}, port {port}, database {url.database or 'of the user'}"


def translated_sqlite(error: sqlite3.Error) -> WaggleError | None:
    """Return what an error of SQLite itself means, or None if it is a defect of ours."""
    name = getattr(error, "sqlite_errorname", "")
    for prefix, (code, detail) in _SQLITE.items():
        if name.startswith(prefix):
            return TemporaryFailure(code, detail, retry_after_s=_RETRY_AFTER_S)
    return None
