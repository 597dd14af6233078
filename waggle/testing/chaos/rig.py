"""A whole Waggle to be broken: real broker, real database, every part its own process, a proxy on each link."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
from sqlalchemy.exc import DBAPIError

from waggle.app import App
from waggle.engine.local import EngineOptions
from waggle.engine.records import RecordStream
from waggle.reaching import engine_client
from waggle.registry import find_tasks
from waggle.services.deployment import deploy_all
from waggle.settings import load_settings
from waggle.testing.chaos.broker import Broker
from waggle.testing.chaos.checker import TABLES, Budget, Evidence
from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.chaos.crashing import CARE, POINTS
from waggle.testing.chaos.fault_proxy import LOOPBACK, FaultProxy
from waggle.testing.chaos.history import History, read_history
from waggle.testing.chaos.keeper import Child, Death, Keeper, part
from waggle.testing.chaos.mail_sink import Fault, arrivals, sink_command
from waggle.testing.chaos.plan import BROKER, DATABASE, SMTP
from waggle.testing.chaos.postgres import PostgresServer
from waggle.testing.chaos.settings import Ports, write_settings
from waggle.testing.chaos.shoppers import Shopfront
from waggle.testing.ports import own_ports

Database = Literal["sqlite", "postgresql"]
Tables = Mapping[str, Sequence[Mapping[str, Any]]]

PARTS: Mapping[str, str] = {"api": "api", "relay": "relay", "worker-1": "worker", "worker-2": "worker"}
"""Name of the process -> part of Waggle that it is."""

_SINK = "mail-sink"
_WORK = ("events", "enrolments", "messages", "engine_messages")
_LOOK_EVERY_S = 1.0
_DATABASE_WITHIN_S = 60.0
_CLI_WITHIN_S = 60.0
_RECORDS_TOGETHER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is to be set up."""

    folder: Path
    database: Database
    budgets: Mapping[str, Budget]
    careless: str = ""
    """The guard to leave out, for a negative control; see `waggle.testing.chaos.careless`."""
    quick: bool = False
    """A broker that starts fast and does not wait for the disk: where no broker is killed."""


