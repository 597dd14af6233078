"""What is remembered of sources that are asked: how far each was read, and until when its facts are known."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

MAIN = ""
"""The walk that goes on for ever; any other one is a stretch that somebody asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far one walk through a source has come."""

    source: str
    walk: str = MAIN
    cursor: str | None = None
    """The source's own; None before the first page."""
    round_began_at: datetime | None = None
    """When the pages that lead to the present were begun with; None if the last page said that there is no more."""
    pulled_at: datetime | None = None
    """When a page came last."""
    items: int = 0
    """How many there were, ever."""
    failures: int = 0
    """Since the last page."""
    last_code: str | None = None
    """Why the last try failed; None if it did not."""
    tried_at: datetime | None = None
    not_before_at: datetime | None = None
    """When to try again after a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Whatever happened until then in one source, as far as facts of one kind go, is known here."""

    source: str
    kind: str
    covered_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRun:
    """How far a file was taken in; one file is one run per source, however often it is begun again."""

    source: str
    file_sha256: str
    mapping: str
    position_bytes: int
    """Where the next line begins that nobody has looked at."""
    line: int
    """How many lines that makes."""
    accepted: int
    duplicates: int
    refused: int
    """Lines; the others are events."""
    began_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None


class PullingRepository(Protocol):
    def cursor(self, source: str, walk: str = MAIN) -> Cursor | None: ...
    def cursors(self) -> list[Cursor]:
        """Return all, of the main walks and of others, by source and walk."""
        ...

    def save_cursor(self, cursor: Cursor) -> None: ...
    def covered(self, source: str, kind: str, until: datetime) -> None:
        """Note that facts of *kind* are known *until* then; an earlier time than is known changes nothing."""
        ...

    def coverage(self) -> list[Coverage]: ...
    def import_run(self, source: str, file_sha256: str) -> ImportRun | None: ...
    def save_import_run(self, run: ImportRun) -> None: ...
