"""One thing that is not as it was."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["added", "removed", "changed", "moved"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Told by the element it concerns."""

    element: str
    """Id in the diagram or table, or the key in a file of settings; empty for many at once."""
    kind: Kind
    text: str
    """A sentence that an analyst reads."""


@dataclass(frozen=True, slots=True)
class FileComparison:
    """One file that differs."""

    name: str
    """Its path as both sides call it."""
    differences: list[Difference] = field(default_factory=list)
    old: bytes | None = None
    """None: there was no such file."""
    new: bytes | None = None
