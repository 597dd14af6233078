"""Start, find again, and stop the real engine as processes of this machine."""

import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import grpc
from pyzeebe.proto.gateway_pb2 import Partition, TopologyRequest
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.engine.local import clock, java, processes, state
from waggle.engine.local.archive import Archives
from waggle.engine.local.cache import Cache
from waggle.engine.local.locks import held
from waggle.engine.local.ports import LOOPBACK, Ports, chosen, give_up, keep, taken
from waggle.engine.local.progress import Progress, Silent
from waggle.engine.local.state import EngineOptions, State
from waggle.errors import BadSettings, TemporaryFailure
from waggle.log import get_logger

log = get_logger(__name__)

VERSION = "8.6.0"
OPERATE_USER = "operator"

_READY_LIMIT_S = 300.0
_STOP_LIMIT_S = 7.0
_HOME_LIMIT_S = 300.0
_BUSY_LIMIT_S = 30.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine that takes commands."""

    options: EngineOptions
    ports: Ports
    pids: dict[str, int]
    """By program: "broker" and, with Operate, "search"."""
    ready_s: float
    """From the call of `start` until commands are taken, on the wall's clock, without fetching and first-time work."""
    was_adopted: bool
    """It ran already, left by another process."""
    operate_password: str | None = field(repr=False)
    operate_user: str | None = None
    version: str = VERSION

    @property
    def home(self) -> Path:
        """Return the folder that the engine lives in."""
        return self.options.home

    @property
    def pid(self) -> int:
        """Return the broker's process number."""
        return self.pids["broker"]

    @property
    def grpc_address(self) -> str:
        """Return host and port for clients and workers."""
        return f"{LOOPBACK}:{self.ports.grpc}"

    @property
    def monitoring_url(self) -> str:
        """Return where readiness, metrics and the clock are served."""
        return _monitoring_url(self.ports)

    @property
    def operate_url(self) -> str | None:
        """Return Operate's page, if Operate runs."""
        return _operate_url(self.ports) if self.options.with_operate else None


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """What can be said of the engine in a home without touching it."""

    state: Literal["running", "not answering", "stopped"]
    home: Path
    version: str = VERSION
    grpc_address: str | None = None
    monitoring_url: str | None = None
    operate_url: str | None = None
    operate_user: str | None = None
    pids: dict[str, int] = field(default_factory=dict)
    clock_offset_s: float = 0.0


def start(options: EngineOptions, progress: Progress | None = None, cache: Cache | None = None) -> RunningEngine:
    """Return the engine in `options.home`, running: the one left there if it is sound and alike, else a fresh one.

    Data left in the home is taken up. The processes outlive this one; end them by `stop`.

    Raises:
        BadSettings: PORT_TAKEN, PORT_OFFSET, ENGINE_FILES_MISSING, CACHE_UNUSABLE, CLOCK_WAS_MOVED.
        TemporaryFailure: ENGINE_NOT_READY, naming its log; LOCK_HELD, another process starts or stops it.
    """
    options = options.resolved()
    progress = progress or Silent()
    cache = cache or Cache()
    if not options.controlled_clock and clock.stored_offset_ms(options.home):
        raise BadSettings(
            "CLOCK_WAS_MOVED",
            f"The data in {options.home} lives in a simulated future: start it with the controlled clock, "
            "or use another folder.",
        )
    with _home_held(options.home):
        if found := _adopted(options):
            return found
        _end_left(options.home)
        return _started(options, progress, cache)


def adopt(options: EngineOptions) -> RunningEngine | None:
    """Return the engine left in `options.home` if it is sound and was started with the same options; start none.

    Raises:
        TemporaryFailure: CLOCK_NOT_MOVED; LOCK_HELD, another process starts or stops it.
    """
    options = options.resolved()
    with _home_held(options.home):
        return _adopted(options)


