"""What `waggle simulate` plays, and what it says of it."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from waggle.app import App
from waggle.cli.progress import shown
from waggle.errors import BadSettings, WaggleError
from waggle.log import configure
from waggle.scenarios.coverage import Coverage
from waggle.scenarios.overrides import overridden, parse_override
from waggle.scenarios.performance import Performance
from waggle.scenarios.scenario import Scenario, all_scenario_files, read_scenario, scenario_files
from waggle.scenarios.session import Theatre, coverage, marks, merged, play_all, players
from waggle.scenarios.story import Path as Way
from waggle.scenarios.story import span
from waggle.services.bundles import Bundle, read_bundle
from waggle.services.diagram_picture import draw
from waggle.services.journeys import EntrySettings
from waggle.settings import PolicySettings, Settings, load_settings, read_table

_KINDS = {
    "told": "cyan",
    "did": "cyan",
    "passed": "default",
    "broken off": "dim",
    "mail": "green",
    "not sent": "yellow",
    "incident": "bold red",
    "ended": "bold",
}
_WIDTH_OF_FILES = 160


def played(  # noqa: PLR0913 -- each is one thing to choose
    journey: str | None,
    scenario: str | None,
    *,
    overrides: Sequence[str],
    bpmn: Path | None,
    config: Path | None,
    json: bool,
    pictures: Path | None,
    count: int,
    keep: bool,
) -> int:
    """Play the scenarios of *journey*, or of all, on *count* engines; return the exit code."""
    is_all = journey is None
    in_force = load_settings()
    configure("console", "error")
    theatre = Theatre(
        bpmn_dir=_folder(bpmn, in_force.bpmn_dir),
        config_dir=_folder(config, in_force.config_dir),
        home=in_force.home / "simulate",
    )
    given = [parse_override(each) for each in overrides]
    chosen = _chosen(theatre, journey, scenario)
    for name in sorted({each.journey for each in chosen}):
        _refuse_unknown(theatre.config_dir, name, given)
    chosen = [overridden(each, given) for each in chosen]
    journeys = (
        theatre.library.journeys if journey is None else sorted({journey, *(a for each in chosen for a in each.also)})
    )
    theatre.refuse_wrong(None if journey is None else journeys)
    # Before anything is played: what somebody saves meanwhile was not.
    bundle = read_bundle(theatre.bpmn_dir) if is_all and bpmn is None and config is None and not overrides else None
    began_s = time.monotonic()
    console = _console(stderr=json)
    performances = asyncio.run(_play(theatre, chosen, journeys, console, quiet=json or is_all, count=count, keep=keep))
    performances.sort(key=lambda each: each.scenario.label)
    if pictures is not None:
        _draw(theatre, performances, pictures)
    is_whole = scenario is None
    covered = coverage(theatre, performances, _processes(theatre, journey)) if is_whole else []
    if json:
        print(msgspec.json.encode(_document(performances, covered)).decode())
    else:
        _conclude(_console(), performances, covered, time.monotonic() - began_s, is_all=is_all)
    if any(not each.is_met for each in performances) or (is_all and not _is_complete(covered)):
        return 1
    if bundle is not None:
        _note_green(in_force, bundle, len(performances))
    return 0


def _note_green(settings: Settings, bundle: Bundle, scenarios: int) -> None:
    """Let `waggle promote` know that all scenarios passed on these bytes."""
    waggle = App(settings)
    try:
        asyncio.run(waggle.deploying.note_green(bundle.sha256, scenarios=scenarios))
    except WaggleError as error:
        # What was asked is done; who promotes from here will be told that no such run is known.
        Console(stderr=True).print(f"The run could not be noted for waggle promote: {error.code}", soft_wrap=True)
    finally:
        waggle.close()


def _console(*, stderr: bool = False) -> Console:
    """Return a console that breaks no line of a file as if it were a narrow terminal's."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=_WIDTH_OF_FILES)


def _is_complete(covered: Iterable[Coverage]) -> bool:
    return all(each.is_complete for each in covered)


def _folder(given: Path | None, in_force: Path) -> Path:
    if given is None:
        return in_force
    if not given.is_dir():
        raise BadSettings("FOLDER_MISSING", f"{given} is no folder")
    return given.resolve()


