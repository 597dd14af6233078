"""A real broker of the benchmark's own, and what it says about itself."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import quote, urlsplit

import psutil

from waggle.engine import local
from waggle.engine.local import EngineOptions, RunningEngine

_INSTANCES = "zeebe_executed_instances_total"
_INCIDENTS = "zeebe_pending_incidents_total"
_JOBS = "zeebe_job_events_total"


@dataclass(frozen=True, slots=True)
class EngineCounts:
    """Since the broker's start, over all processes."""

    started: int
    """Process instances."""
    completed: int
    ended: int
    """Completed or terminated."""
    incidents: int
    """Open now."""
    jobs_created: int
    jobs_ended: int
    """Completed, cancelled, or ended by a BPMN error."""
    jobs_timed_out: int
    """Leases that ran out, so that the job was there for others."""


class Broker:
    """The broker as a benchmark sees it."""

    def __init__(self, running: RunningEngine) -> None:
        self.running = running
        self._process = psutil.Process(running.pid)
        self._monitoring = urlsplit(running.monitoring_url).netloc

    @property
    def address(self) -> str:
        """Return host and port of the gateway."""
        return self.running.grpc_address

    @property
    def cpu_s(self) -> float:
        """Return processor seconds used so far."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    @property
    def rss_bytes(self) -> int:
        """Return resident memory."""
        return int(self._process.memory_info().rss)

    @property
    def data_bytes(self) -> int:
        """Return the size of the data folder on disk: blocks in use, for segments may have holes."""
        files = [path for path in (self.running.home / "data").rglob("*") if path.is_file()]
        return sum(_blocks_bytes(path) for path in files)

    async def counts(self) -> EngineCounts:
        """Return the broker's own counters; they cost a few milliseconds, so ask a few times a second at most."""
        return await asyncio.to_thread(self._counts)

    def _counts(self) -> EngineCounts:
        lines = self._metrics(_INSTANCES, _INCIDENTS, _JOBS)
        root = [(labels, value) for labels, value in lines if 'type="ROOT_PROCESS_INSTANCE"' in labels]
        jobs = [(labels, value) for labels, value in lines if labels.startswith(_JOBS)]
        completed = _sum(root, 'action="completed"')
        return EngineCounts(
            started=_sum(root, 'action="activated"'),
            completed=completed,
            ended=completed + _sum(root, 'action="terminated"'),
            incidents=_sum(lines, _INCIDENTS),
            jobs_created=_sum(jobs, 'action="created"'),
            jobs_ended=sum(_sum(jobs, f'action="{action}"') for action in ("completed", "canceled", "error thrown")),
            jobs_timed_out=_sum(jobs, 'action="timed out"'),
        )

    def _metrics(self, *names: str) -> list[tuple[str, float]]:
        """Return name with labels, and value, of the metrics *names*."""
        asked = "&".join(f"includedNames={quote(name)}" for name in names)
        connection = HTTPConnection(self._monitoring, timeout=10)
        try:
            connection.request("GET", f"/actuator/prometheus?{asked}")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        found = (line.rpartition(" ") for line in text.splitlines() if line.startswith(names))
        return [(labels, float(value)) for labels, _, value in found]

    def facts(self) -> Mapping[str, object]:
        """Say how the broker is set, for the report."""
        options = self.running.options
        return {
            "version": self.running.version,
            "durable": options.durable,
            "quick": options.quick,
            "operate": options.with_operate,
            "controlled_clock": options.controlled_clock,
            "exporters": "records" if options.records_url else "none",
            "partitions": 1,
            "threads": "2 cpu, 1 io",
            "heap": "512m",
        }


@contextmanager
def broker(home: Path, *, controlled_clock: bool = False) -> Iterator[Broker]:
    """Run a broker as an operator would (durable, at full speed, without Operate) while the context lasts.

    Its data in *home* stays. Raises as `waggle.engine.local.start` does.
    """
    running = local.start(EngineOptions(home, with_operate=False, controlled_clock=controlled_clock))
    try:
        yield Broker(running)
    finally:
        local.stop(home)


def _sum(lines: list[tuple[str, float]], *signs: str) -> int:
    return round(sum(value for labels, value in lines if all(sign in labels for sign in signs)))


def _blocks_bytes(path: Path) -> int:
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0
