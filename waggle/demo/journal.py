"""The shop's diary, by which the oracle judges."""

import json
from pathlib import Path
from typing import Self

from waggle.demo.scenario import Deed


class JournalFile:
    """One JSON line per deed, readable while the shop runs."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def begun(cls, path: Path) -> Self:
        """Return an empty journal at *path*; what stood there was about another run."""
        path.write_bytes(b"")
        return cls(path)

    def note(self, deed: Deed) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(deed.to_json()) + "\n")


def read_journal(path: Path) -> list[Deed]:
    """Return every deed in the journal, in the order in which they were answered."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Deed.from_json(json.loads(line)) for line in lines]
