"""`waggle templates`: the ready-made steps that Modeler offers."""

from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from waggle.element_templates import (
    element_templates,
    links,
    missing_templates,
    plan,
    read_folder,
    read_project,
    templates_in_use,
    tied,
)
from waggle.errors import PermanentFailure
from waggle.registry import find_tasks
from waggle.resources import shipped
from waggle.settings import Settings, load_settings

FOLDER = Path(".camunda/element-templates")


def templates(
    *,
    check: Annotated[bool, Parameter(negative=())] = False,
    link: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Write the ready-made steps for Camunda Modeler anew.

    They are made of the task types, pieces, decisions and engine messages that
    are here, and lie in .camunda/element-templates beside the diagrams, where
    Modeler finds them by itself. Run it after a message, a coupon campaign, a
    decision, a piece or a task type was added.

    Example: `waggle templates`

    Parameters
    ----------
    check
        Write nothing; fail if something would be written.
    link
        Also tie elements of the diagrams that were drawn without a step to the
        one that says the same, so that Modeler shows its fields.
    json
        One JSON document for programs.
    """
    settings = load_settings()
    folder = templates_folder(settings)
    found, used = read_folder(folder), templates_in_use(settings.bpmn_dir)
    wanted = element_templates(find_tasks().values(), read_project(settings.bpmn_dir, settings.config_dir))
    planned = plan(wanted, found, used)
    lost = missing_templates(used, [*found.values(), *(msgspec.json.decode(text) for text in planned.write.values())])
    tied_to = {}
    if not check:
        planned.carry_out(folder)
        tied_to = _link(settings.bpmn_dir, folder) if link else {}
    if json:
        told = {"folder": str(folder), "changes": planned.changes, "lost": lost, "tied": tied_to}
        print(msgspec.json.encode(told, enc_hook=str).decode())
    else:
        console = Console()
        table = Table("step", "version", "what", box=None, pad_edge=False)
        for change in planned.changes:
            table.add_row(change.template, str(change.version), change.kind)
        if planned.changes:
            console.print(table)
        for each in lost:
            step = f"{each.template} {each.version}"
            console.print(Text(f"{each.file.name}: {each.element} uses {step}, which is not there: choose it anew"))
        for file, count in tied_to.items():
            console.print(Text(f"{file}: {count} elements tied to their steps"), soft_wrap=True)
        console.print(Text(f"{len(wanted)} steps, {len(planned.changes)} changes, in {folder}"), soft_wrap=True)
    if check and (planned.write or planned.delete):
        raise PermanentFailure("TEMPLATES_STALE", "run `waggle templates`, so that Modeler offers what is there")


def _link(bpmn_dir: Path, folder: Path) -> dict[str, int]:
    """Tie what can be tied; return how many elements of each file were."""
    known = [content for name, content in read_folder(folder).items() if "/" not in name]
    found = {}
    for file in sorted(bpmn_dir.rglob("*.bpmn")):
        if wanted := links(file, known):
            file.write_bytes(tied(file.read_bytes().decode(), wanted).encode())
            found[file.name] = len(wanted)
    return found


def templates_folder(settings: Settings) -> Path:
    """Return where Modeler looks from the diagrams: beside them, or here if they came with Waggle."""
    own = settings.bpmn_dir.parent / FOLDER
    return FOLDER.absolute() if settings.bpmn_dir == shipped("bpmn") and own.parts[-4] == "_shipped" else own
