"""The rows for a person at a terminal."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

Row = Mapping[str, Any]
_Column = tuple[str, Callable[[Row], object]]


def worker_cpu_s(row: Row) -> float:
    """Return the processor seconds of all worker processes."""
    return sum(float(seconds) for name, seconds in row["cpu_s"].items() if name.startswith("worker"))


def _per_cart_ms(row: Row) -> str:
    spent = (worker_cpu_s(row), row["cpu_s"]["relay"], row["cpu_s"]["broker"])
    return ", ".join(f"{1000 * seconds / row['carts']:.1f}" for seconds in spent)


_WHO: tuple[_Column, ...] = (
    ("database", lambda row: row["database"]),
    ("workers", lambda row: row["workers"]),
    ("carts", lambda row: f"{row['carts']:,}"),
)
_TABLES: dict[str, tuple[str, tuple[_Column, ...]]] = {
    "latency": (
        "Latency in ms, p50 / p99",
        (
            ("load", lambda row: row["load"]),
            ("carts/s", lambda row: row["mails_per_s"]),
            ("of capacity", lambda row: row["capacity_per_s"]),
            ("accepted to first effect", lambda row: _spread(row["accepted_to_first_effect_ms"])),
            ("accepted to mail", lambda row: _spread(row["accepted_to_mail_ms"])),
        ),
    ),
    "peak": (
        "Carts that fall due in the same minute",
        (
            ("last mail", lambda row: _seconds(row["last_mail_s"])),
            ("mails/s", lambda row: row["mails_per_s"]),
            ("after due, s, p50 / p99", lambda row: _spread(row["after_due_s"])),
            ("later than 30 min", lambda row: row["later_than_30_min"]),
            ("twice", lambda row: row["doubled"]),
            ("ms of processor a cart: worker, relay, broker", _per_cart_ms),
        ),
    ),
    "waiting": (
        "What one waiting cart takes, in KiB",
        (
            ("broker's memory", lambda row: _kib(row, "broker_rss_bytes")),
            ("engine's disk", lambda row: _kib(row, "engine_disk_bytes")),
            ("database", lambda row: _kib(row, "database_bytes")),
            ("broker's memory in all", lambda row: f"{row['broker_rss_bytes'] / 2**20:,.0f} MiB"),
        ),
    ),
}


def told(rows: Sequence[Row], console: Console) -> None:
    """Print a table for each kind of row that there is."""
    for kind, (title, columns) in _TABLES.items():
        mine = [row for row in rows if row["row"] == kind]
        if not mine:
            continue
        table = Table(title=title, title_justify="left")
        for heading, _ in (*_WHO, *columns):
            table.add_column(heading, justify="left" if heading in {"database", "load"} else "right")
        for row in mine:
            table.add_row(*(str(told_of(row)) for _, told_of in (*_WHO, *columns)))
        console.print(table)


def _spread(found: Mapping[str, float | None]) -> str:
    return " / ".join("none" if found[name] is None else f"{found[name]:g}" for name in ("p50", "p99"))


def _seconds(value: float | None) -> str:
    return "none" if value is None else f"{value:,.0f} s"


def _kib(row: Row, name: str) -> str:
    return f"{row['per_cart'][name] / 1024:.1f}"