def prepare(*, with_operate: bool, progress: Progress | None = None, cache: Cache | None = None) -> bool:
    """Run the engine once in a folder that is thrown away, so that later starts find its classes archived.

    Return whether that was needed; raises as `start`.
    """
    progress, cache = progress or Silent(), cache or Cache()
    with tempfile.TemporaryDirectory(prefix="waggle-prepare-") as folder:
        options = EngineOptions(Path(folder), with_operate=with_operate, durable=False)
        distribution, jars = cache.engine(progress), cache.search(progress) if with_operate else None
        programs, archives = _programs(options, Ports.at(0), distribution, jars), Archives(cache.folder)
        if not any(archives.is_missing(program) for program in programs):
            return False
        try:
            start(options, progress, cache)
        finally:
            stop(options.home)
    return True


def stop(home: Path, limit_s: float = _STOP_LIMIT_S) -> bool:
    """End the engine in *home*, gracefully within *limit_s*, and say whether there was one. Its data stays."""
    home = home.absolute()
    with _home_held(home):
        was_there = _end_left(home, limit_s)
        if known := state.read(home):
            give_up(known.ports, home)
        return was_there


def status(home: Path) -> EngineStatus:
    """Return how the engine in *home* is."""
    home = home.absolute()
    known = state.read(home)
    children = [child for child in known.children if child.process()] if known else []
    if not known or not children:
        return EngineStatus("stopped", home)
    with_operate = known.options.with_operate
    is_sound = len(children) == len(known.children) and _answers_still(known)
    return EngineStatus(
        state="running" if is_sound else "not answering",
        home=home,
        grpc_address=f"{LOOPBACK}:{known.ports.grpc}",
        monitoring_url=_monitoring_url(known.ports),
        operate_url=_operate_url(known.ports) if with_operate else None,
        operate_user=OPERATE_USER if with_operate else None,
        pids={child.name: child.pid for child in children},
        clock_offset_s=clock.stored_offset_ms(home) / 1000,
    )


def advance_clock(home: Path, seconds: float) -> None:
    """Move the time of the running engine in *home* forward; raises as `clock.advance` does."""
    known = state.read(home)
    if known is None or not known.children:
        raise BadSettings("ENGINE_STOPPED", f"No engine runs in {home}.")
    clock.advance(home, _monitoring_url(known.ports), seconds)


def operate_password(home: Path) -> str:
    """Return the password of Operate's user in *home*, made at the first call and readable by its owner only."""
    file = home / "operate-password"
    try:
        return file.read_text("utf-8").strip()
    except FileNotFoundError:
        home.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as fresh:
            fresh.write(secrets.token_urlsafe(15))
        return file.read_text("utf-8")


def _home_held(home: Path) -> AbstractContextManager[None]:
    return held(home / "engine.lock", _HOME_LIMIT_S)


def _started(options: EngineOptions, progress: Progress, cache: Cache) -> RunningEngine:
    """Start afresh; if someone else takes a port that was free when it was chosen, choose again."""
    distribution = cache.engine(progress)
    jars = cache.search(progress) if options.with_operate else None
    _make_folders(options.home)
    archives = Archives(cache.folder)
    before = state.read(options.home)
    began_s = time.monotonic()
    for is_last in (False, False, True):
        with chosen(
            options.port_offset, with_operate=options.with_operate, before=before.ports if before else None
        ) as ports:
            keep(ports, options.home)
            programs = _programs(options, ports, distribution, jars)
            try:
                known = _run_all(State(options, ports, (), is_complete=False), programs, archives, progress)
                break
            except TemporaryFailure:
                if is_last or options.port_offset is not None or not taken(ports, with_operate=options.with_operate):
                    raise
                give_up(ports, options.home)
                log.warning("ports were taken while starting", grpc_port=ports.grpc)
    ready_s = time.monotonic() - began_s
    for program, child in zip(programs, known.children, strict=True):
        if archives.is_missing(program):
            progress.began("Preparing faster starts, this once")
            archives.record(program, child.pid)
    log.info("engine ready", version=VERSION, grpc_port=known.ports.grpc, ready_s=round(ready_s, 1))
    return _running(known, ready_s, was_adopted=False)


