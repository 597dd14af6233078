"""The witness: a mail server in its own process that writes each arrival down, on the disk, before it answers for it.

`python -m waggle.testing.chaos.mail_sink --journal FILE --port N [--points FOLDER --pids FOLDER]`. It goes wrong where
a point of `Fault` is armed in the folder of points. Who is on the other end is known by the name given in EHLO, which
is that of a part; only a process of the same parent, whose pid is noted under that name, is ever killed.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from email.parser import BytesHeaderParser
from email.policy import compat32
from enum import StrEnum
from pathlib import Path

import psutil
from aiosmtpd.smtp import SMTP, Envelope, Session, syntax

from waggle.listening import listening
from waggle.testing.chaos.crash_points import CrashPoints

LOOPBACK = "127.0.0.1"
_LONGEST_HOLD_S = 60.0
_LOOK_FOR_PARENT_S = 0.5


class Fault(StrEnum):
    """What the next mail may meet; arm it like a crash point."""

    HOLD_ANSWER = "mail-sink.hold-answer"
    """Take the mail and say nothing for as long as the client waits."""
    DROP_ANSWER = "mail-sink.drop-answer"
    """Take the mail and break the connection."""
    KILL_BEFORE_DATA = "mail-sink.kill-peer-before-data"
    """Kill whoever asks to begin the content."""
    KILL_BEFORE_ANSWER = "mail-sink.kill-peer-before-answer"
    """Take the mail, and kill whoever waits for the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One copy of a mail that was taken."""

    message_id: str
    """The id of the message's row in the database, which stands before the @ of the header Message-ID."""
    to: str
    hello: str
    """The name that the client gave."""
    arrived_at_ns: int
    """Since the epoch, on the machine's clock."""


def arrivals(journal: Path) -> list[Arrival]:
    """Return what has arrived so far, oldest first; the sink may be writing."""
    return [Arrival(**json.loads(line)) for line in _whole_lines(journal)]


def sink_command(journal: Path, port: int, points: Path, pids: Path) -> list[str]:
    """Return how to start the sink."""
    options = {"--journal": journal, "--port": port, "--points": points, "--pids": pids}
    given = [text for name, value in options.items() for text in (name, str(value))]
    return [sys.executable, "-m", "waggle.testing.chaos.mail_sink", *given]


class _Journal:
    """A file of lines, each durable once `add` returns. Only one process writes it."""

    def __init__(self, file: Path) -> None:
        whole = b"".join(line + b"\n" for line in _whole_lines(file))
        self._handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        # Half a line was never answered for, and would spoil the next.
        os.ftruncate(self._handle, len(whole))

    def add(self, arrived: Arrival) -> None:
        os.write(self._handle, json.dumps(asdict(arrived)).encode() + b"\n")
        os.fsync(self._handle)

    def close(self) -> None:
        os.close(self._handle)


class _Witness:
    """What aiosmtpd calls, and the faults."""

    def __init__(self, journal: _Journal, points: CrashPoints | None, pids: Path | None) -> None:
        self._journal = journal
        self._points = points
        self._pids = pids

    def is_met(self, fault: Fault) -> bool:
        return self._points is not None and self._points.claim(fault)

    def kill_peer(self, session: Session, fault: Fault) -> None:
        if self._points is None or self._pids is None or not session.host_name:
            return
        # Who is not noted there is none of ours.
        with suppress(FileNotFoundError, psutil.NoSuchProcess):
            process = psutil.Process(int((self._pids / Path(session.host_name).name).read_text()))
            # Of the same keeper: its child, or forked by one.
            if os.getppid() in {parent.pid for parent in process.parents()[:2]}:
                self._points.blame(fault, process.pid)
                process.kill()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 -- aiosmtpd's
        headers = BytesHeaderParser(policy=compat32).parsebytes(envelope.original_content or b"")
        for to in envelope.rcpt_tos:
            message_id = str(headers.get("Message-ID", "")).strip().strip("<>").partition("@")[0]
            hello = session.host_name or ""
            # Nobody else is served meanwhile: the order in the journal is the order of arrival.
            self._journal.add(Arrival(message_id=message_id, to=to, hello=hello, arrived_at_ns=time.time_ns()))
        if self.is_met(Fault.KILL_BEFORE_ANSWER):
            self.kill_peer(session, Fault.KILL_BEFORE_ANSWER)
        if self.is_met(Fault.HOLD_ANSWER):
            # Cancelled when the client hangs up.
            await asyncio.sleep(_LONGEST_HOLD_S)
        if self.is_met(Fault.DROP_ANSWER):
            _break_off(server)
        return "250 2.0.0 Ok"


class _Server(SMTP):
    """A session that can end before the content is asked for."""

    def __init__(self, witness: _Witness) -> None:
        super().__init__(witness, hostname="sink.test", ident="sink")
        self._witness = witness

    @syntax("DATA")
    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 -- aiosmtpd's
        if self.session is not None and self._witness.is_met(Fault.KILL_BEFORE_DATA):
            self._witness.kill_peer(self.session, Fault.KILL_BEFORE_DATA)
        await super().smtp_DATA(arg)


async def serve(journal: Path, port: int, points: CrashPoints | None, pids: Path | None) -> None:
    """Take mail on loopback until SIGTERM, or until whoever started this process is gone.

    Raises:
        BadSettings: PORT_TAKEN.
    """
    book = _Journal(journal)
    witness = _Witness(book, points, pids)
    sessions: set[_Server] = set()

    def begin() -> _Server:
        session = _Server(witness)
        sessions.add(session)
        return session

    try:
        with listening(LOOPBACK, port, "--port") as sock:
            server = await asyncio.get_running_loop().create_server(begin, sock=sock)
            await _until_stopped()
            server.close()
            for session in sessions:
                _break_off(session)
    finally:
        book.close()


async def _until_stopped() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    parent = os.getppid()
    while os.getppid() == parent:
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_FOR_PARENT_S):
                await stop.wait()
                return


def _break_off(session: SMTP) -> None:
    if isinstance(session.transport, asyncio.Transport):
        session.transport.abort()


def _whole_lines(file: Path) -> list[bytes]:
    try:
        *whole, _torn = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return whole


def main(arguments: Sequence[str]) -> None:
    """Run the sink until it is stopped or whoever started it is gone."""
    parser = argparse.ArgumentParser(prog="python -m waggle.testing.chaos.mail_sink", description=__doc__)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--points", type=Path)
    parser.add_argument("--pids", type=Path)
    given = parser.parse_args(arguments)
    points = None if given.points is None else CrashPoints(given.points)
    asyncio.run(serve(given.journal, given.port, points, given.pids))


if __name__ == "__main__":
    main(sys.argv[1:])
