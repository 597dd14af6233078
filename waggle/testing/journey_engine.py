"""An engine that remembers what it was told and can be away."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from waggle.errors import PermanentFailure, TemporaryFailure, WaggleError
from waggle.ports.journey_engine import Deployed, EngineMessage, Published


class RememberingEngine:
    """Implements waggle.ports.journey_engine.JourneyEngine; like the real one it refuses repeats of what it buffers."""

    def __init__(self) -> None:
        self.away = False
        self.refused: set[str] = set()
        """Names of messages that it will never take."""
        self.taken: list[EngineMessage] = []
        """What had an effect, in order."""
        self.repeats: list[EngineMessage] = []
        """What was published again while the first was buffered."""
        self.deployed: dict[str, list[bytes]] = {}
        """File name -> contents by version."""
        self.moved: list[tuple[int, int, dict[str, str]]] = []
        """(instance, key of the target, mapping), in order."""
        self.unmovable: dict[int, WaggleError] = {}
        """Instance -> what moving it comes to."""
        self._buffer: set[tuple[str, str, str]] = set()

    async def publish(self, message: EngineMessage) -> Published:
        """Take *message* unless it is known."""
        if self.away:
            raise TemporaryFailure("ENGINE_UNREACHABLE", retry_after_s=5.0)
        if message.name in self.refused:
            raise PermanentFailure("VARIABLE_REFUSED")
        identity = (message.name, message.enrolment_id, message.message_id)
        if identity in self._buffer:
            self.repeats.append(message)
            return "already_buffered"
        self._buffer.add(identity)
        self.taken.append(message)
        return "published"

    async def deploy(self, files: Sequence[Path]) -> list[Deployed]:
        """Read them and deploy what they hold."""
        return await self.deploy_bytes({file.name: file.read_bytes() for file in files})

    async def deploy_bytes(self, contents: Mapping[str, bytes]) -> list[Deployed]:
        """Number what is new; as in the real one, whatever comes with something new gets a new number as well."""
        if self.away:
            raise TemporaryFailure("ENGINE_UNREACHABLE", retry_after_s=5.0)
        known = all(self.deployed.get(file, [b""])[-1] == content for file, content in contents.items())
        answers = []
        for file, content in contents.items():
            versions = self.deployed.setdefault(file, [])
            if not known:
                versions.append(content)
            stem, _, ending = file.rpartition(".")
            kind: Literal["process", "decision", "form"] = (
                "process" if ending == "bpmn" else "decision" if ending == "dmn" else "form"
            )
            # A key that says which file and version it is.
            key = 1000 * (1 + list(self.deployed).index(file)) + len(versions)
            answers.append(Deployed(kind, stem, len(versions), key))
        return answers

    async def migrate_instance(self, instance_key: int, target_key: int, mapping: Mapping[str, str]) -> None:
        """Remember the move, unless told to fail it."""
        if self.away:
            raise TemporaryFailure("ENGINE_UNREACHABLE", retry_after_s=5.0)
        failure = self.unmovable.get(instance_key)
        if failure is not None:
            raise failure
        self.moved.append((instance_key, target_key, dict(mapping)))

    def told(self, name: str) -> list[str]:
        """Return the enrolments to which messages of this name came, in order."""
        return [message.enrolment_id for message in self.taken if message.name == name]

    def forget(self) -> None:
        """Empty the buffer, as the engine does when a message's time to live is over."""
        self._buffer.clear()
