"""`python -m benchmarks.intake --report FILE`: what the door takes, and what it costs."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cyclopts
from rich.console import Console

from benchmarks.databases import Kind
from benchmarks.intake import measures
from benchmarks.intake.telling import draw, goals, told
from benchmarks.report import Report
from waggle.log import configure

Row = dict[str, Any]
_Measure = Callable[[Path, Kind, float], Awaitable[list[Row]]]

_MEASURES: Mapping[str, _Measure] = {
    "batch": measures.batch_rows,
    "single": measures.single_rows,
    "delay": measures.delay_rows,
    "read": measures.read_rows,
    "memory": measures.memory_rows,
}
_DATABASES: tuple[Kind, ...] = ("sqlite", "postgresql")
_LOG_WIDTH = 140


def main(
    *,
    report: Path,
    picture: Path | None = None,
    rows: str = ",".join(_MEASURES),
    databases: str = ",".join(_DATABASES),
    rounds: int = 3,
    round_s: float = 10.0,
    memory_s: float = 600.0,
) -> None:
    """Measure the door on both databases; in full it takes about an hour.

    Parameters
    ----------
    report
        Write the rows to this file as JSON.
    picture
        Draw them into this file.
    rows
        Which of batch, single, delay, read, memory.
    databases
        Which of sqlite, postgresql.
    rounds
        How often each is measured.
    round_s
        How long one measurement lasts.
    memory_s
        How long the overload lasts in which memory is watched.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    configure("console", "warning")
    measured: list[Row] = []
    for number in range(rounds):
        for name in _chosen(rows, tuple(_MEASURES)):
            if name == "memory" and number:
                continue
            for kind in _chosen(databases, _DATABASES):
                with (
                    console.status(f"Round {number + 1}: measuring {name} on {kind}"),
                    tempfile.TemporaryDirectory(prefix="waggle-bench-") as folder,
                ):
                    seconds = memory_s if name == "memory" else round_s
                    found = asyncio.run(_run(_MEASURES[name], Path(folder), kind, seconds))
                measured += [{**row, "round": number} for row in found]
                # What was measured is not lost if the next fails.
                _report(measured, round_s).write(report)
                if picture is not None:
                    draw(measured, picture)
    told(_report(measured, round_s), Console(width=None if sys.stdout.isatty() else _LOG_WIDTH))


async def _run(measure: _Measure, folder: Path, kind: Kind, seconds: float) -> list[Row]:
    return await measure(folder, kind, seconds)


def _report(rows: Sequence[Row], round_s: float) -> Report:
    return Report(
        benchmark="intake",
        how={
            "round_s": round_s,
            "server": "one process of `waggle api` (uvicorn), limits per key off; the clients share its machine",
            "events": "of 10: 7 carts of 1 to 3 lines, 2 views of a product, 1 customer with address (sealed)",
            "durable": "SQLite WAL with synchronous=FULL; PostgreSQL with fsync, serializable",
            "batch": "100 events a request, against inserts of the same rows, 100 to a commit, in one thread",
            "single": "one event a request, against the same server that judges them and stores nothing",
            "delay": "single events at random times, at 70 % of what 64 clients had come to",
            "read": "GET /v1/customers/{id} of 200 customers, against the same server that answers one constantly",
            "memory": "256 clients that send batches as fast as they are answered; resident memory of the server",
        },
        rows=rows,
        summary=[],
        goals=goals(rows),
    )


def _chosen(names: str, known: Sequence[Any]) -> list[Any]:
    wanted = names.split(",")
    for name in wanted:
        if name not in known:
            raise SystemExit(f"{name!r} is none of: {', '.join(known)}")
    return [name for name in known if name in wanted]


if __name__ == "__main__":
    cyclopts.run(main)