def _refuse_unknown(config_dir: Path, journey: str, overrides: Iterable[tuple[str, str, Any]]) -> None:
    """Find out before anything is started whether each of --settings is one that *journey* has."""
    file = config_dir / "journeys" / f"{journey}.toml"
    tables = read_table(file) if file.is_file() else {}
    known = {
        "settings": tables.get("settings", {}),
        "exits": tables.get("exits", {}),
        "entry": [each.name for each in msgspec.structs.fields(EntrySettings) if each.name != "enabled"],
        "policy": [each.name for each in fields(PolicySettings)],
    }
    for table, key, _ in overrides:
        if key not in known[table]:
            whose = "Waggle has" if table == "policy" else f"{journey} has"
            name, prefix = (key, "") if table == "settings" else (f"{table}.{key}", f"{table}.")
            there = ", ".join(f"{prefix}{each}" for each in sorted(known[table])) or "none"
            raise BadSettings("SETTING_UNKNOWN", f"--settings {name}: {whose} no such setting; those it has: {there}")


def _chosen(theatre: Theatre, journey: str | None, scenario: str | None) -> list[Scenario]:
    if journey is None:
        files = all_scenario_files(theatre.bpmn_dir)
    elif scenario is None:
        files = scenario_files(theatre.bpmn_dir, journey)
    else:
        file = Path(scenario)
        files = [file] if file.suffix == ".toml" else [theatre.bpmn_dir / "scenarios" / journey / f"{scenario}.toml"]
        if not files[0].is_file():
            known = ", ".join(each.stem for each in scenario_files(theatre.bpmn_dir, journey)) or "none"
            raise BadSettings("SCENARIO_UNKNOWN", f"{journey} has no scenario {scenario}; known: {known}")
        return [read_scenario(files[0], journey)]
    if not files:
        if journey is not None and journey not in theatre.library.journeys:
            there = ", ".join(theatre.library.journeys) or "none"
            raise BadSettings("JOURNEY_UNKNOWN", f"{theatre.bpmn_dir} has no journey {journey}; there are: {there}")
        where = theatre.bpmn_dir / "scenarios" / (journey or "")
        raise BadSettings(
            "SCENARIO_UNKNOWN", f"there is no scenario in {where}: docs/howto-scenarios.md shows how to write one"
        )
    return [read_scenario(file) for file in files]


async def _play(  # noqa: PLR0913 -- what, where and how
    theatre: Theatre,
    scenarios: Sequence[Scenario],
    journeys: Sequence[str],
    console: Console,
    *,
    quiet: bool,
    count: int,
    keep: bool,
) -> list[Performance]:
    performances = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with shown(Console(stderr=True)) as preparing:
        async with players(theatre, journeys, preparing, count=min(count, len(scenarios)), keep=keep) as playing:
            preparing.ended()
            with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
                task = bar.add_task("Scenarios", total=len(scenarios))
                async for performance in play_all(playing, scenarios):
                    performances.append(performance)
                    bar.update(task, advance=1, description=performance.scenario.label)
                    if not quiet:
                        _tell(bar.console, performance)
                    elif not performance.is_met or not console.is_terminal:
                        _tell_shortly(bar.console, performance)
    return performances


def _processes(theatre: Theatre, journey: str | None) -> list[str]:
    """Return of which diagrams to say how much was reached: all, or the journey that was played."""
    return sorted(theatre.library.diagrams) if journey is None else [journey]


def _tell(console: Console, performance: Performance) -> None:
    _headline(console, performance)
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    before = ""
    for each in performance.happenings:
        after = span(each.at - performance.began_at)
        color = _KINDS.get(each.kind, "default")
        piece = f"[dim]{each.journey}:[/] " if each.journey not in {"", performance.scenario.journey} else ""
        table.add_row(
            "" if after == before else after, f"[{color}]{each.kind}[/]", f"{piece}[{color}]{escape(each.text)}[/]"
        )
        before = after
    console.print(table)
    console.print(f"Outcome: [bold]{escape(performance.ending)}[/]")
    _differences(console, performance)
    console.print()


def _tell_shortly(console: Console, performance: Performance) -> None:
    _headline(console, performance)
    _differences(console, performance)


