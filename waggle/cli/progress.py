"""Show long work on a terminal: a bar with size and speed for what is fetched, a line for the rest."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, SpinnerColumn, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars


class Shown:
    """Implements waggle.engine.local.progress.Progress."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
        )
        self._bars = Bars(*columns, console=console, transient=True)
        self._plain = Bars(SpinnerColumn(), TextColumn("{task.description}"), console=console, transient=True)
        self._shown: Bars | None = None

    def began(self, what: str, total_bytes: int | None = None) -> None:
        """Show *what* in place of what was shown before."""
        self.ended()
        if not self._console.is_terminal:
            self._console.print(what, "...", soft_wrap=True)
            return
        self._shown = self._plain if total_bytes is None else self._bars
        self._shown.add_task(what, total=total_bytes)
        self._shown.start()

    def advanced(self, size_bytes: int) -> None:
        """Move the bar on."""
        if self._shown is not None:
            self._shown.advance(self._shown.task_ids[-1], size_bytes)

    def ended(self) -> None:
        """Clear the line."""
        if self._shown is not None:
            self._shown.stop()
            for task in self._shown.task_ids:
                self._shown.remove_task(task)
            self._shown = None


@contextmanager
def shown(console: Console) -> Iterator[Shown]:
    """Give a progress that clears up after itself, also after an error."""
    progress = Shown(console)
    try:
        yield progress
    finally:
        progress.ended()
