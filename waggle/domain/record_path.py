"""Where a value lies in a foreign record, such as `customer.address[0].city`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_STEP = re.compile(
    r"""\.?(?P<name>[^.\[\]'"$]+)
      | \[(?P<index>-?[0-9]{1,6})\]
      | \[(?P<quote>['"])(?P<quoted>[^'"]+)(?P=quote)\]""",
    re.VERBOSE,
)
_WHOLE = "$"


class Scope(NamedTuple):
    """What a path is looked up in."""

    record: object
    """The whole record."""
    here: object
    """The line of it that is being read, else the record as well."""
    currency: str | None = None
    """The currency of the event that is being made."""


@dataclass(frozen=True, slots=True)
class RecordPath:
    """A path; one that begins with `$` starts at the whole record, any other at the line that is being read."""

    text: str
    steps: tuple[str | int, ...]
    from_whole: bool

    def value(self, scope: Scope) -> object:
        """Return what lies there; None if there is nothing, null, or a text of spaces only (an empty cell)."""
        found: object = scope.record if self.from_whole else scope.here
        for step in self.steps:
            if isinstance(step, str):
                found = found.get(step) if isinstance(found, Mapping) else None
            elif isinstance(found, Sequence) and not isinstance(found, str) and -len(found) <= step < len(found):
                found = found[step]
            else:
                return None
        return None if isinstance(found, str) and not found.strip() else found


def read_path(text: str) -> RecordPath:
    """Return the path that *text* writes.

    A name with a dot, a bracket or a quote in it stands in brackets and quotes: `['Order No.'].lines`.

    Raises:
        ValueError: it is no path; the message says from which character on.
    """
    from_whole = text.startswith(_WHOLE)
    at = len(_WHOLE) if from_whole else 0
    begin = at
    steps: list[str | int] = []
    while at < len(text):
        match = _STEP.match(text, at)
        leading_dot = match is not None and match["name"] is not None and text[at] == "."
        needs_dot = match is not None and match["name"] is not None and at > 0
        if match is None or leading_dot != needs_dot:
            raise ValueError(f"the path cannot be read from character {at + 1} on; write it like customer.lines[0].sku")
        steps.append(int(match["index"]) if match["index"] else (match["name"] or match["quoted"]).strip())
        at = match.end()
    if not from_whole and at == begin:
        raise ValueError("the path is empty; write it like customer.lines[0].sku")
    return RecordPath(text, tuple(steps), from_whole)
