"""The ports of one embedded engine, all on loopback."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from waggle.engine.local.locks import LockHeld, held
from waggle.errors import BadSettings

LOOPBACK = "127.0.0.1"
LAST_OFFSET = 90
"""The search store's launcher takes no HTTP port above 9299."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where an engine with this offset listens."""

    grpc: int
    command: int
    internal: int
    web: int
    monitoring: int
    search: int
    search_transport: int

    @classmethod
    def at(cls, offset: int) -> "Ports":
        """Return the standard ports moved by *offset*: by tens where the engine uses neighbouring ports.

        Raises:
            BadSettings: PORT_OFFSET, not within 0 and LAST_OFFSET.
        """
        if not 0 <= offset <= LAST_OFFSET:
            raise BadSettings("PORT_OFFSET", f"The port offset is {offset}; it must be within 0 and {LAST_OFFSET}.")
        return cls(
            grpc=26500 + 10 * offset,
            command=26501 + 10 * offset,
            internal=26502 + 10 * offset,
            web=8080 + 10 * offset,
            monitoring=9600 + 10 * offset,
            search=9201 + offset,
            search_transport=9301 + offset,
        )

    @property
    def offset(self) -> int:
        """Return what `at` was given."""
        return self.search - Ports.at(0).search

    def used(self, *, with_operate: bool) -> dict[str, int]:
        """Return the ports that are really listened on, by what for."""
        ports = asdict(self)
        return ports if with_operate else {name: ports[name] for name in ports if not name.startswith("search")}


@contextmanager
def chosen(offset: int | None, *, with_operate: bool, before: Ports | None = None) -> Iterator[Ports]:
    """Lend the ports at *offset*; if None, those used *before*, or those at the smallest offset that are all free.

    Others who look for free ports pass these over until the block ends, when an engine must listen on them. Ports kept
    for an engine that does not run are taken last.

    Raises:
        BadSettings: PORT_TAKEN, naming the port and who has it; or no offset is free.
    """
    if offset is not None:
        ports = Ports.at(offset)
        for purpose, port in taken(ports, with_operate=with_operate).items():
            raise BadSettings(
                "PORT_TAKEN",
                f"Port {port} ({purpose}) is taken by {holder(port)}: "
                "end that, choose another --port-offset, or leave it out to have free ports found.",
            )
        yield ports
        return
    for candidate in (*((before.offset,) if before else ()), *sorted(range(LAST_OFFSET + 1), key=_is_kept)):
        ports = Ports.at(candidate)
        try:
            with held(_claims() / f"offset-{candidate}.lock", limit_s=0):
                if not taken(ports, with_operate=with_operate):
                    yield ports
                    return
        except LockHeld:
            continue
    raise BadSettings("PORT_TAKEN", "Every set of ports for an engine is taken on this machine.")


def keep(ports: Ports, home: Path) -> None:
    """Let others choose *ports* last, also while the engine in *home* is down: it may have died and be started again.

    Its clients know it by its address. A home that is gone keeps nothing.
    """
    _keeper(ports.offset).write_text(str(home), "utf-8")


def give_up(ports: Ports, home: Path) -> None:
    """Let others choose *ports*, which the engine in *home* no longer needs."""
    if _kept_for(ports.offset) == home:
        _keeper(ports.offset).unlink(missing_ok=True)


def _keeper(offset: int) -> Path:
    return _claims() / f"offset-{offset}.home"


def _kept_for(offset: int) -> Path | None:
    try:
        return Path(_keeper(offset).read_text("utf-8"))
    except FileNotFoundError:
        return None


def _is_kept(offset: int) -> bool:
    home = _kept_for(offset)
    return home is not None and home.is_dir()


def _claims() -> Path:
    """Return a folder that all engines of this user share, whatever caches and homes they have."""
    folder = Path(tempfile.gettempdir()) / f"waggle-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def taken(ports: Ports, *, with_operate: bool) -> dict[str, int]:
    """Return those of *ports* that somebody listens on, by what for."""
    used = ports.used(with_operate=with_operate)
    return {purpose: port for purpose, port in used.items() if not _is_free(port)}


def holder(port: int) -> str:
    """Name the process that listens on *port*, as well as this user may know it."""
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
            if connection.pid is None:
                break
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.NoSuchProcess:
                break
    return "a process of another user"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Connections of an engine that just ended linger; only a listener counts.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
