"""Ports of one test's own."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def kept_ports(count: int) -> Iterator[list[int]]:
    """Give ports of this machine that nobody gets by chance while the context lasts; nobody listens there yet.

    Who names one may listen on it, as all servers do that take a port over from the one before (SO_REUSEADDR).
    """
    with ExitStack() as stack:
        yield [stack.enter_context(_kept()).getsockname()[1] for _ in range(count)]


def ports_for_good(count: int) -> list[int]:
    """Return ports like those of `kept_ports`, kept until this process ends."""
    sockets = [_kept() for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.detach()
    return ports


def own_ports() -> dict[str, str]:
    """Return settings, as in the environment, under which API and mailbox meet nobody else on this machine."""
    api, smtp, page = map(str, ports_for_good(3))
    return {
        "WAGGLE_API__PORT": api,
        "WAGGLE_API__PUBLIC_URL": f"http://127.0.0.1:{api}",
        "WAGGLE_MAILBOX__SMTP_PORT": smtp,
        "WAGGLE_MAILBOX__PAGE_PORT": page,
        "WAGGLE_SMTP__PORT": smtp,
    }


def _kept() -> socket.socket:
    # Bound, never listening: Linux gives its port to nobody who asks for any, neither to listen nor to call from.
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    return sock
