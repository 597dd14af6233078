"""Whole copies of the database, consistent, encrypted, and put back only into an empty one."""

import fcntl
import os
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, BinaryIO

import psycopg
from alembic import command
from psycopg import sql
from sqlalchemy import Connection, Engine, func, inspect, select, text
from sqlalchemy.exc import DBAPIError

from waggle.errors import BadSettings, PermanentFailure
from waggle.storage.erased import ErasedList, erase_again, erase_again_in
from waggle.storage.failures import translated, translated_sqlite
from waggle.storage.keyring import Keyring, sync_folder
from waggle.storage.sealed_file import SealedReader, SealedWriter, broken
from waggle.storage.store import config_for, knows, open_engine, revision, upgrade
from waggle.storage.tables import metadata
from waggle.storage.vault import Vault

_COPY_BYTES = 1 << 20
_NEVER_EMPTY = {"audit_head"}
"""Tables into which a migration puts the first row."""


@dataclass(frozen=True, slots=True)
class BackupContent:
    """What a backup holds."""

    made_at: datetime
    database: str
    """sqlite or postgresql: it can be put back into a database of the same kind."""
    content_bytes: int
    rows: Mapping[str, int]
    """Table -> how many rows."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back."""

    content: BackupContent
    erased_again: int
    """How many persons it held who have been erased since."""


def create_backup(
    url: str, keyring: Keyring, file: Path, now: datetime, *, allow_plaintext: bool = False
) -> BackupContent:
    """Write all of the database, as it is at one moment, to the new *file*; writers go on meanwhile.

    A kill in the middle leaves at most FILE.partial, which the next run replaces.

    Raises:
        BadSettings: the file exists or cannot be written.
        TemporaryFailure: the database does not answer.
    """
    if file.exists():
        raise BadSettings("BACKUP_EXISTS", f"{file} exists; a backup never overwrites another one")
    engine = open_engine(url, allow_plaintext=allow_plaintext)
    try:
        upgrade(engine, keyring)
        with _arriving(file) as out:
            about = {"database": engine.dialect.name, "made_at": now.isoformat(), "revision": str(revision(engine))}
            writer = SealedWriter(out, keyring, about)
            rows = (_write_sqlite if engine.dialect.name == "sqlite" else _write_postgresql)(engine, writer)
            writer.finish()
    except DBAPIError as error:
        raise (translated(error) or error) from error
    except sqlite3.Error as error:
        raise (translated_sqlite(error) or error) from error
    except OSError as error:
        raise BadSettings("BACKUP_UNWRITABLE", f"{file} cannot be written: {error.strerror}") from error
    finally:
        engine.dispose()
    return BackupContent(now, about["database"], writer.content_bytes, rows)


def verify_backup(keyring: Keyring, file: Path) -> BackupContent:
    """Read all of *file* as a restore would, and return what it holds.

    Raises:
        PermanentFailure: BACKUP_BROKEN, it cannot be used.
        BadSettings: it is not there, or its master key is not.
    """
    with _reading(file, keyring) as reader:
        if reader.header.about.get("database") == "sqlite":
            return _verify_sqlite(reader)
        # In COPY's text form a line is a row.
        parts = _Parts(reader.chunks()).tables()
        rows = {name: sum(block.count(b"\n") for block in blocks) for name, _columns, _last, blocks in parts}
        return _content(reader, rows)


def restore_backup(
    url: str, keyring: Keyring, erased: ErasedList, file: Path, *, allow_plaintext: bool = False
) -> Restored:
    """Put *file* back into the database, which must be empty; who was erased since is erased again before.

    A kill in the middle leaves the database empty, and beside an SQLite file at most a folder that the next run sweeps.

    Raises:
        PermanentFailure: BACKUP_BROKEN, the file cannot be used, or the database is of another kind.
        BadSettings: DATABASE_NOT_EMPTY, or the master key of the backup is not there.
        TemporaryFailure: the database does not answer.
    """
    engine = open_engine(url, allow_plaintext=allow_plaintext)
    try:
        with _reading(file, keyring) as reader:
            kind = reader.header.about.get("database")
            if kind != engine.dialect.name:
                raise PermanentFailure(
                    "BACKUP_OF_ANOTHER_KIND", f"the backup is of {kind}, the database is {engine.dialect.name}"
                )
            if not knows(reader.header.about.get("revision", "")):
                raise PermanentFailure("BACKUP_IS_NEWER", "a newer Waggle made the backup; restore it with that one")
            _check_empty(engine)
            restore = _restore_sqlite if kind == "sqlite" else _restore_postgresql
            return restore(engine, keyring, erased, reader)
    except DBAPIError as error:
        raise (translated(error) or error) from error
    except sqlite3.Error as error:
        raise (translated_sqlite(error) or error) from error
    finally:
        engine.dispose()


