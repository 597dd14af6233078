"""`waggle replay`: derive what is known from the events anew, while everything runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from waggle.app import App
from waggle.cli.with_app import with_app
from waggle.services.replay import Report

Part = Literal["customers", "consents", "carts", "orders", "products"]

_MOST_SHOWN = 50


def replay(
    *,
    only: Annotated[tuple[Part, ...], Parameter(consume_multiple=True, negative="")] = (),
    check: bool = False,
    json: bool = False,
) -> int:
    """Derive customers, consents, carts, orders and products from the events anew, and mend what differs.

    Everything may go on running; nothing is sent or started again. Cut off, the next run goes on where this one was.
    Run it after a change of config/state.toml or [identity].

    Example: `waggle replay --check`

    Parameters
    ----------
    only
        Nothing but these.
    check
        Change nothing; say what differs, and end with 1 if anything does.
    json
        One JSON document for programs.
    """

    async def run(waggle: App) -> Report:
        with _shown(quiet=json) as progress, waggle.database.shadow(waggle.state_rules) as shadow:
            return await waggle.replay(shadow, progress).run(only, mend=not check)

    report = with_app(run)
    if json:
        print(msgspec.json.encode(report).decode())
    else:
        _print(report, check=check)
    return 1 if report.unsettled or (check and report.differences) else 0


class _Bars:
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what)
        self._bars.update(self._tasks[what], completed=done, total=max(total, done))


@contextmanager
def _shown(*, quiet: bool) -> Iterator[_Bars]:
    console = Console(stderr=True, quiet=quiet)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        yield _Bars(bars)


def _print(report: Report, *, check: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for each in report.differences[:_MOST_SHOWN]:
        fields = f": {', '.join(each.fields)}" if each.fields else ""
        word = {"missing": "is missing", "surplus": "should not be there", "other": "differs"}[each.kind]
        console.print(f"{each.table} {' / '.join(each.key)} {word}{fields}", markup=False)
    if len(report.differences) > _MOST_SHOWN:
        console.print(f"and {len(report.differences) - _MOST_SHOWN:,} more; --json gives all")
    if report.unsettled:
        console.print(f"{report.unsettled:,} rows changed all the time: run it again when it is calmer")
    ending = "differ" if check else "differed and were mended"
    console.print(
        f"{report.events:,} events read, {report.rows:,} rows compared, {len(report.differences):,} {ending}."
    )
