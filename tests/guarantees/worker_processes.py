"""Real `waggle worker` processes that run the tasks of a test, and a load of journeys for them."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx

from tests.guarantees.probe_tasks import DIARY
from waggle.testing.ports import ports_for_good

ROOT = Path(__file__).parents[2]
QUEUE_WAIT_S = 6.0
"""Short, so that a test need not wait long for a lease to run out."""


@dataclass
class Workers:
    """Processes that run the same task types on one engine."""

    folder: Path
    engine: str
    task_types: Sequence[str]
    diary: Path
    running: list["Worker"] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """When workers were asked to end, in UTC."""

    async def start(self) -> "Worker":
        """Return a worker that is ready."""
        [port] = ports_for_good(1)
        log = self.folder / f"worker-{port}.log"
        with log.open("ab") as out:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "waggle", "worker", *self.task_types),
                cwd=ROOT,
                env=self._environment(port),
                stdin=DEVNULL,
                stdout=out,
                stderr=out,
            )
        worker = Worker(process, port, log)
        self.running.append(worker)
        await worker.ready()
        return worker

    async def drained(self, worker: "Worker") -> None:
        """Ask *worker* to end as a supervisor does."""
        self.ended.append(f"{datetime.now(UTC):%H:%M:%S.%f}")
        worker.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await worker.process.wait() == 0, worker.said()
        self.running.remove(worker)

    async def killed(self, worker: "Worker") -> None:
        """End *worker* as the kernel does when memory is short."""
        worker.process.kill()
        await worker.process.wait()
        self.running.remove(worker)

    def calls(self) -> Counter[str]:
        """Return how often each "enrolment step" was handed to a handler."""
        return Counter(self.diary.read_text("ascii").splitlines()) if self.diary.exists() else Counter()

    def said(self) -> str:
        """Return all that was logged."""
        return "".join(log.read_text("utf-8") for log in sorted(self.folder.glob("worker-*.log")))

    def _environment(self, port: int) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("WAGGLE_")}
        return {
            **inherited,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(announced(self.folder))]),
            DIARY: str(self.diary),
            "WAGGLE_HOME": str(self.folder / "home"),
            "WAGGLE_ENGINE__ADDRESS": self.engine,
            "WAGGLE_WORKER__QUEUE_WAIT_S": str(QUEUE_WAIT_S),
            "WAGGLE_WORKER__DRAIN_S": "15",
            "WAGGLE_WORKER__HEALTH_PORT": str(port),
            "WAGGLE_LOG__FORM": "json",
        }


@dataclass
class Worker:
    """One process."""

    process: Process
    port: int
    log: Path

    async def ready(self) -> None:
        """Return once it takes jobs."""
        async with asyncio.timeout(120), httpx.AsyncClient(trust_env=False) as client:
            while True:
                assert self.process.returncode is None, self.said()
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.get(f"http://127.0.0.1:{self.port}/readyz")
                    if answer.status_code == httpx.codes.OK:
                        return
                await asyncio.sleep(0.1)

    def said(self) -> str:
        """Return the end of its log."""
        return self.log.read_text("utf-8")[-4000:]


def announced(folder: Path) -> Path:
    """Make a distribution whose entry point offers the probe tasks; return the folder to put on the path."""
    path = folder / "site"
    info = path / "probe-1.dist-info"
    if not info.exists():
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: probe\nVersion: 1\n", "ascii")
        offered = [f"{name} = tests.guarantees.{name}" for name in ("probe_tasks", "poison_tasks")]
        (info / "entry_points.txt").write_text("\n".join(["[waggle.workers]", *offered, ""]), "ascii")
    return path


@asynccontextmanager
async def working(folder: Path, engine: str, *task_types: str, count: int) -> AsyncIterator[Workers]:
    """Run *count* workers on the engine at this address while the context lasts."""
    workers = Workers(folder, engine, task_types, folder / "diary")
    try:
        for _ in range(count):
            await workers.start()
        yield workers
    finally:
        for worker in workers.running:
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()
            await worker.process.wait()
