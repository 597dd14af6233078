"""Compare two sides file by file, each by what kind of file it is."""

from collections.abc import Callable, Mapping
from typing import Final

from waggle.comparing.decisions import compare_decisions
from waggle.comparing.diagrams import compare_diagrams
from waggle.comparing.difference import Difference, FileComparison
from waggle.comparing.settings import compare_settings
from waggle.comparing.sides import Side

_READERS: Final[Mapping[str, Callable[[bytes, bytes, str], list[Difference]]]] = {
    ".bpmn": compare_diagrams,
    ".dmn": compare_decisions,
    ".form": compare_settings,
    ".toml": compare_settings,
}
_KINDS: Final = {
    ".bpmn": "diagram",
    ".dmn": "decision",
    ".form": "form",
    ".toml": "file of settings",
}


def compare_files(old: Side, new: Side) -> list[FileComparison]:
    """Return the files that differ, each with what changed; a single file on each side is compared whatever its name.

    Raises:
        BadSettings: a file cannot be read.
    """
    if len(old) == len(new) == 1 and _suffix(*old) == _suffix(*new):
        old = dict(zip(new, old.values(), strict=True))
    found = (_compared(name, old.get(name), new.get(name)) for name in dict.fromkeys([*new, *old]))
    return [each for each in found if each.differences]


def _compared(name: str, old: bytes | None, new: bytes | None) -> FileComparison:
    if old == new:
        return FileComparison(name)
    kind = _KINDS.get(_suffix(name), "file")
    if old is None:
        return FileComparison(name, [Difference("", "added", f"The {kind} is new")], old, new)
    if new is None:
        return FileComparison(name, [Difference("", "removed", f"The {kind} is gone")], old, new)
    reader = _READERS.get(_suffix(name))
    found = reader(old, new, name) if reader else [Difference("", "changed", "The text is another")]
    return FileComparison(name, found, old, new)


def _suffix(name: str) -> str:
    return f".{name.rpartition('.')[2]}"
