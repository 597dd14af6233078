"""Run bpmnlint where Node is there; it installs itself as pinned."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from waggle.resources import shipped

_INSTALL_WITHIN_S: Final = 300
_LINT_WITHIN_S: Final = 120


def folder() -> Path:
    """Return where it is in a checkout; an installation from a wheel does not have it."""
    return shipped("bpmn").parent / "tools" / "lint"


def lint(files: Sequence[Path], home: Path) -> tuple[list[Mapping[str, Any]], str | None]:
    """Return what the bpmnlint in *home* says of *files*, and what was left out and why, if it could not be asked."""
    if not (home / "package-lock.json").exists():
        return [], "bpmnlint did not look at the diagrams: it comes with a checkout of Waggle, not with a package"
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return [], "bpmnlint did not look at the diagrams: Node is not installed"
    try:
        install(npm, home)
        done = subprocess.run(
            [node, home / "bpmnlint.js", *files], stdout=subprocess.PIPE, check=True, timeout=_LINT_WITHIN_S
        )
    except (subprocess.SubprocessError, OSError) as error:
        return [], f"bpmnlint did not look at the diagrams: {type(error).__name__} while it was started"
    found: list[Mapping[str, Any]] = json.loads(done.stdout)
    return found, None


def install(npm: str, home: Path) -> None:
    """Bring the packages of *home* to what is pinned there; of several processes one does it and the others wait."""
    installed, pinned = home / "node_modules" / ".package-lock.json", home / "package-lock.json"
    with alone_in(home):
        if not installed.exists() or installed.stat().st_mtime < pinned.stat().st_mtime:
            subprocess.run([npm, "ci", "--silent"], cwd=home, check=True, timeout=_INSTALL_WITHIN_S)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold a lock on *folder* itself, so that no file is needed for it."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)
