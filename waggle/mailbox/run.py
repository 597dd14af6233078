"""Both sides of the mailbox, opened and closed together."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from waggle.listening import listening
from waggle.log import get_logger
from waggle.mailbox.arrivals import Mailbox
from waggle.mailbox.page import create_page
from waggle.mailbox.server import smtp_server
from waggle.ports.clock import Clock

_log = get_logger(__name__)

_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Doors:
    """The ports that were opened."""

    smtp_port: int
    page_port: int


async def run_mailbox(  # noqa: PLR0913 -- two doors, and what lies behind them
    folder: Path, smtp_port: int, page_port: int, clock: Clock, stop: asyncio.Event, *, host: str = _LOOPBACK
) -> None:
    """Take mail into *folder* and show it until *stop* is set.

    Raises:
        BadSettings: PORT_TAKEN, naming the port and who has it.
    """
    async with open_mailbox(folder, smtp_port, page_port, clock, host=host) as doors:
        _log.info("mailbox open", smtp_port=doors.smtp_port, page_port=doors.page_port)
        await stop.wait()


@asynccontextmanager
async def open_mailbox(
    folder: Path, smtp_port: int, page_port: int, clock: Clock, *, host: str = _LOOPBACK
) -> AsyncIterator[Doors]:
    """Keep the mailbox open while the context lasts; port 0 takes a free one. Another *host* is for containers.

    Raises:
        BadSettings: PORT_TAKEN, naming the port and who has it.
    """
    with (
        listening(host, smtp_port, "mailbox.smtp_port") as smtp,
        listening(host, page_port, "mailbox.page_port") as web,
    ):
        doors = Doors(smtp.getsockname()[1], web.getsockname()[1])
        # In a container, requests come by the container's name; on this machine only by these.
        hosts = [f"{name}:{doors.page_port}" for name in (_LOOPBACK, "localhost")] if host == _LOOPBACK else ["*"]
        mailbox = Mailbox(folder, clock)
        await asyncio.to_thread(mailbox.recover)
        page = _PageServer(
            uvicorn.Config(
                create_page(folder, hosts),
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                timeout_graceful_shutdown=2,
            )
        )
        async with smtp_server(mailbox, smtp):
            serving = asyncio.create_task(page.serve(sockets=[web]))
            try:
                yield doors
            finally:
                page.should_exit = True
                await serving


class _PageServer(uvicorn.Server):
    """Leaves signals to whoever runs the mailbox."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
