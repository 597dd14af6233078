"""Fetch an artefact by its Maven coordinate."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from waggle.engine.local.artefacts import Artefact

_SILENCE_LIMIT_S = 30


def download(artefact: Artefact, folder: Path, arrived: Callable[[int], None]) -> Path:
    """Bring *artefact* into *folder*, telling *arrived* the size of each piece, and return the file.

    Raises:
        OSError: the network failed.
        RuntimeError: the repository has no such artefact.
    """
    # It takes 0.2 s to load and is needed once in the life of a machine.
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415

    @contextmanager
    def counting(_filename: str, _total_bytes: int) -> Iterator[Callable[[int], None]]:
        yield arrived

    context = MavenContext(
        resolver=PythonResolver(progress_callback=counting), repo_cache=folder, timeout=_SILENCE_LIMIT_S
    )
    component = context.project(artefact.group, artefact.name).at_version(artefact.version)
    return Path(component.artifact(packaging=artefact.packaging).resolve())
