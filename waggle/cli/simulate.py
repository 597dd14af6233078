"""`waggle simulate`: play scenarios of a journey on a real engine whose clock is moved."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from waggle.errors import BadSettings


def simulate(  # noqa: PLR0913 -- each is one thing to choose
    journey: str | None = None,
    /,
    *,
    scenario: str | None = None,
    all: bool = False,  # noqa: A002 -- the name of the flag
    json: bool = False,
    pictures: Path | None = None,
    settings: Annotated[list[str] | None, Parameter(negative="")] = None,
    bpmn: Path | None = None,
    config: Path | None = None,
    keep_engine: Annotated[bool, Parameter(negative="")] = False,
    engines: int | None = None,
) -> int:
    """Play a journey's scenarios on a real engine whose clock is moved, with real workers and a throw-away database.

    Nothing leaves this machine: mails go to a mail server of the simulation's own. The exit code is 1 if a scenario
    ends otherwise than its file expects; with --all also if a node or flow is reached by none and not explained.

    Example: `waggle simulate abandoned-cart --scenario no-answer --pictures pictures`

    Parameters
    ----------
    journey
        Process id; without --scenario all its scenarios are played.
    scenario
        Name of one in `bpmn/scenarios/<journey>/`, or a file.
    all
        Play every scenario of every journey, and show what none reaches.
    json
        One JSON document for programs.
    pictures
        Write into this folder one SVG for each scenario and diagram, with the path marked.
    settings
        KEY=VALUE in place of what the journey's file says, such as cart_idle=PT2H; or of another part, such as
        entry.holdout_percent=50 or policy.cap_messages=0.
    bpmn
        Folder of the diagrams; left out: the one in force.
    config
        Folder of the settings and messages; left out: the one in force.
    keep_engine
        Leave the engine up, so that the next simulation begins at once; one without this flag uses it and leaves it up.
    engines
        How many engines to play on at once; left out: one, and with --all two.
    """
    if all == (journey is not None):
        raise BadSettings("SIMULATE_WHAT", "name one journey, or say --all")
    if all and scenario is not None:
        raise BadSettings("SIMULATE_WHAT", "--scenario goes with a journey, not with --all")
    if engines is not None and engines < 1:
        raise BadSettings("SIMULATE_WHAT", "--engines: at least 1")
    # Only now: what plays takes longer to import than a help text may take.
    from waggle.cli.simulating import played

    return played(
        journey,
        scenario,
        overrides=settings or [],
        bpmn=bpmn,
        config=config,
        json=json,
        pictures=pictures,
        count=engines or (2 if all else 1),
        keep=keep_engine,
    )
