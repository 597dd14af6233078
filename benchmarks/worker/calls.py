"""Every call of a handler, noted by the process that made it: also one for a job that came again under another key."""

import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


class CallLog:
    """Appends one line per call, each in one write, so that a kill loses none and threads do not mix theirs."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, journey_id: str, element_id: str) -> None:
        """Note that the handler of this element of this journey has just ended."""
        os.write(self._file, f"{journey_id}\t{element_id}\t{time.time_ns()}\n".encode())


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a handler."""

    journey_id: str
    element_id: str
    ended_ns: int


def read_calls(file: Path) -> list[Call]:
    """Return the calls in *file* in the order in which they ended."""
    if not file.exists():
        return []
    fields = (line.split("\t") for line in file.read_text("utf-8").splitlines())
    return [Call(journey_id, element_id, int(ended_ns)) for journey_id, element_id, ended_ns in fields]


def repeats(calls: list[Call]) -> int:
    """Return how many calls were for an element of a journey that had been called for before."""
    return sum(count - 1 for count in Counter((call.journey_id, call.element_id) for call in calls).values())
