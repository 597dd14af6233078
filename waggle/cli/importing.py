"""`waggle import`: a file of customers, products, orders, consents or events."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.errors import BadSettings
from waggle.log import configure
from waggle.services.importing import ImportOrder, ImportState, Kind
from waggle.services.record_file import FileForm

_INTERRUPTED = 130


def import_(  # noqa: PLR0913 -- each is an option of the command line
    kind: Kind,
    file: Path,
    /,
    *,
    source: str,
    mapping: str = "",
    form: Annotated[Literal["csv", "jsonl"] | None, Parameter(name="--format")] = None,
    delimiter: str = ",",
    quote: str = '"',
    encoding: str = "utf-8",
    errors: Path | None = None,
    dry_run: bool = False,
    json: bool = False,
    by: By = None,
) -> int:
    """Take in a file; begun again after an interruption, it goes on where it was.

    Each line is an event once and for ever: to take in the same file twice changes nothing.

    Example: `waggle import orders bookings.csv --source bank --mapping accounting-payments --delimiter ";" --dry-run`

    Parameters
    ----------
    kind
        customers, products, orders, consents, or events (of any kind; without a mapping each line is an envelope).
    file
        CSV, its first line naming the columns, or JSON lines.
    source
        The system that the file is of; its events are told apart from those of others by that name.
    mapping
        Names a file in config/mappings that says what the fields mean.
    form
        csv or jsonl; else what the file's name ends with.
    delimiter
        Between the fields of CSV.
    quote
        Around fields of CSV that hold a delimiter or a line end.
    encoding
        Such as utf-8 (a byte order mark is passed over), cp1250 or latin-1.
    errors
        Where to write the lines that are refused, each with its reason; only you can read it.
    dry_run
        Say what would happen, and change nothing.
    json
        The outcome as one JSON document for programs.
    by
        Who imports; without it, who is logged in.
    """
    if not file.is_file():
        raise BadSettings("FILE_MISSING", f"{file} {'is no file' if file.exists() else 'is not there'}")

    async def take(waggle: App) -> ImportState:
        # A line of log for each refused line of the file would say less than the error file.
        configure(waggle.settings.log.form, "error")
        written = FileForm(
            kind=form or ("jsonl" if file.suffix in {".jsonl", ".ndjson"} else "csv"),
            encoding=encoding,
            delimiter=delimiter,
            quote=quote,
        )
        order = ImportOrder(
            kind=kind,
            path=file,
            form=written,
            source=source,
            mapping=waggle.sections.mapping(_known(waggle, mapping)) if mapping else None,
            mapping_text=_text(waggle, mapping),
            errors=errors,
            dry_run=dry_run,
            by=await acting(waggle, by, "events:manage"),
        )
        return await _run(waggle, order, quiet=json)

    state = with_app(take)
    _say(state, dry_run=dry_run, json=json)
    if not state.finished:
        return _INTERRUPTED
    return 0 if not state.refused else 1


def _known(waggle: App, mapping: str) -> str:
    folder = waggle.settings.config_dir / "mappings"
    names = sorted(file.stem for file in folder.glob("*.toml"))
    if mapping not in names:
        raise BadSettings("MAPPING_UNKNOWN", f"there is no {folder / mapping}.toml; there are: {', '.join(names)}")
    return mapping


def _text(waggle: App, mapping: str) -> str:
    if not mapping:
        return ""
    return (waggle.settings.config_dir / "mappings" / f"{mapping}.toml").read_text(encoding="utf-8")


async def _run(waggle: App, order: ImportOrder, *, quiet: bool) -> ImportState:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[lines]} lines, {task.fields[rate]}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bars:
        bar = bars.add_task(order.path.name, total=None, lines=0, rate=0)
        began_s = loop.time()

        def tell(state: ImportState) -> None:
            rate = int((state.lines - state.resumed_from_line) / max(loop.time() - began_s, 1e-3))
            bars.update(bar, total=state.size_bytes, completed=state.position_bytes, lines=state.lines, rate=rate)

        return await waggle.sources.importing.run(order, stop, tell)


def _say(state: ImportState, *, dry_run: bool, json: bool) -> None:
    if json:
        import msgspec

        print(msgspec.json.encode(state).decode())
        return
    would = "would be " if dry_run else ""
    if state.done_before:
        print("This file was taken in before, with this mapping; nothing was done.")
    if state.resumed_from_line and not state.done_before:
        print(f"Gone on behind line {state.resumed_from_line}.")
    print(
        f"{state.lines} lines read: {state.accepted} events {would}accepted, {state.duplicates} known already, "
        f"{state.refused} lines {would}refused."
    )
    for code, count in sorted(state.reasons.items()):
        print(f"  {code}: {count}")
    if not state.finished:
        print("Stopped on request; the same command goes on from here.")
