"""What a run amounts to: for a program as JSON, for a person as a table, for the documentation as a row."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from waggle.testing.chaos.checker import Verdict

_DOUBT = 0.05
_TOLD = 40
BEGIN = "<!-- runs: written by `python -m waggle.testing.chaos --record`, not by hand -->"
END = "<!-- end of runs -->"
_HEAD = (
    "| date | commit | database | seed | kills | broker | crash points | carts | accepted | lost | doubled "
    "| in doubt | listed | 95 % bound |\n"
    "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run. Every number but `bound_95` is counted, none is estimated."""

    kills: int
    """Of Python processes and the database, by the plan."""
    broker_kills: int
    database_kills: int
    """Contained in `kills`."""
    points: int
    """Crash points that killed their process, on top of `kills`."""
    points_missed: Sequence[str]
    """Those that nobody came by; what they would have shown is not shown."""
    points_not_met: Sequence[str]
    """Those that are passed only while something else goes wrong, and it did not in just that way."""
    accepted: int
    acted: int
    lost: int
    doubled: int
    in_doubt: int
    in_doubt_listed: int
    bound_95: float
    """With 95 % confidence a kill loses or doubles something less often than this."""
    seed: int
    database: str
    carts: int
    mails: int
    coupons: int
    duration_s: float
    date: str
    commit: str
    found: Sequence[str] = field(default=())
    """Every finding in words; empty: all promises were kept."""

    @property
    def is_clean(self) -> bool:
        """Whether the run proves what it set out to prove."""
        return not self.found and not self.points_missed


def bound_95(failures: int, trials: int) -> float:
    """Return the upper end of the one-sided 95 % interval for the share of failures; without any the rule of three.

    With failures it is Clopper and Pearson's exact bound: the share under which so few failures have a chance of 5 %.
    """
    if failures >= trials:
        return 1.0
    if failures == 0:
        return min(1.0, 3 / trials)
    low, high = failures / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(failures, trials, middle) > _DOUBT else (low, middle)
    return high


def _at_most(failures: int, trials: int, share: float) -> float:
    """Return the chance of at most so many *failures* among *trials*."""
    logs = (
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(share)
        + (trials - k) * math.log1p(-share)
        for k in range(failures + 1)
    )
    return math.fsum(map(math.exp, logs))


def failures_of(verdict: Verdict) -> int:
    """Return how many findings say that something was lost or came twice."""
    return verdict.count("lost") + verdict.count("doubled")


def write_json(report: Report, file: Path) -> None:
    """Write *report* whole or not at all."""
    part = file.with_name(f"{file.name}.part")
    file.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    part.replace(file)


def show(report: Report, console: Console) -> None:
    """Print *report* for a person."""
    table = Table(title=f"Chaos on {report.database}, seed {report.seed}", show_header=False)
    rows = {
        "kills": f"{report.kills} ({report.database_kills} of the database), {report.broker_kills} of the broker",
        "crash points": f"{report.points} fired, {len(report.points_missed)} missed",
        "events": f"{report.accepted} accepted, {report.acted} acted",
        "carts, mails, coupons": f"{report.carts}, {report.mails}, {report.coupons}",
        "lost": str(report.lost),
        "doubled": str(report.doubled),
        "in doubt": f"{report.in_doubt}, {report.in_doubt_listed} of them listed",
        "lost or doubled per kill": f"below {report.bound_95:.2%} with 95 % confidence",
        "duration": f"{report.duration_s:.0f} s",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    console.print(table)
    for point in report.points_missed:
        console.print(f"never reached: {point}", markup=False)
    if report.points_not_met:
        console.print(f"not met this time: {', '.join(report.points_not_met)}", markup=False)
    for finding in report.found[:_TOLD]:
        console.print(finding, markup=False)
    if len(report.found) > _TOLD:
        console.print(f"... and {len(report.found) - _TOLD} more", markup=False)
    console.print("[green]All promises kept[/]" if report.is_clean else "[red]Not all promises kept[/]")


def record(report: Report, page: Path) -> None:
    """Add *report* to the table between the marks in *page*; the run of the same database and seed is replaced.

    Raises:
        ValueError: the page has no such marks.
    """
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    inside, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks the lines {BEGIN!r} and {END!r}")
    rows = [line for line in inside.splitlines() if line.startswith("| 2")]
    kept = [row for row in rows if f"| {report.database} | {report.seed} |" not in row]
    body = "\n".join(sorted([*kept, _row(report)]))
    page.write_text(f"{before}{BEGIN}\n\n{_HEAD}{body}\n\n{END}{after}", encoding="utf-8")


def _row(report: Report) -> str:
    cells = (
        report.date,
        report.commit,
        report.database,
        report.seed,
        report.kills,
        report.broker_kills,
        report.points,
        report.carts,
        report.accepted,
        report.lost,
        report.doubled,
        report.in_doubt,
        report.in_doubt_listed,
        f"{report.bound_95:.2%}",
    )
    return f"| {' | '.join(map(str, cells))} |"
