"""Everything that a diagram may name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from waggle.services.catalogue import Catalogue
from waggle.services.decisions import Decision
from waggle.services.diagrams import Diagram
from waggle.services.form_files import FormFile
from waggle.services.journeys import JourneyBook


class TaskType(Protocol):
    """What a check needs to know of a worker; `waggle.task.Task` says it."""

    @property
    def input(self) -> type:
        """Dataclass of the variables read; those with a default may be absent."""
        ...

    @property
    def output(self) -> type:
        """Dataclass of the variables written."""
        ...

    @property
    def throws(self) -> frozenset[str]:
        """BPMN error codes."""
        ...

    @property
    def side_effect(self) -> bool:
        """Whether it does something that is done once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Diagrams, tables, settings and messages of one installation, so that each can be held to the others."""

    bpmn_dir: Path
    config_dir: Path
    tasks: Mapping[str, TaskType]
    catalogue: Catalogue
    book: JourneyBook
    diagrams: Mapping[str, Diagram]
    """By process id, journeys and pieces."""
    decisions: Mapping[str, Decision]
    forms: Mapping[str, FormFile]
    templates: Mapping[str, str]
    """Name of a message -> the purpose it is sent for."""
    segments: frozenset[str]
    campaigns: frozenset[str]
    """Of coupons."""
    element_templates: frozenset[str]
    remembered: dict[tuple[str, str], object] = field(default_factory=dict)
    """What has been worked out about a diagram, by what it is and by process id."""

    @property
    def pieces(self) -> Mapping[str, Diagram]:
        """What may be called."""
        return {name: diagram for name, diagram in self.diagrams.items() if diagram.is_piece}

    def called_by(self, diagram: Diagram) -> frozenset[str]:
        """Return the process ids that *diagram* calls, and those that they call."""
        found: set[str] = set()
        waiting = [diagram]
        while waiting:
            for node in waiting.pop().nodes.values():
                called = node.call.process if node.call is not None else None
                if called is not None and called not in found:
                    found.add(called)
                    waiting += [self.diagrams[called]] if called in self.diagrams else []
        return frozenset(found)

    def parts(self, diagram: Diagram) -> list[Diagram]:
        """Return *diagram* and every piece it is made of."""
        return [diagram, *(self.diagrams[called] for called in self.called_by(diagram) if called in self.diagrams)]

    def callers(self, piece: Diagram) -> list[Diagram]:
        """Return the journeys that *piece* is a part of."""
        return [
            diagram
            for diagram in self.diagrams.values()
            if not diagram.is_piece and piece.process_id in self.called_by(diagram)
        ]
