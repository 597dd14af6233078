"""The demo as it is seen on a terminal: while it runs, and in sum."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from rich.box import SIMPLE, SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from waggle.demo.report import Conclusion, Recovery
from waggle.demo.scenario import SHOP_ZONE

_LEAST_S_BETWEEN_LOOKS = 0.25
_LEAST_S_BETWEEN_LINES = 10.0
_BAR = 24


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things stand: counts by the words that people are to read."""

    now: datetime
    journeys: Mapping[str, int] = field(default_factory=dict)
    """For example `running`, `ended: ordered`."""
    messages: Mapping[str, int] = field(default_factory=dict)
    """For example `first-mail sent`, `first-mail suppressed: no_consent`."""
    incidents: int = 0


class View:
    """Shows snapshots as they come; on no terminal a line every ten seconds."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._began_s = 0.0
        self._looked_s = 0.0
        self._first_now: datetime | None = None

    def __enter__(self) -> Self:
        """Take the lower part of the terminal."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the terminal back."""
        self._live.stop()

    @property
    def due(self) -> bool:
        """Whether it is time for another look: counting costs the house something, too."""
        pause_s = _LEAST_S_BETWEEN_LOOKS if self._console.is_terminal else _LEAST_S_BETWEEN_LINES
        return time.monotonic() - self._looked_s >= pause_s

    def show(self, snapshot: Snapshot) -> None:
        """Show how things stand now."""
        self._looked_s = time.monotonic()
        if self._first_now is None:
            self._first_now, self._began_s = snapshot.now, self._looked_s
        if self._console.is_terminal:
            self._live.update(Group(self._headline(snapshot), _counts(snapshot)), refresh=True)
        else:
            self._console.print(self._headline(snapshot), soft_wrap=True)

    def _headline(self, snapshot: Snapshot) -> Text:
        passed_s = self._looked_s - self._began_s
        first_now = self._first_now or snapshot.now
        line = Text(snapshot.now.astimezone(ZoneInfo(SHOP_ZONE)).strftime("%a %H:%M"), style="bold")
        if passed_s > 1:
            line.append(f"   {(snapshot.now - first_now).total_seconds() / passed_s:,.0f} times as fast", style="dim")
        running = sum(count for state, count in snapshot.journeys.items() if not state.startswith("ended"))
        sent = sum(count for state, count in snapshot.messages.items() if state.endswith(" sent"))
        line.append(f"   {running} journeys open, {sent} mails sent")
        if snapshot.incidents:
            line.append(f"   {snapshot.incidents} incidents", style="bold red")
        return line


def _counts(snapshot: Snapshot) -> RenderableType:
    return Columns([_bars("Journeys", snapshot.journeys), _bars("Messages", snapshot.messages)], padding=(0, 4))


def _bars(title: str, counts: Mapping[str, int]) -> Table:
    table = Table(title, "", "", box=SIMPLE_HEAD, header_style="bold")
    table.columns[1].justify = "right"
    most = max(counts.values(), default=1)
    for name, count in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        table.add_row(_words(name), str(count), Text("━" * max(1, _BAR * count // most), style="yellow"))
    return table


def final_table(conclusion: Conclusion, addresses: Mapping[str, str]) -> RenderableType:
    """Return the demo in sum: the report, what the mails brought in, and where to look now."""
    return Group(_sums(conclusion), _recoveries(conclusion), _where(addresses))


def _sums(conclusion: Conclusion) -> Table:
    report = conclusion.report
    delay_s = report["abandonment_to_send_s"]
    minutes = " / ".join(f"{one_s / 60:.1f}" for one_s in (delay_s["p50"], delay_s["p99"], delay_s["max"]))
    table = Table(box=SIMPLE, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in (
        ("Shoppers", f"{report['shoppers']}"),
        ("Carts", f"{report['carts']}"),
        ("  left behind", f"{report['abandoned']}"),
        ("First mails", f"{report['sent']}"),
        ("  of them held over night", f"{report['held']}"),
        ("Reminders", f"{report['reminders']}"),
        ("Not sent", f"{sum(report['not_sent'].values())}"),
        *((f"  {_words(reason)}", f"{count}") for reason, count in report["not_sent"].items()),
        ("Minutes from leaving to mail, p50 / p99 / max", minutes),
        ("Duplicates", _must_be_none(report["duplicates"])),
        ("Incidents", _must_be_none(report["incidents"])),
        ("Differences to what the oracle expects", _must_be_none(report["differences"])),
        (f"Engine {report['engine']['version']} ready after", f"{report['engine']['ready_s']:.1f} s"),
        ("The demo took", f"{report['wall_s']:.0f} s"),
    ):
        table.add_row(name, value)
    return table


def _recoveries(conclusion: Conclusion) -> Table:
    table = Table("What the mails brought in", "carts", "orders", "rate", "money", "per cart", box=SIMPLE_HEAD)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in (conclusion.mailed, conclusion.held_out):
        table.add_row(*_recovery_cells(row))
    return table


def _recovery_cells(row: Recovery) -> tuple[str, ...]:
    return (
        f"{row.group} (orders after {'the mail' if row.group == 'mailed' else 'leaving'})",
        f"{row.carts}",
        f"{row.orders}",
        f"{row.rate:.0%}",
        f"{row.revenue_minor / 100:,.2f} EUR",
        f"{row.per_cart_minor / 100:,.2f} EUR",
    )


def _where(addresses: Mapping[str, str]) -> Table:
    table = Table(box=SIMPLE, show_header=False)
    for name, address in addresses.items():
        table.add_row(name, Text(address, style="cyan"))
    return table


def _must_be_none(count: int) -> str:
    return "[green]none[/]" if count == 0 else f"[bold red]{count}[/]"


def _words(name: str) -> str:
    return name.replace("_", " ")
