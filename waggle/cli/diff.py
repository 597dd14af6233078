"""`waggle diff`: what changed between two versions."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from waggle.app import App
from waggle.cli.with_app import with_app
from waggle.comparing import (
    FileComparison,
    Side,
    about,
    compare_files,
    is_diagram,
    of_folders,
    of_git,
    of_path,
    page,
)
from waggle.comparing import picture as drawn
from waggle.errors import BadSettings
from waggle.ports.unit_of_work import Transaction
from waggle.settings import Settings, load_settings

_ENDINGS = (".bpmn", ".dmn", ".form")
_COLOURS = {"added": "green", "removed": "red", "changed": "yellow", "moved": "dim"}
_SIGNS = {"added": "+", "removed": "-", "changed": "~", "moved": " "}


def diff(
    *what: str,
    git: str | None = None,
    picture: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Tell what changed between two versions of journeys, by element.

    Example: `waggle diff --git HEAD~1 abandoned-cart --picture changes.html`

    Parameters
    ----------
    what
        OLD and NEW: files, folders, or deployed versions such as
        abandoned-cart@1.0.0 (abandoned-cart alone is the diagram as it is now).
        With --git: names of journeys, or none for all that changed.
    git
        Compare with this commit, or two commits: v1..v2.
    picture
        Draw it: FILE.svg one diagram, old above new; FILE.html a page with
        all of them side by side.
    json
        One JSON document for programs.
    """
    old, new, titles = _sides(what, git)
    found = compare_files(old, new)
    if json:
        listed = [{"file": each.name, "differences": each.differences} for each in found]
        print(msgspec.json.encode(listed).decode())
    else:
        _print(found)
    if picture is not None:
        picture.write_text(_picture(found, titles, picture), encoding="utf-8")


def _sides(what: Sequence[str], git: str | None) -> tuple[Side, Side, tuple[str, str]]:
    """Return the two sides and what to call them."""
    if git is not None:
        return _commits(what, git, load_settings())
    if len(what) != 2:  # noqa: PLR2004 -- old and new
        raise BadSettings("DIFF_SIDES", "name the old and the new: waggle diff OLD NEW, or waggle diff --git HEAD")
    old, new = what
    return _side(old), _side(new), (old, new)


def _side(named: str) -> Side:
    """Return a file, a folder, a deployed version (abandoned-cart@1.0.0), or the diagram of that name as it is now."""
    if Path(named).exists():
        return of_path(Path(named))
    name, at, version = named.partition("@")
    if at:
        return with_app(lambda waggle: _deployed(waggle, name, version))
    found = sorted(load_settings().bpmn_dir.rglob(f"{name}.bpmn"))
    return of_path(found[0] if found else Path(named))


async def _deployed(waggle: App, name: str, version: str) -> Side:
    """Return one file as it was deployed; *version* is its tag or the engine's number."""

    def look(tx: Transaction) -> Side:
        files = [each for ending in _ENDINGS for each in tx.versions.of_file(f"{name}{ending}")]
        meant = [each for each in files if version in {each.file.version_tag, str(each.file.version)}]
        if not meant:
            known = ", ".join(sorted({each.file.version_tag or str(each.file.version) for each in files})) or "none"
            raise BadSettings("VERSION_UNKNOWN", f"{name} was not deployed as {version}; deployed: {known}")
        file = max(meant, key=lambda each: each.deployment.deployment_id).file
        return {file.file: tx.versions.content(file.sha256) or b""}

    return await waggle.store.read(look)


def _commits(journeys: Sequence[str], git: str, settings: Settings) -> tuple[Side, Side, tuple[str, str]]:
    folders = {"bpmn": settings.bpmn_dir, "config": settings.config_dir}
    first, _, second = git.partition("..")
    old, new = of_git(first, folders), of_git(second, folders) if second else of_folders(folders)
    for journey in journeys:
        if not (about(old, journey) or about(new, journey)):
            raise BadSettings("JOURNEY_UNKNOWN", f"neither version has {journey}")
    if journeys:
        old, new = ({path: side[path] for each in journeys for path in about(side, each)} for side in (old, new))
    return old, new, (first, second or "now")


def _print(found: Sequence[FileComparison]) -> None:
    console = Console(highlight=False)
    if not found:
        console.print("Nothing changed.")
    for each in found:
        console.print(Text(each.name, "bold"), soft_wrap=True)
        for difference in each.differences:
            line = f"  {_SIGNS[difference.kind]} {difference.text}"
            console.print(Text(line, _COLOURS[difference.kind]), soft_wrap=True)


def _picture(found: Sequence[FileComparison], titles: tuple[str, str], file: Path) -> str:
    if file.suffix == ".html":
        return page(found, *titles)
    if file.suffix != ".svg":
        raise BadSettings("DIFF_PICTURE", f"{file}: a picture is a .svg or .html file")
    diagrams = [each for each in found if is_diagram(each)]
    if len(diagrams) != 1:
        raise BadSettings("DIFF_PICTURE", f"{len(diagrams)} diagrams changed; an .svg shows one, an .html page all")
    return drawn(diagrams[0])
