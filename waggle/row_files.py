"""Write rows as JSON lines or Parquet: each file appears whole or not at all."""

import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from waggle.errors import BadSettings, PermanentFailure
from waggle.ports.row_files import Row, RowColumn


class _Fresh:
    """A file beside its place, moved there when it is whole."""

    def __init__(self, file: Path) -> None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        except OSError as error:
            raise PermanentFailure("FILE_UNWRITABLE", f"{file.parent}: {error.strerror}") from error
        self.open_file: BinaryIO = os.fdopen(number, "wb")
        self._fresh = Path(name)
        self._file = file

    def put_in_place(self) -> None:
        self.open_file.flush()
        os.fsync(self.open_file.fileno())
        self.open_file.close()
        self._fresh.replace(self._file)

    def forget(self) -> None:
        self.open_file.close()
        self._fresh.unlink(missing_ok=True)


class _JsonLinesFile:
    def __init__(self, fresh: _Fresh, columns: Sequence[RowColumn]) -> None:
        self._fresh = fresh
        self._names = [column.name for column in columns]

    def add(self, rows: Sequence[Row]) -> None:
        lines = ({name: row[name] for name in self._names if row.get(name) is not None} for row in rows)
        self._fresh.open_file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))

    def finish(self) -> None:
        self._fresh.put_in_place()

    def abandon(self) -> None:
        self._fresh.forget()


class JsonLines:
    """A RowFormat: a JSON object to a line, without what is empty; times in RFC 3339."""

    suffix = ".jsonl"

    def begin(self, file: Path, columns: Sequence[RowColumn]) -> _JsonLinesFile:
        """Begin *file*; raises PermanentFailure FILE_UNWRITABLE."""
        return _JsonLinesFile(_Fresh(file), columns)

    def remove(self, file: Path) -> None:
        """Remove *file* if it is there."""
        file.unlink(missing_ok=True)


class _ParquetFile:
    def __init__(self, fresh: _Fresh, columns: Sequence[RowColumn]) -> None:
        import pyarrow as pa  # noqa: PLC0415 -- an extra, and slow to load
        from pyarrow import parquet  # noqa: PLC0415

        self._fresh = fresh
        self._columns = columns
        self._schema = pa.schema([(column.name, _arrow_type(column.kind)) for column in columns])
        self._writer = parquet.ParquetWriter(fresh.open_file, self._schema, compression="zstd")

    def add(self, rows: Sequence[Row]) -> None:
        import pyarrow as pa  # noqa: PLC0415

        arrays = {
            column.name: [_arrow_value(column.kind, row.get(column.name)) for row in rows] for column in self._columns
        }
        self._writer.write_table(pa.table(arrays, schema=self._schema))

    def finish(self) -> None:
        self._writer.close()
        self._fresh.put_in_place()

    def abandon(self) -> None:
        with suppress(OSError):
            self._writer.close()
        self._fresh.forget()


class Parquet:
    """A RowFormat: Apache Parquet with zstd; times as UTC microseconds, JSON as text.

    Raises:
        BadSettings: PARQUET_MISSING, the extra is not installed.
    """

    suffix = ".parquet"

    def __init__(self) -> None:
        try:
            import pyarrow.parquet  # noqa: F401, PLC0415 -- an extra, and slow to load
        except ImportError as error:
            raise BadSettings(
                "PARQUET_MISSING", 'install the extra: pip install "waggle[parquet]", or write --format jsonl'
            ) from error

    def begin(self, file: Path, columns: Sequence[RowColumn]) -> _ParquetFile:
        """Begin *file*; raises PermanentFailure FILE_UNWRITABLE."""
        return _ParquetFile(_Fresh(file), columns)

    def remove(self, file: Path) -> None:
        """Remove *file* if it is there."""
        file.unlink(missing_ok=True)


class FileJournal:
    """A Journal in a file that bears the run's own description: one of another run is no help and is dropped."""

    def __init__(self, file: Path, run: dict[str, str]) -> None:
        self._file = file
        self._run = run

    def done(self) -> frozenset[str]:
        """Return what this very run has finished before."""
        try:
            said: dict[str, Any] = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return frozenset()
        return frozenset(said.get("done", ())) if said.get("run") == self._run else frozenset()

    def mark(self, part: str) -> None:
        """Note that *part* is finished."""
        fresh = _Fresh(self._file)
        fresh.open_file.write(json.dumps({"run": self._run, "done": sorted({*self.done(), part})}).encode())
        fresh.put_in_place()

    def close(self) -> None:
        """Forget the run."""
        self._file.unlink(missing_ok=True)


def _arrow_type(kind: str) -> Any:  # noqa: ANN401 -- the library tells no types
    import pyarrow as pa  # noqa: PLC0415

    text, whole = pa.string(), pa.int64()
    line = pa.struct([("sku", text), ("quantity", whole), ("unit_price_minor", whole), ("name", text)])
    return {
        "text": text,
        "whole": whole,
        "flag": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
        "json": text,
        "lines": pa.list_(line),
    }[kind]


def _arrow_value(kind: str, value: object) -> object:
    if value is None:
        return None
    if kind == "json":
        return msgspec.json.encode(value).decode()
    if kind == "time" and isinstance(value, str):
        return datetime.fromisoformat(value)
    return value
