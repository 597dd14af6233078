"""What a check found in a diagram or table."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake, told so that an analyst can mend it."""

    file: Path
    element: str
    """Id in the diagram."""
    name: str
    """What stands on the element, or nothing."""
    problem: str
    consequence: str
    """What happens if it is ignored."""
    mend: str
    rule: str = ""
    """Which rule found it: a row of docs/checks.md."""

    def __str__(self) -> str:
        called = f' "{self.name}"' if self.name else ""
        return (
            f"{self.file}: {self.element}{called}: {self.problem}\n    else: {self.consequence}\n    mend: {self.mend}"
        )
