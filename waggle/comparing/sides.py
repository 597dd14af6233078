"""Where the two versions come from: files, folders, or a commit."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from waggle.errors import BadSettings

Side = Mapping[str, bytes]
"""Path, with `/` -> content."""

_COMPARED: Final = (".bpmn", ".dmn", ".form", ".toml", ".mjml", ".liquid", ".txt")
_PATIENCE_S: Final = 60
_USES: Final = (
    (rb'decisionId="([a-z0-9-]+)"', "decisions", ".dmn"),
    (rb'calledElement processId="([a-z0-9-]+)"', "pieces", ".bpmn"),
    (rb'formId="([a-z0-9-]+)"', "forms", ".form"),
)


def of_path(path: Path) -> Side:
    """Return one file under its name, or everything comparable below a folder.

    Raises:
        BadSettings: DIFF_MISSING.
    """
    if path.is_file():
        return {path.name: path.read_bytes()}
    if not path.is_dir():
        raise BadSettings("DIFF_MISSING", f"{path}: no such file or folder")
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in _files(path)}


def of_git(ref: str, folders: Mapping[str, Path]) -> Side:
    """Return what a commit holds of *folders* (name to compare by -> folder now).

    Raises:
        BadSettings: DIFF_REF_UNKNOWN, the folder belongs to no git repository or the commit is not there.
    """
    side: dict[str, bytes] = {}
    for name, folder in folders.items():
        listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", "--end-of-options", ref, ".").decode()
        for path in filter(None, listed.split("\0")):
            if path.endswith(_COMPARED):
                side[f"{name}/{path}"] = _git(folder, "show", f"{ref}:./{path}")
    return side


def of_folders(folders: Mapping[str, Path]) -> Side:
    """Return what *folders* hold now."""
    return {f"{name}/{path}": content for name, folder in folders.items() for path, content in of_path(folder).items()}


def _files(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name.endswith(_COMPARED) and not _is_hidden(file.relative_to(folder)):
            yield file


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "node_modules" for part in path.parts)


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments],  # noqa: S607 -- git is found on the PATH
            check=True,
            capture_output=True,
            timeout=_PATIENCE_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", b"") or str(error).encode()
        raise BadSettings("DIFF_REF_UNKNOWN", told.decode(errors="replace").strip()) from None
    return done.stdout


def about(side: Side, journey: str) -> Side:
    """Return of a whole shop what belongs to one journey: its diagram and settings, and what it asks and calls."""
    own = {
        f"bpmn/journeys/{journey}.bpmn",
        f"bpmn/pieces/{journey}.bpmn",
        f"bpmn/decisions/{journey}.dmn",
        f"config/journeys/{journey}.toml",
    }
    used = {
        f"bpmn/{folder}/{name.decode()}{ending}"
        for path in own & side.keys()
        for pattern, folder, ending in _USES
        for name in re.findall(pattern, side[path])
    }
    return {path: content for path, content in side.items() if path in own | used}
