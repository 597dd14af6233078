"""`waggle check`: what is wrong with diagrams, decisions and what stands beside them, in words."""

import json as jsonlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from waggle.cli.bpmnlint import folder, lint
from waggle.errors import BadSettings
from waggle.registry import find_tasks
from waggle.services.bpmnlint_words import in_words
from waggle.services.check_reports import as_json, junit, sarif
from waggle.services.checks_listed import demands
from waggle.services.diagram_checks import check_diagrams
from waggle.services.findings import Finding
from waggle.settings import load_settings


@dataclass(frozen=True, slots=True)
class Checked:
    """What one check looked at and found."""

    files: tuple[Path, ...]
    findings: tuple[Finding, ...]
    left_out: tuple[str, ...]
    """What was not looked at, and why."""


def check(
    *files: Path,
    json: bool = False,
    sarif_file: Annotated[Path | None, Parameter(name="--sarif")] = None,
    junit_file: Annotated[Path | None, Parameter(name="--junit")] = None,
) -> int:
    """Look for mistakes in journeys, all they are made of, and all settings; the exit code is 1 if there are any.

    Each finding says which element it is about, what happens if it is ignored, and how to mend it. The list of all
    rules is docs/checks.md. Nothing runs and nothing is deployed. Without Node, what only bpmnlint finds is left out,
    and that is said.

    Example: `waggle check bpmn/journeys/abandoned-cart.bpmn`

    Parameters
    ----------
    files
        Tell of these alone; a diagram or decision from another folder is looked at as if it stood in bpmn/. All files,
        if none is named.
    json
        One JSON document for programs.
    sarif_file
        Also write the findings there as SARIF 2.1.0, which build servers show beside the code.
    junit_file
        Also write them there as a JUnit report.
    """
    settings = load_settings()
    checked = examine(settings.bpmn_dir, settings.config_dir, files)
    return report(checked, json=json, sarif_file=sarif_file, junit_file=junit_file)


def examine(bpmn_dir: Path, config_dir: Path, files: Sequence[Path] = ()) -> Checked:
    """Check *files*, or everything in *bpmn_dir* and *config_dir*.

    Raises:
        BadSettings: FILE_MISSING; or the catalogue or a file of settings cannot be read.
    """
    chosen = [file.resolve() for file in files]
    for file in chosen:
        if not file.exists():
            raise BadSettings("FILE_MISSING", f"{file} is not there")
    elsewhere = [file for file in chosen if not file.is_relative_to(bpmn_dir.resolve())]
    drafts = [file for file in elsewhere if file.suffix in (".bpmn", ".dmn", ".form")]
    found = check_diagrams(bpmn_dir, config_dir, find_tasks(), drafts)
    own = (file for folder in (bpmn_dir, config_dir) for file in folder.rglob("*") if file.is_file())
    looked_at = sorted({*own, *drafts})
    if chosen:
        looked_at = [file for file in looked_at if _is_meant(file, chosen)]
        found = [finding for finding in found if _is_meant(finding.file, chosen)]
    linted, left_out = lint([file for file in looked_at if file.suffix == ".bpmn"], folder())
    found += in_words(linted, found)
    return Checked(
        files=tuple(looked_at),
        findings=tuple(sorted(found, key=lambda finding: (finding.file, finding.element, finding.problem))),
        left_out=(left_out,) if left_out is not None else (),
    )


def report(
    checked: Checked, *, json: bool = False, sarif_file: Path | None = None, junit_file: Path | None = None
) -> int:
    """Tell what was found; return the exit code."""
    here = Path.cwd()
    if sarif_file is not None:
        log = sarif(checked.findings, demands(), here, checked.left_out)
        sarif_file.write_text(jsonlib.dumps(log, indent=2) + "\n", encoding="utf-8")
    if junit_file is not None:
        junit_file.write_text(junit(checked.findings, checked.files, here), encoding="utf-8")
    if json:
        told = {"findings": [as_json(each, here) for each in checked.findings], "left_out": checked.left_out}
        print(jsonlib.dumps(told, indent=2))
    else:
        _show(checked, here)
    return int(bool(checked.findings))


def _show(checked: Checked, here: Path) -> None:
    console = Console(highlight=False)
    for file, found in groupby(checked.findings, key=lambda finding: finding.file):
        console.print(Text(str(file.relative_to(here) if file.is_relative_to(here) else file), "bold"), soft_wrap=True)
        for finding in found:
            console.print(Padding(_told(finding), (0, 0, 1, 2)))
    for left_out in checked.left_out:
        console.print(Text(left_out, "yellow"))
    count = len(checked.findings)
    looked_at = f"{len(checked.files)} {'file' if len(checked.files) == 1 else 'files'} looked at: "
    if count:
        console.print(Text(f"{looked_at}{count} to mend", "bold red"))
    else:
        console.print(Text(f"{looked_at}all is well", "bold green"))


def _told(finding: Finding) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    called = ((f'"{finding.name}" ', "bold"), (finding.element, "cyan"))
    table.add_row("element", Text.assemble(*called[0 if finding.name else 1 :]))
    table.add_row("problem", Text(finding.problem, "red"))
    table.add_row("if ignored", Text(finding.consequence))
    table.add_row("mend", Text(finding.mend, "green"))
    table.add_row("rule", Text(finding.rule, "dim"))
    return table


def _is_meant(file: Path, chosen: Sequence[Path]) -> bool:
    return any(file.resolve() == each or file.resolve().is_relative_to(each) for each in chosen)
