"""`waggle engine`: the embedded engine, by hand."""

import time
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter
from rich.console import Console

from waggle.cli.progress import shown

_LOG_LINES = 40
_FOLLOW_PAUSE_S = 0.3

app = App(
    name="engine",
    help="The real Camunda 8.6 on this machine, without Docker or an installed Java.\n\n"
    "Example: `waggle engine start`, then `waggle engine logs -f`; `waggle engine stop` keeps the data.",
)

Home = Annotated[
    Path | None,
    Parameter(help="Its data, logs and notes; left out: `engine` in WAGGLE_HOME, which is .waggle by default."),
]
Operate = Annotated[
    bool,
    Parameter(help="With Operate and its search store, or the broker alone.", negative_bool="no-"),
]


@app.command
def fetch(
    *,
    operate: Operate = True,
    prepare: Annotated[
        bool, Parameter(negative="", help="Also run it once, so that later starts take half the time: a minute or two.")
    ] = False,
) -> None:
    """Bring the engine's files to this machine, so that later starts need no network.

    Example: waggle engine fetch --no-operate
    """
    from waggle.engine import local
    from waggle.engine.local.cache import Cache

    cache = Cache()
    with shown(Console(stderr=True)) as progress:
        cache.engine(progress)
        if operate:
            cache.search(progress)
        if prepare:
            local.prepare(with_operate=False, progress=progress, cache=cache)
            if operate:
                local.prepare(with_operate=True, progress=progress, cache=cache)
    print(f"The engine's files are in {cache.folder}")


@app.command
def start(
    *,
    home: Home = None,
    operate: Operate = True,
    port_offset: Annotated[
        int | None,
        Parameter(help="Moves every port, so that engines stand side by side; left out: free ones are found."),
    ] = None,
    controlled_clock: Annotated[
        bool, Parameter(help="For simulation only: the engine's time can be moved on.")
    ] = False,
) -> None:
    """Start the engine in the background, or find it running, and print where it is.

    Example: waggle engine start --no-operate --port-offset 3
    """
    from waggle.engine import local

    options = local.EngineOptions(
        _home(home), with_operate=operate, port_offset=port_offset, controlled_clock=controlled_clock
    )
    with shown(Console(stderr=True)) as progress:
        engine = local.start(options, progress)
    how = "runs already" if engine.was_adopted else f"was ready after {engine.ready_s:.1f} s"
    print(f"Camunda {engine.version} {how}")
    print(f"  gRPC        {engine.grpc_address}")
    print(f"  monitoring  {engine.monitoring_url}")
    if engine.operate_url:
        print(f"  Operate     {engine.operate_url}  user {engine.operate_user}  password {engine.operate_password}")
    print(f"  logs        {engine.home / 'logs'}")


@app.command
def stop(*, home: Home = None) -> None:
    """End the engine; its data stays.

    Example: waggle engine stop
    """
    from waggle.engine import local

    where = _home(home)
    # To stop it takes a lock in its home, which would be made for it.
    was_running = where.is_dir() and local.stop(where)
    print("The engine is stopped" if was_running else f"No engine was running in {where}")


@app.command
def status(*, home: Home = None, json: Annotated[bool, Parameter(help="As one JSON object.")] = False) -> int:
    """Tell whether the engine runs and where; the exit code is 0 only if it does.

    Example: waggle engine status --json
    """
    from waggle.engine import local

    found = local.status(_home(home))
    if json:
        print(msgspec.json.encode(asdict(found), enc_hook=str).decode())
    else:
        print(f"The engine in {found.home}: {found.state}")
        for name, value in asdict(found).items():
            if value and name not in {"state", "home"}:
                print(f"  {name.replace('_', ' '):<16}{value}")
    return 0 if found.state == "running" else 1


@app.command
def logs(
    *,
    home: Home = None,
    follow: Annotated[
        bool, Parameter(name=["--follow", "-f"], negative="", help="Go on as lines are written.")
    ] = False,
    lines: Annotated[
        int, Parameter(name=["--lines", "-n"], help="How many of the last lines to begin with.")
    ] = _LOG_LINES,
) -> None:
    """Print the last lines of the engine's logs.

    Example: waggle engine logs -f
    """
    folder = _home(home) / "logs"
    files = [folder / "search.log", folder / "broker.log"]
    present = [file for file in files if file.exists()]
    if not present:
        print(f"No engine has written logs in {folder}")
        return
    tails = [_Tail(file) for file in present]
    for tail in tails:
        for line in deque(tail.fresh_lines(), maxlen=lines):
            print(f"{tail.name:<7}{line}")
    while follow:
        for tail in tails:
            for line in tail.fresh_lines():
                print(f"{tail.name:<7}{line}", flush=True)
        time.sleep(_FOLLOW_PAUSE_S)


def _home(named: Path | None) -> Path:
    from waggle.settings import load_settings

    return load_settings().engine_home if named is None else named


class _Tail:
    """Reads what a log gained, also after it was rolled over."""

    def __init__(self, file: Path) -> None:
        self.name = file.stem
        self._file = file
        self._inode = 0
        self._read_bytes = 0

    def fresh_lines(self) -> list[str]:
        """Return the lines written since the call before; an unfinished one waits."""
        if not self._file.exists():
            return []
        with self._file.open("rb") as log:
            inode = self._file.stat().st_ino
            if inode != self._inode:
                self._inode, self._read_bytes = inode, 0
            log.seek(self._read_bytes)
            content = log.read()
        whole, newline, _ = content.rpartition(b"\n")
        self._read_bytes += len(whole) + len(newline)
        return whole.decode("utf-8", "replace").splitlines()
