"""How every journey is doing: in force, paused, and who is in it."""

from dataclasses import dataclass
from datetime import datetime

from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.ports.versions import DeployedFile, LiveCount, NewestFile, Pause
from waggle.services.catalogue import Catalogue
from waggle.services.journeys import JourneyBook


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    """One version of a journey that is the newest or has somebody in it."""

    version: int | None
    """The engine's number; None: of those who began before versions were noted."""
    version_tag: str
    """Empty if unknown."""
    newest: bool
    running: int
    waiting: int
    """Of those, how many have a message that waits for its time."""
    deployed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JourneyLine:
    """One journey for people on duty."""

    journey: str
    enabled: bool
    """Whether the settings let anybody enter."""
    pause: Pause | None
    entering: int
    """Enrolled, and not begun by the engine yet."""
    running: int
    versions: tuple[VersionLine, ...]
    """The newest first."""
    deployed_at: datetime | None
    deployed_by: str
    rolled_back: bool


class JourneyOverview:
    """Reads how journeys are doing."""

    def __init__(self, store: UnitOfWork, catalogue: Catalogue, book: JourneyBook) -> None:
        self._store = store
        self._catalogue = catalogue
        self._book = book

    async def lines(self) -> list[JourneyLine]:
        """Return every journey that something starts or that was deployed, by name."""
        return await self._store.read(self._lines)

    def _lines(self, tx: Transaction) -> list[JourneyLine]:
        counts = tx.versions.live_counts()
        started = {entry.journey for message in self._catalogue.messages.values() for entry in message.starts}
        pauses = tx.pauses.all()
        names = started | set(pauses) | {live.journey for live in counts}
        return [
            self._line(tx, name, pauses.get(name), [c for c in counts if c.journey == name]) for name in sorted(names)
        ]

    def _line(self, tx: Transaction, journey: str, pause: Pause | None, counts: list[LiveCount]) -> JourneyLine:
        history = tx.versions.of_file(f"{journey}.bpmn")
        newest = history[0] if history else None
        return JourneyLine(
            journey=journey,
            enabled=self._book.enabled(journey),
            pause=pause,
            entering=sum(live.count for live in counts if live.state == "entering"),
            running=sum(live.count for live in counts if live.state == "running"),
            versions=_versions(history, [live for live in counts if live.state == "running"]),
            deployed_at=newest.deployment.at if newest else None,
            deployed_by=newest.deployment.by if newest else "",
            rolled_back=newest is not None and newest.deployment.kind == "rollback",
        )


def _versions(history: list[NewestFile], running: list[LiveCount]) -> tuple[VersionLine, ...]:
    newest: DeployedFile | None = history[0].file if history else None
    known = {each.file.version: each for each in reversed(history)}
    numbers: set[int | None] = {live.version for live in running}
    numbers |= {newest.version} if newest else set()
    return tuple(
        VersionLine(
            version=number,
            version_tag=known[number].file.version_tag if number in known else "",
            newest=newest is not None and number == newest.version,
            running=sum(live.count for live in running if live.version == number),
            waiting=sum(live.count for live in running if live.version == number and live.held),
            deployed_at=known[number].deployment.at if number in known else None,
        )
        for number in sorted(numbers, key=lambda each: each or 0, reverse=True)
    )