def _programs(options: EngineOptions, ports: Ports, distribution: Path, jars: Path | None) -> list[java.Program]:
    """Return what must run, in the order of starting."""
    broker = java.broker(
        distribution,
        options.home,
        ports,
        durable=options.durable,
        controlled_clock=options.controlled_clock,
        quick=options.quick,
        records=(options.records_url, options.records_together) if options.records_url else None,
        operate_login=(OPERATE_USER, operate_password(options.home)) if jars else None,
    )
    return [java.search(jars, options.home, ports), broker] if jars else [broker]


def _run_all(known: State, programs: list[java.Program], archives: Archives, progress: Progress) -> State:
    """Start *programs* one after another; all of them run in the end, or none does."""
    state.write(known)
    try:
        for program in programs:
            progress.began(f"Starting the {program.name}")
            known = _run(known, program, archives)
    except BaseException:
        _end_left(known.options.home)
        raise
    known = replace(known, is_complete=True)
    state.write(known)
    return known


def _run(known: State, program: java.Program, archives: Archives) -> State:
    """Start *program*, note it, and return once it is of use."""
    home = known.options.home
    command = program.command(home, archives.options(program))
    child = processes.spawn(program.name, command, program.environment, home / "logs" / f"{program.name}.out")
    known = replace(known, children=(*known.children, child))
    state.write(known)
    if program.name == "search":
        _await(child, known, lambda: _is_ok(f"http://{LOOPBACK}:{known.ports.search}/_cluster/health"))
        _check_is_ours(child, known, known.ports.search)
        return known
    if known.options.controlled_clock:
        # Before any worker is served: a job taken at the old time would run out at once when time leaps.
        _await(child, known, lambda: _is_ok(f"{_monitoring_url(known.ports)}/actuator/clock"))
        clock.apply(_monitoring_url(known.ports), clock.stored_offset_ms(home))
    _await(child, known, lambda: _answers(known))
    _check_is_ours(child, known, known.ports.grpc)
    if known.options.with_operate:
        _await(child, known, lambda: _is_ok(f"{_operate_url(known.ports)}/login"))
        _await(child, known, lambda: _locks_well_known_users(known.ports))
    return known


def _check_is_ours(child: processes.Child, known: State, port: int) -> None:
    """Make sure that what answered on *port* is *child* and no stranger that came first."""
    if port not in processes.listened_on(child):
        raise _not_ready(child, known, f"does not have port {port}")


def _adopted(options: EngineOptions) -> RunningEngine | None:
    """Return the engine left in the home, if it is sound and was started with the same options."""
    began_s = time.monotonic()
    known = state.read(options.home)
    if known is None or not known.children or not known.is_complete or not _is_alike(known, options):
        return None
    if not all(child.process() for child in known.children) or not _answers_still(known):
        return None
    if options.controlled_clock:
        clock.apply(_monitoring_url(known.ports), clock.stored_offset_ms(options.home))
    log.info("engine adopted", grpc_port=known.ports.grpc)
    return _running(known, time.monotonic() - began_s, was_adopted=True)


def _is_alike(known: State, options: EngineOptions) -> bool:
    offset = options.port_offset
    same_ports = offset is None or known.ports == Ports.at(offset)
    return same_ports and replace(known.options, port_offset=None) == replace(options, port_offset=None)


def _end_left(home: Path, limit_s: float = _STOP_LIMIT_S) -> bool:
    """End what runs of the engine in *home*; processes that were started but not noted are found by their command."""
    known = state.read(home)
    children = [child for child in known.children if child.process()] if known else []
    if known is None or not known.is_complete:
        children += [child for child in processes.with_argument(java.marker(home)) if child not in children]
    processes.end(children, limit_s)
    state.write_stopped(home)
    return bool(children)


