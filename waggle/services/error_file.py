"""The lines of an import that were refused, each with its reason: for the one who imports, and nobody else."""

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from waggle.domain.event import Problem
from waggle.errors import BadSettings
from waggle.services.record_file import FileForm, FileRecord, RecordFile

REASONS = ("waggle_line", "waggle_code", "waggle_where", "waggle_advice")
"""Columns beside those of the file; a mended error file can be imported as it is."""

_NEVER_WRITTEN = "FORBIDDEN_DATA"


class ErrorFile:
    """Grows by the refused lines of each batch; without a path nothing is written."""

    def __init__(self, file: TextIO | None, form: FileForm, columns: Sequence[str]) -> None:
        self._file = file
        self._form = form
        self._columns = columns

    @classmethod
    @contextmanager
    def opened(cls, path: Path | None, form: FileForm, columns: Sequence[str], line: int) -> "Iterator[ErrorFile]":
        """Open the file to go on behind *line* of what is imported; readable by its owner alone.

        Raises:
            BadSettings: ERRORS_UNWRITABLE.
        """
        if path is None:
            yield cls(None, form, columns)
            return
        try:
            if line and path.exists():
                _cut(path, form, line)
            elif path.exists():
                path.unlink()
            descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        except OSError as error:
            raise BadSettings("ERRORS_UNWRITABLE", f"{path}: {error.strerror}") from None
        with open(descriptor, "a", encoding="utf-8", newline="") as file:  # noqa: PTH123 -- of a descriptor, for its mode
            made = cls(file, form, columns)
            if form.kind == "csv" and not path.stat().st_size:
                made._write_row([*columns, *REASONS])
            yield made

    def write(self, refusals: "Sequence[tuple[FileRecord, Problem]]") -> None:
        """Add lines, and have them safely on the disk."""
        if self._file is None or not refusals:
            return
        for record, problem in refusals:
            reason = [str(record.line), problem.code, problem.where, problem.detail]
            raw = (
                ""
                if problem.code == _NEVER_WRITTEN
                else record.raw.decode(self._form.encoding, "replace").rstrip("\r\n")
            )
            if self._form.kind == "jsonl":
                self._file.write(
                    json.dumps(dict(zip(("line", "code", "where", "advice"), reason, strict=True)) | {"raw": raw})
                    + "\n"
                )
                continue
            if record.values is not None and raw:
                fields = [str(record.values[name]) for name in self._columns]
            else:
                # What is no row stands whole in the first column.
                fields = [raw, *[""] * (len(self._columns) - 1)]
            self._write_row([*fields, *reason])
        self._file.flush()
        os.fsync(self._file.fileno())

    def _write_row(self, row: Sequence[str]) -> None:
        text = io.StringIO()
        csv.writer(text, delimiter=self._form.delimiter, quotechar=self._form.quote, lineterminator="\n").writerow(row)
        if self._file is not None:
            self._file.write(text.getvalue())


def _cut(path: Path, form: FileForm, line: int) -> None:
    """Take out what was written of lines behind *line*: a run that died before its commit wrote them."""
    written = RecordFile(path, FileForm(kind=form.kind, delimiter=form.delimiter, quote=form.quote))
    keep_bytes = 0
    try:
        for record in written.records():
            values = record.values or {}
            told = str(values.get("waggle_line" if form.kind == "csv" else "line", ""))
            if not told.isdigit() or int(told) > line:
                break
            keep_bytes = record.end_bytes
    finally:
        written.close()
    if keep_bytes:
        os.truncate(path, keep_bytes)
    else:
        path.unlink()