def _headline(console: Console, performance: Performance) -> None:
    scenario = performance.scenario
    mark = "[green]as expected[/]" if performance.is_met else "[bold red]not as expected[/]"
    console.print(
        f"[bold]{escape(scenario.label)}[/]  {escape(scenario.title)}  {mark}  [dim]{performance.took_s:.1f} s[/]",
        highlight=False,
        soft_wrap=True,
    )


def _differences(console: Console, performance: Performance) -> None:
    for difference in performance.differences:
        console.print(f"  [red]✗[/] {escape(difference)}", highlight=False, soft_wrap=True)


def _conclude(
    console: Console, performances: Sequence[Performance], covered: Sequence[Coverage], took_s: float, *, is_all: bool
) -> None:
    if covered:
        table = Table("diagram", "reached", "of", "%", "explained", box=None, pad_edge=False)
        for each in covered:
            color = "green" if each.is_complete else "red"
            percent = "100" if not each.unreached else f"{each.percent:.1f}"
            explained = len(each.unreached) - len(each.unexplained)
            table.add_row(
                each.process_id, str(each.reached), str(each.total), f"[{color}]{percent}[/]", str(explained or "")
            )
        console.print(table)
        for each in covered:
            for gap in each.unexplained:
                said = f"  [red]not reached[/] {each.process_id}: [bold]{gap.element}[/] {escape(gap.name)}"
                console.print(said, highlight=False, soft_wrap=True)
            for element in each.stale:
                said = f"  [red]explained in vain[/] {each.process_id}: {escape(element)} is reached, or not there"
                console.print(said, highlight=False, soft_wrap=True)
    failed = [each for each in performances if not each.is_met]
    met = len(performances) - len(failed)
    if is_all:
        # Said already, above the table and among a hundred others.
        for performance in failed:
            _tell_shortly(console, performance)
    said = f"{met} of {len(performances)} scenarios as expected, {took_s:.0f} s"
    console.print(f"[{'red' if failed else 'green'}]{said}[/]", highlight=False)
    if is_all and (gaps := sum(len(each.unexplained) for each in covered)):
        console.print(f"[red]{gaps} nodes and flows are reached by no scenario and not explained[/]", highlight=False)


def _draw(theatre: Theatre, performances: Sequence[Performance], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    diagrams = theatre.library.diagrams
    named = [
        (f"{performance.scenario.journey}.{performance.scenario.name}", process_id, path, performance.scenario.journey)
        for performance in performances
        for process_id, path in performance.paths.items()
    ]
    for name, process_id, path, journey in named:
        suffix = "" if process_id == journey else f".{process_id}"
        _write(folder / f"{name}{suffix}.svg", diagrams[process_id].file, path, _ids(diagrams[process_id]))
    for process_id, path in merged(performances).items():
        _write(folder / f"reached.{process_id}.svg", diagrams[process_id].file, path, _ids(diagrams[process_id]))


def _ids(diagram: Any) -> list[str]:  # noqa: ANN401 -- a Diagram
    return [*diagram.nodes, *diagram.flows]


def _write(target: Path, file: Path, path: Way, ids: Iterable[str]) -> None:
    target.write_text(draw(file.read_bytes(), marks(path, ids)), encoding="utf-8")


def _document(performances: Sequence[Performance], covered: Sequence[Coverage]) -> dict[str, Any]:
    return {
        "scenarios": [
            {
                "journey": each.scenario.journey,
                "scenario": each.scenario.name,
                "title": each.scenario.title,
                "as_expected": each.is_met,
                "differences": each.differences,
                "outcome": each.ending,
                "took_s": round(each.took_s, 2),
                "happenings": [
                    {
                        "after_s": round((happening.at - each.began_at).total_seconds(), 1),
                        "kind": happening.kind,
                        "text": happening.text,
                        "process_id": happening.journey,
                        "element": happening.element,
                    }
                    for happening in each.happenings
                ],
            }
            for each in performances
        ],
        "coverage": [
            {
                "process_id": each.process_id,
                "reached": each.reached,
                "total": each.total,
                "unreached": [
                    {"element": gap.element, "name": gap.name, "reason": gap.reason} for gap in each.unreached
                ],
                "stale_gaps": list(each.stale),
            }
            for each in covered
        ],
    }
