"""Files of rows with typed columns, for other programs to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Kind = Literal["text", "whole", "flag", "time", "json", "lines"]
"""`json`: any value, written as JSON text where the format has no such type; `lines`: a list of cart lines."""

Row = Mapping[str, object]
"""Column -> value; a column that is missing is empty."""


@dataclass(frozen=True, slots=True)
class RowColumn:
    """One column."""

    name: str
    kind: Kind


class RowFile(Protocol):
    """A file under way; nobody sees it before it is finished."""

    def add(self, rows: Sequence[Row]) -> None: ...
    def finish(self) -> None:
        """Make it durable, and put it in the place of an older one."""
        ...

    def abandon(self) -> None: ...


class RowFormat(Protocol):
    """A way to write rows."""

    @property
    def suffix(self) -> str:
        """How names of its files end, such as `.parquet`."""
        ...

    def begin(self, file: Path, columns: Sequence[RowColumn]) -> RowFile: ...
    def remove(self, file: Path) -> None: ...


class Journal(Protocol):
    """What a run has finished, so that the same run goes on where it was killed."""

    def done(self) -> frozenset[str]: ...
    def mark(self, part: str) -> None: ...
    def close(self) -> None:
        """Forget it: the run is whole."""
        ...
