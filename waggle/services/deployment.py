"""Hand the diagrams to the engine, if nothing speaks against it."""

from collections.abc import Collection
from pathlib import Path

from waggle.errors import PermanentFailure
from waggle.ports.journey_engine import Deployed, JourneyEngine
from waggle.services.diagrams import read_diagram


def files_in(bpmn_dir: Path) -> list[Path]:
    """Return every diagram, decision and form, in a steady order."""
    return sorted(
        [*bpmn_dir.glob("journeys/*.bpmn"), *bpmn_dir.glob("decisions/*.dmn"), *bpmn_dir.glob("forms/*.form")]
    )


def refuse_unworkable(files: Collection[Path], task_types: Collection[str]) -> None:
    """Refuse diagrams whose journeys would stand still for ever.

    Raises:
        PermanentFailure: TASK_TYPE_UNKNOWN, naming file, element and the known types.
    """
    for file in files:
        if file.suffix != ".bpmn":
            continue
        for node in read_diagram(file).nodes.values():
            if node.task_type is not None and node.task_type not in task_types:
                raise PermanentFailure(
                    "TASK_TYPE_UNKNOWN",
                    f"{file}: {node.id} ({node.name!r}) is of task type {node.task_type!r}, which no worker answers: "
                    f"its journeys would wait there for ever. Use one of {', '.join(sorted(task_types))}, "
                    f"or add workers/{node.task_type.replace('-', '_')}.py",
                )


async def deploy_all(engine: JourneyEngine, bpmn_dir: Path, task_types: Collection[str]) -> list[Deployed]:
    """Deploy everything in *bpmn_dir* in one request: all or nothing.

    Raises:
        PermanentFailure: TASK_TYPE_UNKNOWN or DIAGRAM_REFUSED; nothing was deployed.
        TemporaryFailure: the engine cannot be reached.
    """
    files = files_in(bpmn_dir)
    refuse_unworkable(files, task_types)
    return await engine.deploy(files)
