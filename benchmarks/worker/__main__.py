"""Run as `python -m benchmarks.worker --report FILE`."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks.driver import Driver
from benchmarks.engine import broker
from benchmarks.report import Report, Row, told
from benchmarks.worker.clients import NAMES
from benchmarks.worker.ground import Ground
from benchmarks.worker.plan import DATABASES, LOADS, Plan, play, size
from benchmarks.worker.telling import BY, COLUMNS, draw, report
from waggle.engine.channel import GatewayAddress, connect
from waggle.log import configure

_PLAIN_WIDTH = 200


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.worker", description="Compare worker clients on one real broker."
    )
    parser.add_argument("--report", type=Path, default=Path(".waggle/benchmarks/worker.json"))
    parser.add_argument("--picture", type=Path, help="the same as a picture: .svg or .png")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=LOADS)
    parser.add_argument("--clients", nargs="+", choices=NAMES, default=NAMES, help="for no-op and overload")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES, help="for journey")
    parser.add_argument("--scale", type=float, default=1.0, help="0.1: a tenth of the journeys, for a quick try")
    return parser.parse_args()


async def measure(plan: Plan, folder: Path, console: Console) -> Report:
    """Play all rounds on a broker in *folder*."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        shown = progress.add_task("starting the broker", total=size(plan))

        def began(what: str) -> None:
            progress.update(shown, description=what)

        def ended(row: Row) -> None:
            progress.advance(shown)
            where = " on ".join(str(row[name]) for name in ("client", "database") if name in row)
            progress.console.print(
                f"{row['load']}, round {row['round'] + 1}, {where}: {row['journeys_per_s']} journeys/s, "
                f"{row['completed']} of {row['journeys']} completed, {row['repeated_jobs']} repeated jobs"
            )

        with broker(folder / "engine") as engine:
            async with connect(GatewayAddress(engine.address)) as channel:
                ground = Ground(engine, Driver(channel), folder)
                return report(await play(ground, plan, began, ended), plan, ground)


def main() -> None:
    """Measure, write, tell."""
    asked = arguments()
    configure("auto", "warning")
    plan = Plan(asked.rounds, asked.loads, asked.clients, asked.databases, asked.scale)
    # Into a file the table goes whole, not cut to a terminal that is not there.
    console = Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)
    with tempfile.TemporaryDirectory(prefix="waggle-bench-") as folder:
        found = asyncio.run(measure(plan, Path(folder), console))
    found.write(asked.report)
    if asked.picture:
        draw(found, asked.picture)
    told(found, console, by=BY, of=COLUMNS)


if __name__ == "__main__":
    main()
