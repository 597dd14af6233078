"""`python -m benchmarks.flagship --report FILE`: the abandoned cart, end to end, on real parts."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import cyclopts
from rich.console import Console

from benchmarks.databases import Kind
from benchmarks.flagship import latency, peak, waiting
from benchmarks.flagship.picture import draw
from benchmarks.flagship.table import told
from benchmarks.report import Goal, Report
from waggle.log import configure
from waggle.settings import PREFIX

Row = dict[str, Any]


class _Measure(Protocol):
    def __call__(self, folder: Path, kind: Kind, *, workers: int, scale: float) -> Awaitable[list[Row]]: ...


_MEASURES: Mapping[str, _Measure] = {"latency": latency.rows, "peak": peak.rows, "waiting": waiting.rows}
_LOG_WIDTH = 140
_DATABASES: tuple[Kind, ...] = ("sqlite", "postgresql")


def main(
    *,
    report: Path,
    picture: Path | None = None,
    rows: str = ",".join(_MEASURES),
    databases: str = ",".join(_DATABASES),
    workers: int = 1,
    scale: float = 1.0,
) -> None:
    """Measure the abandoned cart on a real durable broker, every part a process of its own.

    In full it takes about an hour. Settings of Waggle in the environment hold for all parts, and the report names them.

    Parameters
    ----------
    report
        Write the rows to this file as JSON.
    picture
        Draw them into this file.
    rows
        Which of latency, peak, waiting.
    databases
        Which of sqlite, postgresql.
    workers
        How many worker processes share the work.
    scale
        Share of all counts of carts; for trying it out.
    """
    # Whoever ends this, by Ctrl-C or otherwise, ends the parts with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    configure("console", "warning")
    chosen = [(_named(name, _MEASURES), kind) for name in rows.split(",") for kind in _kinds(databases)]
    measured: list[Row] = []
    for (name, measure), kind in chosen:
        with (
            console.status(f"Measuring {name} on {kind}"),
            tempfile.TemporaryDirectory(prefix="waggle-bench-") as folder,
        ):
            measured += asyncio.run(_measured(measure, Path(folder), kind, workers, scale))
        # What was measured is not lost if the next fails.
        _report(measured, scale).write(report)
        if picture is not None:
            draw(measured, picture)
    # In a log there is room for whole columns.
    told(measured, Console(width=None if sys.stdout.isatty() else _LOG_WIDTH))


async def _measured(measure: _Measure, folder: Path, kind: Kind, workers: int, scale: float) -> list[Row]:
    return await measure(folder, kind, workers=workers, scale=scale)


def _report(rows: Sequence[Row], scale: float) -> Report:
    set_outside = {name: value for name, value in sorted(os.environ.items()) if name.startswith(PREFIX)}
    return Report(
        benchmark="flagship",
        how={
            "scale": scale,
            "engine": "Zeebe, one broker, one partition, durable, no exporter",
            "settings": "as shipped, quiet hours off"
            + "".join(f", {name}={value}" for name, value in set_outside.items()),
            "latency": "cart_idle PT0S; first effect: started_at of the enrolment, which is before its commit; 70 %: "
            "arrivals at random times, of what 64 carts on their way at once had come to",
            "peak": "waits as shipped; the clock leaps from rest to 5 s before the first cart is due",
            "waiting": "cart_idle P2D; per cart: what came on top of the first 1,000 carts; memory is resident, with "
            "what Java's heap (at most 512 MB) has not given back",
        },
        rows=rows,
        summary=[],
        goals=[_in_time(row) for row in rows if row["row"] == "peak"],
    )


def _in_time(row: Row) -> Goal:
    late = row["later_than_30_min"]
    return Goal(f"{row['carts']:,} carts at once, {row['database']}: mails later than 30 min", "0", late, late == 0)


def _kinds(databases: str) -> list[Kind]:
    return [kind for name in databases.split(",") for kind in _DATABASES if kind == _known(name, _DATABASES)]


def _named(name: str, known: Mapping[str, _Measure]) -> tuple[str, _Measure]:
    return name, known[_known(name, tuple(known))]


def _known(name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise SystemExit(f"{name!r} is none of: {', '.join(known)}")
    return name


if __name__ == "__main__":
    cyclopts.run(main)