@contextmanager
def _arriving(file: Path) -> Iterator[BinaryIO]:
    """Give a file to write that bears its name only once all of it is durable."""
    partial = file.with_name(f"{file.name}.partial")
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as out:
        _lock(out.fileno(), f"{partial} is being written by another process")
        out.truncate()
        try:
            yield out
            out.flush()
            os.fsync(out.fileno())
            # Unlike a rename, a link never replaces what has come there meanwhile.
            os.link(partial, file)
        finally:
            partial.unlink()
    sync_folder(file.parent)


def _lock(descriptor: int, why_not: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BadSettings("BACKUP_RUNS", why_not) from error


@contextmanager
def _reading(file: Path, keyring: Keyring) -> Iterator[SealedReader]:
    try:
        source = file.open("rb")
    except OSError as error:
        raise BadSettings("BACKUP_MISSING", f"{file} cannot be read: {error.strerror}") from error
    with source:
        yield SealedReader(source, keyring)


def _content(reader: SealedReader, rows: Mapping[str, int]) -> BackupContent:
    """Return what *reader*, of which all has been read, holds."""
    about = reader.header.about
    try:
        return BackupContent(datetime.fromisoformat(about["made_at"]), about["database"], reader.content_bytes, rows)
    except (KeyError, ValueError):
        raise broken("its head cannot be read") from None


def _check_empty(engine: Engine) -> None:
    with engine.connect().execution_options(read_only=True) as connection, connection.begin():
        present = _tables_there(connection) - _NEVER_EMPTY
        for table in metadata.sorted_tables:
            if table.name in present and connection.scalar(select(func.count()).select_from(table)):
                raise BadSettings(
                    "DATABASE_NOT_EMPTY",
                    f"the table {table.name} has rows; a backup is put back into an empty database only",
                )


def _tables_there(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) & {table.name for table in metadata.sorted_tables}


# SQLite: the file itself.


def _write_sqlite(engine: Engine, writer: SealedWriter) -> Mapping[str, int]:
    source = _sqlite_path(engine)
    path = source.with_name(f"{source.name}.copying")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "rb") as content, _sqlite(source) as readable, _sqlite(path) as copy:
        _lock(descriptor, f"{path} is being written by another process")
        copy.execute("PRAGMA journal_mode = OFF")
        # It has no name any more once it has content: a kill leaves at most an empty file.
        path.unlink()
        # So that what is counted is what is copied.
        readable.execute("BEGIN")
        rows = _rows_in(readable)
        readable.backup(copy)
        while block := content.read(_COPY_BYTES):
            writer.write(block)
    return rows


def _sqlite_path(engine: Engine) -> Path:
    return Path(str(engine.url.database))


def _sqlite(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, timeout=5.0))


def _rows_in(connection: sqlite3.Connection) -> Mapping[str, int]:
    try:
        if connection.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise broken("the database in it is damaged")
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]  # noqa: S608 -- a name out of the file's own list
            for name in sorted(names)
            if not name.startswith(("sqlite_", "alembic_"))
        }
    except sqlite3.DatabaseError as error:
        raise broken("the database in it is damaged") from error


def _verify_sqlite(reader: SealedReader) -> BackupContent:
    with tempfile.NamedTemporaryFile(prefix="waggle-verify-") as copy:
        _unpack(reader, copy)
        # Immutable: SQLite then makes no files beside it.
        with closing(sqlite3.connect(f"{Path(copy.name).as_uri()}?immutable=1", uri=True)) as connection:
            return _content(reader, _rows_in(connection))


def _unpack(reader: SealedReader, file: IO[bytes]) -> None:
    file.writelines(reader.chunks())
    file.flush()


def _restore_sqlite(engine: Engine, keyring: Keyring, erased: ErasedList, reader: SealedReader) -> Restored:
    target = _sqlite_path(engine)
    with _workshop(target.with_name(f"{target.name}.restoring")) as folder:
        path = folder / target.name
        with path.open("wb") as file:
            _unpack(reader, file)
        with _sqlite(path) as copy:
            content = _content(reader, _rows_in(copy))
        # Made what it should be before anything of it comes to the place where it is looked for.
        restored = open_engine(f"sqlite:///{path}")
        try:
            upgrade(restored, keyring)
            again = erase_again(restored, keyring, erased)
        finally:
            restored.dispose()
        with _sqlite(path) as copy, _sqlite(target) as writable:
            copy.backup(writable)
    return Restored(content, again)


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """Give an empty folder of our own, for one process at a time; what a kill has left there is swept out."""
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, f"another process is restoring in {folder}")
        for left in folder.iterdir():
            left.unlink()
        yield folder
        shutil.rmtree(folder)
    finally:
        os.close(descriptor)