@dataclass
class Rig:
    """What runs, and how to break it, mend it and read what came of it."""

    setup: Setup
    app: App
    """Reads the database directly, past the proxies; its settings are otherwise those of the parts."""
    environment: Mapping[str, str]
    """That of `app`."""
    records: RecordStream
    broker: Broker
    keeper: Keeper
    server: PostgresServer | None
    proxies: Mapping[str, FaultProxy]
    points: CrashPoints
    history: History
    front: Shopfront

    @property
    def database_kills(self) -> int:
        """How often the database server was killed."""
        return 0 if self.server is None else self.server.keeper.count("killed")

    @property
    def kills(self) -> int:
        """How many processes died of what was done to them."""
        died = self.keeper.count("killed") + self.keeper.count("crash point")
        return died + self.broker.kills + self.database_kills

    async def kill(self, name: str) -> None:
        """Kill one process by SIGKILL, once it runs; whoever keeps it starts it again."""
        self.history.fault("kill", name)
        if name == BROKER:
            await self.broker.kill()
        elif name == DATABASE:
            assert self.server is not None
            await self.server.kill()
        else:
            await self.keeper.kill(name)

    def arrived_bytes(self) -> int:
        """Return the size of the mail sink's journal: it grows with each mail."""
        file = journal(self.setup.folder)
        return file.stat().st_size if file.exists() else 0

    async def heal(self) -> None:
        """Make every link a plain one again."""
        for proxy in self.proxies.values():
            await proxy.heal()

    async def quiet(self, within_s: float) -> bool:
        """Wait until nothing is under way any more; False if that did not come true in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while _is_under_way(await self._tables(_WORK)):  # noqa: ASYNC110 -- no event tells of it
                    await asyncio.sleep(_LOOK_EVERY_S)
                return True
        return False

    async def evidence(self) -> Evidence:
        """Collect everything that the checker wants to see."""
        return Evidence(
            told=read_history(history_file(self.setup.folder)),
            tables=await self._tables(TABLES),
            arrived=[arrival.message_id for arrival in arrivals(journal(self.setup.folder))],
            listed=frozenset(await self._listed()),
            budgets=self.setup.budgets,
            lost_answers=self.kills + self._answers_kept(),
            incidents=self._incidents(),
            refused=self.front.refused,
            fell=[f"{death.part} with {death.exit_code}" for death in self._falls()],
        )

    def _answers_kept(self) -> int:
        """Return how many answers of the mail server were kept from a process that lived on."""
        return self.proxies[SMTP].replies_dropped + sum(
            fault in self.points.fired() for fault in (Fault.DROP_ANSWER, Fault.HOLD_ANSWER)
        )

    def _falls(self) -> list[Death]:
        return [*self.keeper.falls, *([] if self.server is None else self.server.keeper.falls)]

    async def _tables(self, names: Sequence[str]) -> Tables:
        """Read whole tables; a database that is just coming back, or busy with the same rows, is asked again."""
        async with asyncio.timeout(_DATABASE_WITHIN_S):
            while True:
                try:
                    return await asyncio.to_thread(self.app.database.tables, names)
                except DBAPIError:
                    await asyncio.sleep(_LOOK_EVERY_S)

    def _incidents(self) -> list[str]:
        with self.records.ledger() as ledger:
            return [
                f"{incident.error_type} at {incident.element_id}: {incident.error_message}"
                for incident in ledger.incidents.values()
            ]

    async def _listed(self) -> list[str]:
        """Ask for what is in doubt as an operator would."""
        asking = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "waggle", "messages", "--in-doubt", "--json"),
            env={**os.environ, **self.environment},
            stdout=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(_CLI_WITHIN_S):
            said, _ = await asking.communicate()
        # Where nothing can be listed, everything in doubt is unlisted.
        rows: list[dict[str, Any]] = json.loads(said) if asking.returncode == 0 else []
        return [row["message_id"] for row in rows]


def history_file(folder: Path) -> Path:
    """Return where everything that was told is noted."""
    return folder / "history.jsonl"


def journal(folder: Path) -> Path:
    """Return where the mail server notes everything that arrived."""
    return folder / "arrivals.jsonl"


def engine_home(folder: Path) -> Path:
    """Return where the broker keeps its data."""
    return folder / "engine"


def _is_under_way(tables: Tables) -> bool:
    return (
        any(row["state"] == "pending" for row in tables["events"])
        or any(row["state"] != "ended" for row in tables["enrolments"])
        or any(row["state"] in {"planned", "claimed", "handed_over"} for row in tables["messages"])
        or any(row["state"] == "waiting" for row in tables["engine_messages"])
    )


@asynccontextmanager
async def rigged(setup: Setup) -> AsyncIterator[Rig]:
    """Start everything, and end it with the context; what it wrote stays in the folder.

    The parts may still be starting when this returns: shoppers send until they are accepted.
    """
    folder, free = setup.folder, own_ports()
    sink_port, api_port = int(free["WAGGLE_SMTP__PORT"]), int(free["WAGGLE_API__PORT"])
    points = CrashPoints(folder / "points")
    points.prepare()
    async with AsyncExitStack() as stack:
        records = stack.enter_context(RecordStream())
        broker = await stack.enter_async_context(Broker(_engine(setup, records)))
        server = await stack.enter_async_context(PostgresServer(folder / "postgres")) if _is_served(setup) else None
        targets = {"api": api_port, "gateway": broker.engine.ports.grpc, SMTP: sink_port}
        if server is not None:
            targets[DATABASE] = server.port
        proxies = {name: await stack.enter_async_context(FaultProxy(LOOPBACK, port)) for name, port in targets.items()}
        ports = Ports(api=api_port, gateway=proxies["gateway"].port, smtp=proxies[SMTP].port)
        write_settings(folder / "config", ports, setup.budgets, find_tasks())
        direct = _environment(folder, "" if server is None else server.url())
        through = _environment(folder, "" if server is None else server.url(proxies[DATABASE].port))
        app = App(load_settings({**direct, "WAGGLE_ENGINE__ADDRESS": broker.engine.grpc_address}))
        stack.callback(app.close)
        key = await app.accounts.write_keys.create("shop")
        async with engine_client(app) as client:
            await deploy_all(client, app.settings.bpmn_dir, app.settings.config_dir, app.tasks)
        of_parts = {**through, POINTS: str(folder / "points"), CARE: setup.careless}
        children = [
            Child(_SINK, sink_command(journal(folder), sink_port, folder / "points", folder / "pids")),
            *(part(name, [what], of_parts) for name, what in PARTS.items()),
        ]
        keeper = await stack.enter_async_context(Keeper(children, folder, points=points))
        history = stack.enter_context(History(history_file(folder)))
        front = Shopfront(await stack.enter_async_context(_client(proxies["api"].port, key)), history)
        yield Rig(setup, app, direct, records, broker, keeper, server, proxies, points, history, front)


def _engine(setup: Setup, records: RecordStream) -> EngineOptions:
    return EngineOptions(
        engine_home(setup.folder),
        with_operate=False,
        durable=not setup.quick,
        quick=setup.quick,
        records_url=records.url,
        records_together=_RECORDS_TOGETHER,
    )


def _is_served(setup: Setup) -> bool:
    return setup.database == "postgresql"


def _environment(folder: Path, database_url: str) -> dict[str, str]:
    """Return where Waggle finds everything; without a URL its database is an SQLite file in the home folder."""
    return {
        "WAGGLE_HOME": str(folder / "home"),
        "WAGGLE_CONFIG_DIR": str(folder / "config"),
        "WAGGLE_DATABASE__URL": database_url,
    }


def _client(port: int, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://{LOOPBACK}:{port}",
        headers={"Authorization": f"Bearer {key}"},
        limits=httpx.Limits(max_connections=None),
        trust_env=False,
    )
