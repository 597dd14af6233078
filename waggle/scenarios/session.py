"""Play some scenarios or all, and see what they reach."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from waggle.engine.local.progress import Progress
from waggle.errors import BadSettings, PermanentFailure
from waggle.registry import find_tasks
from waggle.scenarios.coverage import Coverage, cover
from waggle.scenarios.house import open_stage
from waggle.scenarios.own_engine import own_engine
from waggle.scenarios.performance import Performance
from waggle.scenarios.player import Player
from waggle.scenarios.scenario import Scenario, read_gaps
from waggle.scenarios.selection import Library
from waggle.scenarios.story import Path as Way
from waggle.services.diagram_checks import check_diagrams
from waggle.services.diagram_picture import Mark
from waggle.services.findings import Finding


@dataclass(frozen=True, slots=True)
class Theatre:
    """Where scenarios are played: the folders they are about, and the one that the engines live in."""

    bpmn_dir: Path
    config_dir: Path
    home: Path

    @property
    def library(self) -> Library:
        """Return the diagrams."""
        return Library(self.bpmn_dir)

    def findings(self, journeys: Iterable[str] | None = None) -> list[Finding]:
        """Return what is wrong with the files that *journeys* need, or with all of them.

        Raises:
            BadSettings: JOURNEY_UNKNOWN, DIAGRAM_UNREADABLE; the catalogue or a file of settings cannot be read.
        """
        found = check_diagrams(self.bpmn_dir, self.config_dir, find_tasks())
        if journeys is None:
            return found
        names = list(journeys)
        needed = {file.resolve() for file in self.library.files_of(names)}
        return [each for each in found if each.file.resolve() in needed or _is_about(each, names, self.bpmn_dir)]

    def refuse_wrong(self, journeys: Iterable[str] | None = None) -> None:
        """Return if nothing speaks against playing.

        Raises:
            PermanentFailure: DIAGRAMS_WRONG, with every finding.
            BadSettings: as `findings`.
        """
        if found := self.findings(journeys):
            listed = "\n".join(str(finding) for finding in found)
            raise PermanentFailure("DIAGRAMS_WRONG", f"nothing was simulated, since journeys would fail:\n{listed}")


def _is_about(finding: Finding, journeys: Sequence[str], bpmn_dir: Path) -> bool:
    """Say whether a finding outside the diagrams speaks of one of *journeys*, as the catalogue's do."""
    is_diagram = finding.file.is_relative_to(bpmn_dir) and finding.file.suffix in {".bpmn", ".dmn", ".form"}
    said = f"{finding.problem} {finding.element} {finding.file.stem}"
    return not is_diagram and any(f'"{name}"' in said or finding.file.stem == name for name in journeys)


@asynccontextmanager
async def players(
    theatre: Theatre, journeys: Sequence[str], progress: Progress | None = None, *, count: int = 1, keep: bool = False
) -> AsyncIterator[list[Player]]:
    """Give *count* players, each with an engine of its own on which what *journeys* need is deployed.

    Scenarios share their engine's clock, so two at once need two engines.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="waggle-simulate-")))
        found = []
        library = theatre.library
        for number in range(1, count + 1):
            own = stack.enter_context(own_engine(theatre.home / f"engine-{number}", progress, keep=keep))
            stage = await stack.enter_async_context(open_stage(own.engine, own.records))
            place = folder / str(number)
            place.mkdir()
            player = Player(stage, library, theatre.config_dir, place, kept=theatre.home)
            await player.deploy(journeys)
            found.append(player)
        yield found


async def play_all(playing: Sequence[Player], scenarios: Sequence[Scenario]) -> AsyncIterator[Performance]:
    """Yield what came of each of *scenarios*, as soon as it is known; each player takes the next one that is left."""
    waiting = iter(scenarios)
    done: asyncio.Queue[Performance | BaseException] = asyncio.Queue()

    async def work(player: Player) -> None:
        try:
            for scenario in waiting:
                await done.put(await player.play(scenario))
        except BaseException as error:  # noqa: BLE001 -- told to whoever waits for the next
            await done.put(error)

    workers = [asyncio.create_task(work(player)) for player in playing]
    try:
        for _ in scenarios:
            result = await done.get()
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def coverage(theatre: Theatre, performances: Iterable[Performance], processes: Iterable[str]) -> list[Coverage]:
    """Return how much of each of *processes* was reached.

    Raises:
        BadSettings: a gaps.toml cannot be read.
    """
    ways = merged(performances)
    library = theatre.library
    found = []
    for process_id in processes:
        diagram = library.diagrams.get(process_id)
        if diagram is None:
            raise BadSettings("JOURNEY_UNKNOWN", f"there is no diagram of {process_id}, or it cannot be read")
        way = ways.get(process_id, Way())
        found.append(cover(diagram, [way], read_gaps(theatre.bpmn_dir, process_id)))
    return found


def merged(performances: Iterable[Performance]) -> dict[str, Way]:
    """Return what all of *performances* together reached, by process id."""
    ways: dict[str, Way] = {}
    for performance in performances:
        for process_id, path in performance.paths.items():
            ways.setdefault(process_id, Way()).add(path)
    return ways


def marks(way: Way, diagram_ids: Iterable[str]) -> Mapping[str, Mark]:
    """Return how to colour a diagram of which *way* was gone."""
    taken = way.nodes | way.flows
    found = {element: Mark.TAKEN if element in taken else Mark.UNTAKEN for element in diagram_ids}
    return found | dict.fromkeys(way.stuck, Mark.STUCK)