# PostgreSQL: table after table in COPY's text form.


def _write_postgresql(engine: Engine, writer: SealedWriter) -> Mapping[str, int]:
    rows = {}
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        for table in metadata.sorted_tables:
            names = [column.name for column in table.columns]
            _write_line(writer, [table.name, *names])
            _write_line(writer, [str(_last_number(connection, table.name, names[0]))])
            with _cursor(connection).copy(_copy(table.name, names, "TO STDOUT")) as blocks:
                for block in blocks:
                    writer.write(struct.pack(">I", len(block)))
                    writer.write(block)
            writer.write(struct.pack(">I", 0))
            rows[table.name] = connection.scalar(select(func.count()).select_from(table)) or 0
    return rows


def _write_line(writer: SealedWriter, words: list[str]) -> None:
    line = "\t".join(words).encode()
    writer.write(struct.pack(">I", len(line)) + line)


def _cursor(connection: Connection) -> "psycopg.Cursor[tuple[object, ...]]":
    cursor: psycopg.Cursor[tuple[object, ...]] = connection.connection.cursor()  # type: ignore[assignment]
    return cursor


def _copy(table: str, names: list[str], direction: str) -> sql.Composed:
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in names)
    return sql.SQL("COPY {} ({}) ").format(sql.Identifier(table), columns) + sql.SQL(direction)


def _last_number(connection: Connection, table: str, column: str) -> int:
    """Return the last number that the table gave a row by itself; 0: none yet, or it gives none."""
    found = connection.scalar(
        text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:table, :column)::regclass)"),
        {"table": table, "column": column},
    )
    return found or 0


class _Parts:
    """Reads what `_write_postgresql` wrote, out of chunks that were cut anywhere."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._waiting = bytearray()
        self._ended = False

    def tables(self) -> Iterator[tuple[str, list[str], int, Iterator[bytes]]]:
        """Yield name, columns, last number and the blocks of each table, which must be read before the next."""
        while (head := self._block(may_end=True)) is not None:
            name, *columns = head.decode().split("\t")
            yield name, columns, int(self._line()), self._blocks()

    def _blocks(self) -> Iterator[bytes]:
        while block := self._block():
            yield block

    def _line(self) -> str:
        return (self._block() or b"").decode()

    def _block(self, *, may_end: bool = False) -> bytes | None:
        head = self._take(4)
        if not head and may_end:
            return None
        if len(head) < 4:  # noqa: PLR2004 -- the length of a block
            raise broken("it ends in the middle")
        return self._take(struct.unpack(">I", head)[0])

    def _take(self, size: int) -> bytes:
        while len(self._waiting) < size and not self._ended:
            chunk = next(self._chunks, None)
            self._ended = chunk is None
            self._waiting += chunk or b""
        taken = bytes(self._waiting[:size])
        del self._waiting[:size]
        return taken


def _restore_postgresql(engine: Engine, keyring: Keyring, erased: ErasedList, reader: SealedReader) -> Restored:
    rows: dict[str, int] = {}
    with engine.connect() as connection, connection.begin():
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        # Empty, as was seen: made anew as they were when the backup was made, whatever version of Waggle that was.
        metadata.drop_all(connection)
        connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
        command.upgrade(config_for(connection, keyring), reader.header.about["revision"])
        # Migrations put rows into tables, which are in the backup, too.
        connection.execute(text(f"TRUNCATE {', '.join(_tables_there(connection))}"))
        for name, columns, last, blocks in _Parts(reader.chunks()).tables():
            cursor = _cursor(connection)
            with cursor.copy(_copy(name, columns, "FROM STDIN")) as copy:
                for block in blocks:
                    copy.write(block)
            rows[name] = cursor.rowcount
            if last:
                connection.execute(
                    text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)"),
                    {"table": name, "column": columns[0], "last": last},
                )
        content = _content(reader, rows)
        command.upgrade(config_for(connection, keyring), "head")
        again = erase_again_in(connection, Vault(connection, keyring), erased.read())
    return Restored(content, again)
