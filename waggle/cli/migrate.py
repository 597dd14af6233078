"""`waggle migrate`: move running journeys to another version."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.errors import BadSettings
from waggle.log import configure
from waggle.ports.versions import Move
from waggle.reaching import engine_answers, engine_client
from waggle.services.migrating import ElementMapping, Migration, read_mapping_file


def migrate(  # noqa: PLR0913 -- each is an option of its own
    journey: str,
    *,
    to: Annotated[int | None, Parameter(name="--to")] = None,
    mapping: Path | None = None,
    dry_run: bool = False,
    yes: bool = False,
    json: bool = False,
    by: By = None,
) -> int:
    """Move the running instances of a journey to its newest version, or to the one given.

    First it shows what becomes of each element. An instance that stands at an element which is not mapped is refused by
    the engine and goes on where it is; the others move. The same command again moves what is left.

    Example: `waggle migrate win-back --dry-run`

    Parameters
    ----------
    journey
        Its process id.
    to
        The engine's number of a version, as `waggle journeys` shows it; the newest without.
    mapping
        A file that says what becomes of elements: Task_Old = "Task_New", one a line.
    dry_run
        Show it and move nothing.
    yes
        Do not ask whether to go on.
    json
        One JSON document for programs; needs --dry-run or --yes.
    by
        Who decides it; without it, who is logged in.
    """
    if mapping is not None and not mapping.is_file():
        raise BadSettings("FILE_MISSING", f"--mapping: {mapping} is not there")
    given = {} if mapping is None else read_mapping_file(mapping)
    console = Console()

    async def work(waggle: App) -> tuple[Migration, list[Move]]:
        configure(waggle.settings.log.form, "warning")
        who = await acting(waggle, by, "journeys:manage")
        migration = await waggle.migrating.plan(journey, to, given)
        if not json:
            _show(console, migration)
        if dry_run or not migration.instances or not (yes or _agreed()):
            return migration, []
        address, _ = await engine_answers(waggle)
        moves: list[Move] = []
        async with engine_client(waggle, address) as engine:
            async for batch in waggle.migrating.move(engine, migration, by=who):
                moves += batch
                if not json:
                    _tell(console, batch, len(moves), migration.instances)
        return migration, moves

    if json and not (dry_run or yes):
        raise BadSettings("ANSWER_MISSING", "--json cannot ask: add --dry-run or --yes")
    migration, moves = with_app(work)
    if json:
        print(msgspec.json.encode({"migration": migration, "moves": moves}).decode())
    elif moves:
        counts = Counter(move.state for move in moves)
        console.print(", ".join(f"{count} {state}" for state, count in sorted(counts.items())), highlight=False)
    return int(any(move.state == "refused" for move in moves))


def _show(console: Console, migration: Migration) -> None:
    tag = f" ({migration.version_tag})" if migration.version_tag else ""
    if not migration.instances:
        console.print(f"Nobody runs elsewhere than on version {migration.to_version}{tag}.", highlight=False)
        return
    for mapping in migration.mappings:
        source = "an unknown version" if mapping.from_version is None else f"version {mapping.from_version}"
        console.print(
            f"{mapping.instances} from {source} to version {migration.to_version}{tag}", style="bold", highlight=False
        )
        console.print(Text(_mapping(mapping), overflow="fold"), highlight=False)


def _mapping(mapping: ElementMapping) -> str:
    lines = [f"  {len(mapping.same)} elements stay as they are"]
    lines += [f"  {source} -> {target}  (given)" for source, target in mapping.given.items()]
    lines += [f"  {source} -> {target}  (proposed: it looks like it)" for source, target in mapping.proposed.items()]
    lines += [f"  new: {each}" for each in mapping.added]
    lines += [
        f"  removed: {each}: who stands there is refused; --mapping says where to go on" for each in mapping.unmapped
    ]
    return "\n".join(lines)


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise BadSettings("ANSWER_MISSING", "nobody is there to be asked: add --yes")
    return input("Move them? [y/N] ").strip().lower() in {"y", "yes"}


def _tell(console: Console, batch: list[Move], done: int, of: int) -> None:
    console.print(f"{done} of {max(done, of)}", style="dim", highlight=False)
    for move in batch:
        if move.state != "moved":
            said = f"  {move.state}: instance {move.instance_key}, enrolment {move.enrolment_id}: {move.why}"
            console.print(Text(said, overflow="fold"), highlight=False)
