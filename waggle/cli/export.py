"""`waggle export`: what there is, as files for other programs."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.errors import BadSettings
from waggle.ports.bulk_reads import Dataset
from waggle.row_files import FileJournal, JsonLines, Parquet
from waggle.services.bulk_export import BulkExport, Day, Exported, record_export
from waggle.services.disclosure import disclosure_for


def export(  # noqa: PLR0913 -- the options are these
    dataset: Dataset,
    *,
    to: Path,
    since: datetime | None = None,
    until: datetime | None = None,
    form: Annotated[Literal["parquet", "jsonl"], Parameter(name="--format")] = "parquet",
    purpose: str = "",
    why: str = "",
    by: By = None,
    json: bool = False,
) -> None:
    """Write events, outcomes, messages or orders into a folder, a file to a day (UTC).

    Killed, the same command goes on where it was. Nothing personal is written unless --purpose declares it.

    Example: `waggle export events --to lake --since 2026-05-01`

    Parameters
    ----------
    dataset
        events: those applied. outcomes: how journeys, messages and coupons ended.
    to
        A folder; files are `<dataset>/day=<day>/<dataset>.parquet` in it.
    since
        The first day; without it, the oldest there is.
    until
        The day after the last; without it, today is written as far as it is.
    form
        Parquet needs the extra `waggle[parquet]`.
    purpose
        A `[disclosure.<purpose>]` of privacy.toml: its fields are written, of those who agree to it.
    why
        What the audit log keeps; needed with --purpose.
    by
        Who takes personal fields out; without it, who is logged in.
    json
        One JSON document for programs, in place of progress.
    """
    if purpose and not why:
        raise BadSettings("WHY_MISSING", "--purpose takes personal fields out of the house: say --why")
    rows = Parquet() if form == "parquet" else JsonLines()
    days = {"since": since.date() if since else None, "until": until.date() if until else None}

    async def write(waggle: App) -> Exported:
        disclosure = disclosure_for(waggle.settings.config_dir, purpose, "--purpose")
        if disclosure is not None:
            who = await acting(waggle, by, "privacy:manage")
            await record_export(waggle.store, dataset, purpose, who, why, waggle.clock.now())
        run = {"dataset": dataset, "format": form, "purpose": purpose} | {key: str(day) for key, day in days.items()}
        journal = FileJournal(to / dataset / ".unfinished.json", run)
        bulk = BulkExport(waggle.store, waggle.clock, rows, disclosure)
        with _shown(dataset, quiet=json) as shown:
            return await bulk.run(dataset, to, journal, since=days["since"], until=days["until"], tell=shown.told)

    done = with_app(write)
    if json:
        print(msgspec.json.encode(done).decode())
    else:
        known = f", {done.known_days} days were there from an earlier try" if done.known_days else ""
        print(f"{done.rows} {dataset} of {done.days} days in {done.files} files under {to / dataset}{known}.")


class _shown:  # noqa: N801 -- used as a context, like a function
    """Shows on a terminal how far a run is."""

    def __init__(self, dataset: str, *, quiet: bool) -> None:
        console = Console(stderr=True)
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)
        self._task = self._progress.add_task(f"Writing {dataset}")
        self._rows = 0
        self._dataset = dataset

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._progress.stop()

    def told(self, day: Day) -> None:
        self._rows += day.rows
        self._progress.update(self._task, description=f"{self._dataset} until {day.day}: {self._rows:,} rows")
