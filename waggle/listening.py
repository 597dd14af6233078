"""Listen on a port, or say who has it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from waggle.errors import BadSettings


@contextmanager
def listening(host: str, port: int, setting: str) -> Iterator[socket.socket]:
    """Give a socket that listens on host:port; port 0 takes a free one.

    Raises:
        BadSettings: PORT_TAKEN, naming the process that has it and the *setting* to change.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named outright: asyncio answers without delay only on sockets that say they are TCP.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
            sock.listen(2048)
        except OSError as error:
            raise BadSettings(
                "PORT_TAKEN", f"port {port} is taken by {holder(port)}: end that, or set {setting} to another"
            ) from error
        sock.setblocking(False)  # noqa: FBT003 -- the method's own signature
        yield sock


def holder(port: int) -> str:
    """Name the process that listens on *port*, as well as this user may know it."""
    process = listener(port)
    try:
        return f"{process.name()} (process {process.pid})" if process else "a process of another user"
    except psutil.Error:
        return "a process that just ended"


def listener(port: int) -> psutil.Process | None:
    """Return the process that listens on *port*, if this user may know it."""
    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port
            if listens and connection.pid is not None:
                return psutil.Process(connection.pid)
    except psutil.Error:
        pass
    return None
