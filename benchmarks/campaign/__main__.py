"""`python -m benchmarks.campaign --report FILE`: one message to a whole segment, on real parts."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cyclopts
from rich.console import Console
from rich.table import Table

from benchmarks.campaign import measures
from benchmarks.databases import Kind
from benchmarks.report import Goal, Report
from waggle.log import configure

Row = dict[str, Any]

_SIZES = (300, 3_000)
_LARGE = 20_000
_CONNECTIONS = "WAGGLE_SMTP__CONNECTIONS"
_KINDS: tuple[Kind, ...] = ("sqlite", "postgresql")
_LOG_WIDTH = 140


def main(
    *,
    report: Path,
    databases: str = ",".join(_KINDS),
    workers: int = 1,
    connections: int = 4,
    recipients: list[int] | None = None,
    scale: bool = False,
) -> None:
    """Measure recipients per second and process instances used, on a real durable broker with a mail sink.

    At the smallest size as many people are also written to by a process instance each, in the same house.

    Parameters
    ----------
    report
        Write the rows to this file as JSON.
    databases
        Which of sqlite, postgresql.
    workers
        How many worker processes share the work.
    connections
        How many connections to the mail server each of them keeps open; 4 is what is shipped.
    recipients
        Sizes; else 300 and 3,000.
    scale
        Also 20,000.
    """
    # Whoever ends this, by Ctrl-C or otherwise, ends the parts with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    configure("console", "warning")
    os.environ[_CONNECTIONS] = str(connections)
    sizes = sorted(recipients or (*_SIZES, *((_LARGE,) if scale else ())))
    wanted = [kind for kind in _KINDS if kind in databases.split(",")]
    measured: list[Row] = []
    for kind in wanted:
        for size in sizes:
            with (
                console.status(f"Writing to {size:,} on {kind}"),
                tempfile.TemporaryDirectory(prefix="waggle-bench-") as folder,
            ):
                one_each = size == sizes[0]
                work = measures.rows(Path(folder), kind, workers=workers, recipients=size, one_each=one_each)
                measured += asyncio.run(work)
            for row in measured:
                row.setdefault("connections", connections)
            # What was measured is not lost if the next fails.
            report_of(measured).write(report)
    told(measured, Console(width=None if sys.stdout.isatty() else _LOG_WIDTH))


def report_of(rows: Sequence[Row]) -> Report:
    """Return the report with its goals."""
    return Report(
        benchmark="campaign",
        how={
            "engine": "Zeebe, one broker, one partition, durable, no exporter",
            "settings": "as shipped, quiet hours off, no limit of messages per minute; connections as each row says",
            "per_s": "mails at the sink, from the first to the last",
            "one instance each": "the journey double-opt-in up to its one mail: two jobs, no checks of advertising",
        },
        rows=rows,
        summary=[],
        goals=[goal for row in rows if row["way"] == "one instance" for goal in _goals(row)],
    )


def _goals(row: Row) -> list[Goal]:
    name = f"{row['recipients']:,} recipients, {row['database']}"
    return [
        Goal(f"{name}: process instances", "1", row["instances"], row["instances"] == 1),
        Goal(f"{name}: second mails", "0", row["doubled"], row["doubled"] == 0),
    ]


def told(rows: Sequence[Row], console: Console) -> None:
    """Print the rows for a person."""
    table = Table(title="One message to many", box=None, pad_edge=False)
    for head in (
        "way",
        "database",
        "workers",
        "connections",
        "recipients",
        "recipients/s",
        "instances",
        "jobs",
        "twice",
        "worker ms each",
    ):
        table.add_column(head, justify="left" if head in {"way", "database"} else "right")
    for row in rows:
        worker_s = sum(seconds for name, seconds in row["cpu_s"].items() if name.startswith("worker"))
        cells = (
            row["workers"],
            row["connections"],
            f"{row['recipients']:,}",
            row["per_s"],
            f"{row['instances']:,}",
            f"{row['jobs']:,}",
        )
        each_ms = f"{1000 * worker_s / row['recipients']:.1f}"
        table.add_row(row["way"], row["database"], *map(str, cells), str(row["doubled"]), each_ms)
    console.print(table)


if __name__ == "__main__":
    cyclopts.run(main)
