"""The SMTP side: says yes only to what lies on the disk."""

import asyncio
import socket
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal
from weakref import WeakSet

from aiosmtpd.smtp import SMTP, Envelope, Session

from waggle.log import get_logger
from waggle.mailbox.arrivals import Mailbox

_log = get_logger(__name__)


@dataclass(slots=True)
class Reception:
    """How mail is met; may be changed while the server runs."""

    manner: Literal["accept", "refuse", "defer"] = "accept"
    """`refuse`: no such address; `defer`: come again later."""


@asynccontextmanager
async def smtp_server(mailbox: Mailbox, sock: socket.socket, reception: Reception | None = None) -> AsyncIterator[None]:
    """Take mail on the bound *sock* while the context lasts."""
    # One thread: a client that hangs up cancels its session, not the writing, which must end before the next begins.
    writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mailbox")
    handler = _Intake(mailbox, writer, reception or Reception())
    sessions: WeakSet[SMTP] = WeakSet()

    def begin_session() -> SMTP:
        session = SMTP(handler, hostname="mailbox.waggle", ident="Waggle mailbox")
        sessions.add(session)
        return session

    server = await asyncio.get_running_loop().create_server(begin_session, sock=sock)
    try:
        yield
    finally:
        server.close()
        # Clients keep connections for their next mail and would keep us from ending.
        for session in list(sessions):
            if isinstance(session.transport, asyncio.Transport):
                session.transport.abort()
        await server.wait_closed()
        writer.shutdown()


class _Intake:
    """What aiosmtpd calls."""

    def __init__(self, mailbox: Mailbox, writer: Executor, reception: Reception) -> None:
        self._mailbox = mailbox
        self._writer = writer
        self._reception = reception

    async def handle_RCPT(  # noqa: N802
        self,
        server: SMTP,  # noqa: ARG002
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        match self._reception.manner:
            case "refuse":
                return "550 5.1.1 No such mailbox here"
            case "defer":
                return "451 4.7.1 Come again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        content = envelope.original_content or b""
        try:
            arrivals = await asyncio.get_running_loop().run_in_executor(
                self._writer, self._mailbox.take, envelope.mail_from or "", envelope.rcpt_tos, content
            )
        except OSError as error:
            _log.error("mail not stored", error=type(error).__name__, errno=error.errno)
            return "452 4.3.1 The mail could not be stored"
        for arrival in arrivals:
            _log.info("mail arrived", file=arrival.file)
        return f"250 2.0.0 Ok: queued as {arrivals[0].file}"
