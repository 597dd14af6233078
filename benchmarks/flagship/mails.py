"""Mails as they arrive at the sink."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Mails:
    """Reads what `benchmarks.sink` notes, from where it stopped before."""

    file: Path
    _read_bytes: int = field(default=0, init=False)

    def new(self) -> list[tuple[str, int]]:
        """Return recipient and time of arrival (ns since the epoch) of those that came since this was asked last."""
        try:
            with self.file.open("rb") as noted:
                noted.seek(self._read_bytes)
                content = noted.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        split = (line.decode().split("\t") for line in whole.splitlines())
        return [(to, int(arrived_ns)) for to, arrived_ns in split]
