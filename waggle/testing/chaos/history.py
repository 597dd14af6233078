"""What a run did to Waggle and what Waggle promised meanwhile: written before it counts, read by the checker."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self


@dataclass(slots=True)
class ToldEvent:
    """One event as the shop sent it, however often."""

    event: Mapping[str, Any]
    """The CloudEvents envelope."""
    first_sent_at: datetime
    acknowledged_at: datetime | None = None
    """When the first 2xx had come; None: nobody was promised anything."""
    sent: int = 1

    @property
    def event_id(self) -> str:
        """Return the envelope's id."""
        return str(self.event["id"])

    @property
    def type(self) -> str:
        """Return the envelope's type."""
        return str(self.event["type"])

    @property
    def time(self) -> datetime:
        """Return when it happened, as the shop says."""
        return datetime.fromisoformat(self.event["time"])

    @property
    def data(self) -> Mapping[str, Any]:
        """Return what happened."""
        data: Mapping[str, Any] = self.event["data"]
        return data

    def before(self, other: "ToldEvent") -> bool:
        """Say whether this one was accepted for certain before *other* was sent for the first time."""
        return self.acknowledged_at is not None and self.acknowledged_at < other.first_sent_at


@dataclass(slots=True)
class Told:
    """A history as it is read back."""

    events: dict[str, ToldEvent] = field(default_factory=dict)
    faults: list[Mapping[str, Any]] = field(default_factory=list)

    def accepted(self) -> list[ToldEvent]:
        """Return the events that were acknowledged, in the order in which they were sent first."""
        return [event for event in self.events.values() if event.acknowledged_at is not None]


class History:
    """An append-only file of JSON lines; each is on the disk before what it tells of goes on."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __enter__(self) -> Self:
        """Open the file, which may have lines already."""
        self._lines = self._file.open("ab", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._lines.close()

    def sending(self, event: Mapping[str, Any]) -> None:
        """Note that *event* is about to be sent."""
        self._note("sending", event=event)

    def acknowledged(self, event_id: str) -> None:
        """Note that a 2xx for it has come."""
        self._note("acknowledged", id=event_id)

    def fault(self, what: str, part: str) -> None:
        """Note something bad that was done to a part or a link."""
        self._note("fault", what=what, part=part)

    def _note(self, kind: str, **said: object) -> None:
        line = {"kind": kind, "at": datetime.now(UTC).isoformat(), **said}
        self._lines.write(json.dumps(line).encode() + b"\n")
        os.fsync(self._lines.fileno())


def read_history(file: Path) -> Told:
    """Return what *file* tells; half a line at its end, of a writer that was killed, says nothing."""
    content = file.read_bytes()
    told = Told()
    for line in content[: content.rfind(b"\n") + 1].splitlines():
        row = json.loads(line)
        at = datetime.fromisoformat(row["at"])
        match row["kind"]:
            case "sending":
                _take_sending(told, row["event"], at)
            case "acknowledged":
                known = told.events[row["id"]]
                known.acknowledged_at = known.acknowledged_at or at
            case "fault":
                told.faults.append(row)
    return told


def _take_sending(told: Told, event: Mapping[str, Any], at: datetime) -> None:
    known = told.events.get(event["id"])
    if known is None:
        told.events[event["id"]] = ToldEvent(event, at)
    else:
        known.sent += 1
