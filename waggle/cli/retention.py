"""`waggle retention`: remove what is older than the privacy map allows."""

import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.ports.unit_of_work import AuditEntry


def retention(*, dry_run: bool = False, json: bool = False, by: By = None) -> None:
    """Delete or empty what is over its term in config/privacy.toml. The relay does the same once a day.

    What belongs to a customer under a legal hold stays. It may be stopped at any time; the next run goes on.

    Example: `waggle retention --dry-run` counts, and changes nothing.

    Parameters
    ----------
    dry_run
        Only say what would go.
    json
        One JSON document for programs.
    by
        Who decides.
    """
    if dry_run:
        found = with_app(lambda waggle: waggle.privacy.retention.overdue())
        if json:
            print(msgspec.json.encode(found).decode())
            return
        table = Table(box=None, pad_edge=False)
        for head in ("table", "kept", "then", "rows over it"):
            table.add_column(head)
        for each in found:
            table.add_row(each.table, each.kept, each.then, str(each.rows))
        Console().print(table)
        return
    done = with_app(lambda waggle: _apply(waggle, by))
    if json:
        print(msgspec.json.encode(done).decode())
        return
    for name, rows in done.items():
        if rows:
            print(f"{name}: {rows}")
    print(f"{sum(done.values())} rows seen to.")


async def _apply(waggle: App, by: str | None) -> dict[str, int]:
    who = await acting(waggle, by, "privacy:manage")
    console = Console(stderr=True)
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True) as progress:
        line = progress.add_task("looking")
        done = await waggle.privacy.retention.apply(
            lambda table, rows: progress.update(line, description=f"{table}: {rows} rows")
        )
    entry = AuditEntry(
        at=waggle.clock.now(),
        actor=who,
        action="retention-applied",
        subject="retention",
        why="by hand",
        detail={name: str(rows) for name, rows in done.items() if rows},
    )
    await waggle.store.run(lambda tx: tx.audit.add(entry))
    return done
