"""Hand the diagrams to the engine, if nothing speaks against it."""

from collections.abc import Mapping
from pathlib import Path

import stamina

from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.ports.journey_engine import Deployed, JourneyEngine
from waggle.services.diagram_checks import check_diagrams
from waggle.services.diagram_rules import TaskType

_PATIENCE_S = 60.0


def files_in(bpmn_dir: Path) -> list[Path]:
    """Return every diagram, decision and form, in a steady order."""
    return sorted(
        [*bpmn_dir.glob("journeys/*.bpmn"), *bpmn_dir.glob("decisions/*.dmn"), *bpmn_dir.glob("forms/*.form")]
    )


def refuse_wrong(bpmn_dir: Path, config_dir: Path, tasks: Mapping[str, TaskType]) -> None:
    """Return if nothing speaks against deploying *bpmn_dir*.

    Raises:
        PermanentFailure: DIAGRAMS_WRONG, with every finding.
    """
    findings = check_diagrams(bpmn_dir, config_dir, tasks)
    if findings:
        listed = "\n".join(str(finding) for finding in findings)
        raise PermanentFailure("DIAGRAMS_WRONG", f"nothing was deployed, since journeys would fail:\n{listed}")


async def deploy_all(
    engine: JourneyEngine, bpmn_dir: Path, config_dir: Path, tasks: Mapping[str, TaskType]
) -> list[Deployed]:
    """Check everything in *bpmn_dir* and deploy it in one request: all or nothing.

    Raises:
        PermanentFailure: DIAGRAMS_WRONG, with every finding, or DIAGRAM_REFUSED by the engine; nothing was deployed.
        TemporaryFailure: the engine could not be reached for a minute.
    """
    refuse_wrong(bpmn_dir, config_dir, tasks)
    files = files_in(bpmn_dir)
    # A young engine may take its time over the first request, and deploying the same bytes again changes nothing.
    async for attempt in stamina.retry_context(on=TemporaryFailure, attempts=None, timeout=_PATIENCE_S):
        with attempt:
            return await engine.deploy(files)
    raise AssertionError("unreachable")
