"""`python -m waggle.testing.chaos`: break a real Waggle in every way, and see whether it kept its promises."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Self

from cyclopts import App as Commands
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from waggle.testing.chaos.driver import Wanted, run
from waggle.testing.chaos.report import record, show, write_json
from waggle.testing.chaos.rig import Database

app = Commands(name="python -m waggle.testing.chaos", version_flags=[])


@app.default
def chaos(  # noqa: PLR0913 -- each is an option of the command line
    *,
    kills: Annotated[int, Parameter(validator=Number(gte=1))] = 100,
    broker_kills: int | None = None,
    seed: int = 1,
    database: Database = "sqlite",
    points: bool = False,
    report: Path | None = None,
    keep: Path | None = None,
    record_in: Annotated[Path | None, Parameter(name="--record")] = None,
) -> int:
    """Let shoppers come to a real Waggle, kill its processes meanwhile, and compare promises with what arrived.

    Exit code 0 only if nothing was lost and nothing doubled, every mail in doubt is listed, no budget was exceeded and
    every crash point was reached.

    Example: `python -m waggle.testing.chaos --kills 200 --seed 7 --database postgresql --points --report chaos.json`

    Parameters
    ----------
    kills
        How many times a Python process, or the database if it is a server, is killed at a random moment.
    broker_kills
        How many times the engine's broker is killed in between; a twentieth of KILLS unless given.
    seed
        Draws who is killed when, and what shoppers do.
    database
        Which kind.
    points
        First have a process die once at every crash point.
    report
        File for the report as JSON.
    keep
        Folder for logs, history and arrivals; it is kept. A run that failed keeps them in any case.
    record_in
        Page of the documentation whose table of runs takes this one, if it was clean.
    """
    console = Console(stderr=True)
    folder = keep or Path(tempfile.mkdtemp(prefix="waggle-chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    wanted = Wanted(
        folder=folder.absolute(),
        database=database,
        seed=seed,
        kills=kills,
        broker_kills=kills // 20 if broker_kills is None else broker_kills,
        with_points=points,
        commit=_commit(),
    )
    with _Bar(console) as bar:
        found = asyncio.run(run(wanted, bar))
    if report is not None:
        write_json(found, report)
    if not found.is_clean:
        console.print(f"The plan was:\n{wanted.plan()}", markup=False)
        console.print(f"Logs, history and arrivals are kept in {folder}", markup=False)
    show(found, Console())
    if not found.is_clean:
        return 1
    if record_in is not None:
        record(found, record_in)
    if keep is None:
        shutil.rmtree(folder)
    return 0


class _Bar:
    """Shows how far a run is; on something that is no terminal one line for each phase."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description:30}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[last]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._bar.stop()

    def phase(self, name: str, total: int) -> None:
        """Begin a line."""
        if not self._console.is_terminal:
            self._console.print(f"{name}{f' ({total})' if total else ''}")
        self._task = self._bar.add_task(name, total=total or None, last="")

    def step(self, what: str) -> None:
        """Move it on."""
        if self._task is not None:
            self._bar.update(self._task, advance=1, last=what)


def _commit() -> str:
    """Return the commit of the checkout, marked if it was changed; empty where there is none."""
    git = shutil.which("git")
    if git is None:
        return ""
    here = Path(__file__).parent
    told = subprocess.run(
        [git, "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True, check=False
    )
    return told.stdout.strip()


if __name__ == "__main__":
    sys.exit(app())
