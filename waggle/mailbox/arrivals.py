"""Mails as files: one .eml for each copy that arrived, and one line about it in arrivals.jsonl.

The line is what makes a mail count. It is written last, and everything is on the disk before the server says yes; so
after a crash there is at most a file that nobody was promised, and `Mailbox.recover` removes it.
"""

import errno
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import default
from io import RawIOBase
from pathlib import Path

from waggle.ports.clock import Clock

INDEX = "arrivals.jsonl"
_MAIL = re.compile(r"\d{6,}\.eml(\.part)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One copy of a mail in one person's mailbox; a mail to two people arrives twice."""

    file: str
    """Name of the .eml file beside the index; later arrivals have higher numbers."""
    arrived_at: datetime
    sender: str
    """From the envelope, as `to` is."""
    to: str
    message_id: str
    subject: str


class Mailbox:
    """The one writer of a mailbox folder. Its methods block on the disk."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._count = 0

    def recover(self) -> None:
        """Make the folder ready, and remove what a crash left unfinished."""
        self._folder.mkdir(parents=True, exist_ok=True)
        index = self._folder / INDEX
        whole = _whole_lines(index)
        if index.exists() and index.stat().st_size > len(whole):
            os.truncate(index, len(whole))
        arrivals = _parse(whole)
        self._count = max((int(Path(arrival.file).stem) for arrival in arrivals), default=0)
        known = {arrival.file for arrival in arrivals}
        for path in self._folder.iterdir():
            if _MAIL.fullmatch(path.name) and path.name not in known:
                path.unlink()

    def take(self, sender: str, recipients: Sequence[str], content: bytes) -> list[Arrival]:
        """Store one mail for each of *recipients*; once this returns, it is durable."""
        arrived_at = self._clock.now()
        headers = BytesHeaderParser(policy=default).parsebytes(content)
        arrivals = [
            Arrival(
                file=f"{number:06d}.eml",
                arrived_at=arrived_at,
                sender=sender,
                to=to,
                message_id=_header(headers, "Message-ID"),
                subject=_header(headers, "Subject"),
            )
            for number, to in enumerate(recipients, self._count + 1)
        ]
        for arrival in arrivals:
            self._write(arrival.file, content)
        _sync_folder(self._folder)
        self._append(b"".join(_line(arrival) for arrival in arrivals))
        self._count += len(arrivals)
        return arrivals

    def _append(self, lines: bytes) -> None:
        with (self._folder / INDEX).open("ab", buffering=0) as index:
            before = index.tell()
            try:
                _write_whole(index, lines)
                os.fsync(index.fileno())
            except OSError:
                # Half a line would spoil the next one.
                index.truncate(before)
                raise

    def _write(self, name: str, content: bytes) -> None:
        part = self._folder / f"{name}.part"
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._folder / name)


def read_arrivals(folder: Path) -> list[Arrival]:
    """Return what has arrived in *folder* so far, oldest first; another process may be writing."""
    return _parse(_whole_lines(folder / INDEX))


def _whole_lines(index: Path) -> bytes:
    try:
        content = index.read_bytes()
    except FileNotFoundError:
        return b""
    return content[: content.rfind(b"\n") + 1]


def _parse(lines: bytes) -> list[Arrival]:
    rows = [json.loads(line) for line in lines.splitlines()]
    return [Arrival(**(row | {"arrived_at": datetime.fromisoformat(row["arrived_at"])})) for row in rows]


def as_json(arrival: Arrival) -> dict[str, str]:
    """Return the arrival as its line in the index says it; times are ISO 8601."""
    return {
        "file": arrival.file,
        "arrived_at": arrival.arrived_at.isoformat(),
        "sender": arrival.sender,
        "to": arrival.to,
        "message_id": arrival.message_id,
        "subject": arrival.subject,
    }


def _line(arrival: Arrival) -> bytes:
    return json.dumps(as_json(arrival)).encode() + b"\n"


def _write_whole(file: RawIOBase, content: bytes) -> None:
    if file.write(content) != len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _header(headers: Message, name: str) -> str:
    try:
        value = str(headers.get(name, ""))
    except Exception:  # noqa: BLE001 -- the standard library's parser fails in many ways on malformed headers
        return ""
    return value.encode("utf-8", "replace").decode()


def _sync_folder(folder: Path) -> None:
    """Make the names of new files as durable as their content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
