"""`waggle deploy`: hand the diagrams to the engine."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.errors import Rejected
from waggle.log import configure
from waggle.ports.journey_engine import Deployed
from waggle.reaching import engine_answers, engine_client
from waggle.services.bundles import Bundle, read_bundle
from waggle.services.deployment import refuse_wrong
from waggle.services.versions import Change, Plan, RunningOn

_STYLES = {"new": "green", "changed": "yellow", "unchanged": "dim", "gone": "red"}


@dataclass(frozen=True, slots=True)
class Told:
    """The JSON document."""

    bundle: str
    environment: str
    changes: list[Change]
    problems: list[str]
    deployed: list[Deployed] = field(default_factory=list)
    """Empty in a dry run."""


def deploy(
    *, dry_run: bool = False, same_tag: bool = False, at_start: bool = False, json: bool = False, by: By = None
) -> int:
    """Check all diagrams, decisions and forms and deploy them in one request.

    First it says what changes: for each file, for new journeys and for those that run, which stay on their version.
    Nothing is deployed if anything is wrong with one of them; the list says what, where and how to mend it. A file
    that changed needs a new version tag.

    Example: `waggle deploy --dry-run`

    Parameters
    ----------
    dry_run
        Say what would change and deploy nothing; the engine is not asked.
    same_tag
        In development: deploy a file that changed although its version tag did not.
    at_start
        As `waggle up` does and a container that comes up: no version tag stops it, and what was rolled back stays so.
    json
        One JSON document for programs.
    by
        Who deploys; without it, who is logged in.
    """

    async def work(waggle: App) -> Told:
        settings = waggle.settings
        configure(settings.log.form, "warning")
        # Before anything is asked: what is wrong can be told without an engine.
        await asyncio.to_thread(refuse_wrong, settings.bpmn_dir, settings.config_dir, waggle.tasks)
        bundle = await asyncio.to_thread(read_bundle, settings.bpmn_dir)
        if dry_run:
            return _told(waggle, bundle, await waggle.deploying.plan(bundle), [])
        if at_start:
            return await _at_start(waggle, bundle)
        who = await acting(waggle, by, "journeys:manage")
        plan = await waggle.deploying.plan(bundle)
        if plan.problems and not same_tag:
            refusal = "nothing was deployed:\n" + "\n".join(plan.problems)
            raise Rejected("VERSION_TAG_REUSED", f"{refusal}\n(--same-tag deploys it all the same, in development)")
        address, _ = await engine_answers(waggle)
        async with engine_client(waggle, address) as engine:
            deployed = await waggle.deploying.deploy(engine, bundle, by=who, same_tag=same_tag)
        return _told(waggle, bundle, plan, deployed)

    told = with_app(work)
    if json:
        print(msgspec.json.encode(told).decode())
    else:
        show(told.changes, told.deployed, dry=dry_run)
    return int(dry_run and bool(told.problems))


def show(changes: Sequence[Change], deployed: Sequence[Deployed], *, dry: bool) -> None:
    """Print what changes, and the versions that the engine gave."""
    console = Console()
    versions = {each.name: each.version for each in deployed}
    table = Table(box=None, pad_edge=False, show_header=False)
    for change in changes:
        table.add_row(Text(change.state, _STYLES[change.state]), Text(_said(change, versions), overflow="fold"))
    console.print(table, highlight=False)
    problems = [change for change in changes if change.problem]
    if dry:
        would = "would be refused" if problems else "would be deployed"
        console.print(f"{_counted(changes)}: {would}. Nothing was deployed.", highlight=False)
    else:
        console.print(f"{_counted(changes)}: deployed.", highlight=False)


def _said(change: Change, versions: dict[str, int]) -> str:
    tags = change.tag or "no version tag"
    if change.tag_before is not None and change.tag_before != change.tag:
        tags = f"{change.tag_before or 'no version tag'} -> {change.tag or '-'}"
    lines = [f"{change.title} ({change.file}) {tags}"]
    version = versions.get(change.name)
    if version is not None:
        lines[0] += f", version {version}"
    if change.elements is not None:
        for word in ("added", "removed", "changed"):
            found: tuple[str, ...] = getattr(change.elements, word)
            if found:
                lines.append(f"  {word}: {', '.join(found)}")
    if change.state in {"changed", "gone"} and change.running:
        stay = ", ".join(_standing(each) for each in change.running)
        lines.append(f"  running: {stay}; they stay there (`waggle migrate {change.name}` moves them)")
    lines += [f"  {text}" for text in (change.problem, change.note) if text]
    return "\n".join(lines)


def _standing(running: RunningOn) -> str:
    where = "not begun, or of unknown version" if running.version is None else f"on version {running.version}"
    return f"{running.count} {where}"


def _counted(changes: Sequence[Change]) -> str:
    counts = {state: sum(change.state == state for change in changes) for state in _STYLES}
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count)


async def _at_start(waggle: App, bundle: Bundle) -> Told:
    plan = await waggle.deploying.plan(bundle)
    address, _ = await engine_answers(waggle)
    async with engine_client(waggle, address) as engine:
        deployed = await waggle.deploying.at_start(engine, waggle.settings.bpmn_dir, by="waggle")
    return _told(waggle, bundle, plan, deployed)


def _told(waggle: App, bundle: Bundle, plan: Plan, deployed: list[Deployed]) -> Told:
    return Told(bundle.sha256, waggle.settings.deployment.environment, plan.changes, plan.problems, deployed)
