"""What was deployed and when, which journeys are paused, and which instances were moved to another version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

DeploymentKind = Literal["deploy", "start", "rollback", "promotion"]
"""By a person; by a whole installation that comes up; back to the version before; out of another environment."""

MoveState = Literal["asked", "moved", "refused", "gone"]
"""Asked without a known answer; runs on the target; refused by the engine; the engine does not know the instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedFile:
    """One file as it was handed to the engine, and what the engine made of it."""

    file: str
    """Name without folder, such as `abandoned-cart.bpmn`."""
    sha256: str
    name: str
    """Process or form id; of a file of decisions the id of the whole."""
    version_tag: str
    """Empty if it has none."""
    version: int
    """The engine's number."""
    key: int
    """The engine's key of this version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One request by which files went to the engine."""

    deployment_id: int
    at: datetime
    by: str
    kind: DeploymentKind
    environment: str
    bundle_sha256: str
    """Names all its bytes; see `waggle.services.bundles.Bundle`."""
    context_sha256: str
    """Of the message templates and journey settings at that time, which are not deployed."""
    why: str


@dataclass(frozen=True, slots=True)
class NewestFile:
    """What is in force under one file name."""

    deployment: Deployment
    file: DeployedFile


@dataclass(frozen=True, slots=True)
class GreenRun:
    """All scenarios passed on these bytes."""

    bundle_sha256: str
    at: datetime
    scenarios: int


@dataclass(frozen=True, slots=True)
class Pause:
    """A journey that takes nobody in and sends nothing for now."""

    journey: str
    paused_at: datetime
    by: str
    why: str
    kept_out: int
    """Enrolments that were not made because of it."""


@dataclass(frozen=True, slots=True)
class LiveCount:
    """How many enrolments of one journey stand alike."""

    journey: str
    state: Literal["entering", "running"]
    version: int | None
    """None: not begun yet, or begun before versions were noted."""
    held: bool
    """Whether a message of theirs waits for its time."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What became of moving one running instance to another version."""

    enrolment_id: str
    journey: str
    instance_key: int
    from_version: int | None
    to_version: int
    state: MoveState
    why: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Movable:
    """A running instance that is not on the wanted version."""

    enrolment_id: str
    instance_key: int
    version: int | None


class VersionRepository(Protocol):
    """Deployments and their files; contents are kept once under their hash."""

    def add(self, deployment: Deployment, files: Sequence[DeployedFile], contents: Mapping[str, bytes]) -> int:
        """Keep *deployment*, whose number is given here and returned; *contents* by SHA-256."""
        ...

    def newest_files(self) -> dict[str, NewestFile]:
        """Return by file name what was deployed last."""
        ...

    def of_file(self, file: str) -> list[NewestFile]:
        """Return every deployment of one file, the newest first."""
        ...

    def newest(self, limit: int) -> list[Deployment]:
        """Return the last deployments, the newest first."""
        ...

    def files_of(self, deployment_id: int) -> list[DeployedFile]: ...
    def content(self, sha256: str) -> bytes | None: ...
    def green(self, bundle_sha256: str) -> GreenRun | None: ...
    def note_green(self, run: GreenRun) -> None: ...
    def live_counts(self) -> list[LiveCount]: ...
    def movable(self, journey: str, version: int, after: str, limit: int) -> list[Movable]:
        """Return running instances that are not on *version*, by enrolment id, from behind *after*."""
        ...

    def ran_on(self, enrolment_id: str, version: int) -> bool:
        """Note that a running enrolment is on *version* now; False: it has ended."""
        ...

    def save_move(self, move: Move) -> None: ...
    def move_of(self, enrolment_id: str) -> Move | None: ...


class PauseRepository(Protocol):
    """Read once in a transaction: asked for every event that might enrol and every message that might leave."""

    def all(self) -> dict[str, Pause]: ...
    def of(self, journey: str) -> Pause | None: ...
    def save(self, pause: Pause) -> None: ...
    def end(self, journey: str) -> None: ...
    def keep_out(self, journey: str) -> None:
        """Count one enrolment that was not made."""
        ...
