"""What the product asks of the engine that executes journeys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Scalar = str | int | float | bool | None

Published = Literal["published", "already_buffered"]


@dataclass(frozen=True, slots=True)
class EngineMessage:
    """What starts, moves or ends one enrolment's journey."""

    name: str
    enrolment_id: str
    """The correlation key: no other journey has it."""
    message_id: str
    """The engine refuses a repeat of (name, enrolment_id, message_id) while the first is buffered."""
    time_to_live_s: int
    variables: Mapping[str, Scalar] = field(default_factory=dict)
    """Opaque ids and small scalars only."""


@dataclass(frozen=True, slots=True)
class Deployed:
    """One resource as the engine has it now."""

    kind: Literal["process", "decision", "decision requirements", "form"]
    name: str
    """Process or decision id."""
    version: int
    """Unchanged when the same bytes were deployed before."""
    key: int


class JourneyEngine(Protocol):
    """Deploys diagrams and publishes engine messages."""

    async def publish(self, message: EngineMessage) -> Published:
        """Hand *message* to the engine; it is durable there once this returns.

        Raises:
            TemporaryFailure: the engine cannot be reached or is too busy; publishing again is harmless.
            PermanentFailure: the message cannot be published as it is, for example VARIABLE_REFUSED.
        """
        ...

    async def deploy(self, files: Sequence[Path]) -> list[Deployed]:
        """Deploy all *files* in one request: all or none.

        Raises:
            PermanentFailure: DIAGRAM_REFUSED, with the engine's reason.
            TemporaryFailure: the engine cannot be reached.
        """
        ...

    async def deploy_bytes(self, contents: Mapping[str, bytes]) -> list[Deployed]:
        """Deploy *contents*, by file name, in one request; raises as `deploy` does."""
        ...

    async def migrate_instance(self, instance_key: int, target_key: int, mapping: Mapping[str, str]) -> None:
        """Move a running instance to the process version *target_key*, each element to the one that *mapping* names.

        Raises:
            PermanentFailure: INSTANCE_UNKNOWN, it has ended or never was; MIGRATION_REFUSED, with the engine's reason.
            TemporaryFailure: the engine cannot be reached, or INSTANCE_BUSY: it was just doing something.
        """
        ...