def _running(known: State, ready_s: float, *, was_adopted: bool) -> RunningEngine:
    with_operate = known.options.with_operate
    return RunningEngine(
        options=known.options,
        ports=known.ports,
        pids={child.name: child.pid for child in known.children},
        ready_s=ready_s,
        was_adopted=was_adopted,
        operate_user=OPERATE_USER if with_operate else None,
        operate_password=operate_password(known.options.home) if with_operate else None,
    )


def _make_folders(home: Path) -> None:
    # The runtime unpacks libraries here and leaves them behind when it is killed.
    shutil.rmtree(home / "tmp", ignore_errors=True)
    for name in ("data", "logs", "run", "tmp"):
        (home / name).mkdir(parents=True, exist_ok=True)


def _await(child: processes.Child, known: State, is_so: Callable[[], bool]) -> None:
    end_s = time.monotonic() + _READY_LIMIT_S
    while not is_so():
        if child.process() is None:
            raise _not_ready(child, known, "ended while starting")
        if time.monotonic() > end_s:
            raise _not_ready(child, known, f"was not ready within {_READY_LIMIT_S:.0f} s")
        time.sleep(_POLL_S)


def _not_ready(child: processes.Child, known: State, what: str) -> TemporaryFailure:
    log_file = known.options.home / "logs" / f"{child.name}.log"
    return TemporaryFailure("ENGINE_NOT_READY", f"The {child.name} {what}; its log is {log_file}")


def _monitoring_url(ports: Ports) -> str:
    return f"http://{LOOPBACK}:{ports.monitoring}"


def _operate_url(ports: Ports) -> str:
    return f"http://{LOOPBACK}:{ports.web}/operate"


def _is_ok(url: str) -> bool:
    # Asked many times a second while the engine wants the processor, so without the cost of a full client.
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=5)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _answers(known: State, *, leaps: bool = False) -> bool:
    """Say whether the broker is ready and leads its partition, which is when commands are taken.

    Whether it finds itself healthy counts unless its clock *leaps*.
    """
    if not _is_ok(f"{_monitoring_url(known.ports)}/actuator/health/readiness"):
        return False
    with grpc.insecure_channel(f"{LOOPBACK}:{known.ports.grpc}") as channel:
        try:
            topology = GatewayStub(channel).Topology(TopologyRequest(), timeout=5)
        except grpc.RpcError:
            return False
    leading = [
        partition
        for node in topology.brokers
        for partition in node.partitions
        if partition.role == Partition.LEADER and (leaps or partition.health == Partition.HEALTHY)
    ]
    return len(leading) == int(topology.partitionsCount)


def _answers_still(known: State) -> bool:
    """Say whether a broker that was ready takes commands; one that is busy is asked for some seconds."""
    end_s = time.monotonic() + _BUSY_LIMIT_S
    # To the broker a leap of its clock looks as if it had been stuck: it calls itself unhealthy, for a minute or so.
    while not _answers(known, leaps=known.options.controlled_clock):
        is_there = known.is_complete and all(child.process() for child in known.children)
        if not is_there or time.monotonic() > end_s:
            return False
        time.sleep(_POLL_S)
    return True


def _locks_well_known_users(ports: Ports) -> bool:
    """Give the users `view` and `act`, which Operate makes with their names as passwords, a hash that none fits."""
    update = {
        "query": {"terms": {"userId": ["view", "act"]}},
        "script": {"source": "ctx._source.password = '{bcrypt}locked'"},
    }
    where = "/operate-user-*/_update_by_query?refresh=true&conflicts=proceed"
    try:
        with closing(HTTPConnection(LOOPBACK, ports.search, timeout=30)) as connection:
            connection.request("POST", where, json.dumps(update), {"Content-Type": "application/json"})
            return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
