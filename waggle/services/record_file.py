"""Read a CSV or JSON-lines file record by record, from any place in it, in constant memory."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Literal

from waggle.errors import BadSettings

MAX_RECORD_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileForm:
    """How a file is written; nothing of it is guessed."""

    kind: Literal["csv", "jsonl"]
    encoding: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'

    def __post_init__(self) -> None:
        """Refuse what cannot be read line by line.

        Raises:
            BadSettings: ENCODING_UNKNOWN, CSV_FORM.
        """
        try:
            is_single = "\n".encode(self.encoding) == b"\n"
        except LookupError:
            is_single = False
        if not is_single:
            raise BadSettings(
                "ENCODING_UNKNOWN", "give an encoding such as utf-8, cp1250 or latin-1; UTF-16 is not read"
            )
        if len(self.delimiter) != 1 or len(self.quote) != 1 or self.delimiter in "\r\n" or self.delimiter == self.quote:
            raise BadSettings("CSV_FORM", "delimiter and quote are one character each, and not the same one")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One record, or why there is none."""

    line: int
    """Of its beginning, the first line of the file being 1."""
    end_bytes: int
    """Where the next one begins."""
    end_line: int
    """Lines up to there."""
    raw: bytes
    values: Mapping[str, Any] | None
    problem: str = ""
    """An UPPER_SNAKE code, where there are no values: RECORD_TOO_LONG, RECORD_UNREADABLE, RECORD_SHAPE."""


class RecordFile:
    """A file on its way in."""

    def __init__(self, path: Path, form: FileForm) -> None:
        """Read the names of the columns, if it is CSV.

        Raises:
            BadSettings: FILE_UNREADABLE, COLUMNS_MISSING.
        """
        self.form = form
        self.columns: list[str] = []
        self._start_bytes = 0
        self._start_line = 0
        try:
            self.size_bytes = path.stat().st_size
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise BadSettings("FILE_UNREADABLE", f"{path}: {error.strerror}") from None
        if self._file.read(len(_BOM)) == _BOM:
            self._start_bytes = len(_BOM)
        try:
            if form.kind == "csv":
                self._read_columns()
        except BadSettings:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def records(self, position_bytes: int = 0, line: int = 0) -> Iterator[FileRecord]:
        """Return the records from *position_bytes* on, before which lie *line* lines; empty lines are passed over."""
        if position_bytes < self._start_bytes:
            position_bytes, line = self._start_bytes, self._start_line
        self._file.seek(position_bytes)
        while True:
            raw, values, problem = self._csv_record() if self.form.kind == "csv" else self._json_record()
            if not raw:
                return
            begins, line = line + 1, line + max(1, raw.count(b"\n"))
            if raw.strip():
                yield FileRecord(
                    line=begins, end_bytes=self._file.tell(), end_line=line, raw=raw, values=values, problem=problem
                )

    def _read_columns(self) -> None:
        self._file.seek(self._start_bytes)
        raw, fields, problem = self._row()
        names = [name.strip() for name in fields]
        if problem or not names or "" in names or len(set(names)) != len(names):
            raise BadSettings("COLUMNS_MISSING", "the first line must name each column, and each name once")
        self.columns = names
        self._start_bytes = self._file.tell()
        self._start_line = raw.count(b"\n")

    def _csv_record(self) -> tuple[bytes, Mapping[str, Any] | None, str]:
        raw, fields, problem = self._row()
        if not problem and len(fields) != len(self.columns):
            problem = "RECORD_SHAPE"
        return raw, None if problem else dict(zip(self.columns, fields, strict=True)), problem

    def _json_record(self) -> tuple[bytes, Mapping[str, Any] | None, str]:
        raw = self._line()
        if len(raw) > MAX_RECORD_BYTES:
            return raw, None, "RECORD_TOO_LONG"
        try:
            values = json.loads(raw.decode(self.form.encoding), parse_float=Decimal, parse_constant=_refuse)
        except (ValueError, ArithmeticError, RecursionError):
            return raw, None, "RECORD_UNREADABLE"
        return (raw, values, "") if isinstance(values, dict) else (raw, None, "RECORD_SHAPE")

    def _row(self) -> tuple[bytes, list[str], str]:
        """Return the bytes of the next row and its fields, which may hold line ends, or why they cannot be read."""
        lines: list[bytes] = []

        def fed() -> Iterator[str]:
            while raw := self._line():
                lines.append(raw)
                if sum(map(len, lines)) > MAX_RECORD_BYTES:
                    raise _TooLongError
                yield raw.decode(self.form.encoding)

        # One reader for each row takes exactly the lines that belong to it.
        reader = csv.reader(fed(), delimiter=self.form.delimiter, quotechar=self.form.quote, strict=True)
        fields: list[str] = []
        problem = ""
        try:
            fields = next(reader, [])
        except _TooLongError:
            problem = "RECORD_TOO_LONG"
        except (ValueError, csv.Error):
            problem = "RECORD_UNREADABLE"
        return b"".join(lines), fields, problem

    def _line(self) -> bytes:
        """Return the next line with its end; of one that is too long the beginning, its rest is passed over."""
        raw = self._file.readline(MAX_RECORD_BYTES + 1)
        if len(raw) > MAX_RECORD_BYTES and not raw.endswith(b"\n"):
            while (more := self._file.readline(MAX_RECORD_BYTES)) and not more.endswith(b"\n"):
                pass
        return raw


class _TooLongError(Exception):
    """A row that does not end."""


def _refuse(_name: str) -> None:
    raise ValueError
