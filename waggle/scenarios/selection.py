"""Which files a journey needs: its diagram, the pieces it calls, their decisions and forms."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from waggle.errors import BadSettings
from waggle.services.diagrams import Diagram, parse_xml, read_diagram

_MODEL: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"
_NAMED: Final = (("calledElement", "processId"), ("calledDecision", "decisionId"), ("formDefinition", "formId"))


@dataclass
class Library:
    """The diagrams, decisions and forms of one folder."""

    bpmn_dir: Path

    @cached_property
    def diagrams(self) -> Mapping[str, Diagram]:
        """Journeys and pieces that can be read, by process id."""
        found = {}
        for file in [*self.bpmn_dir.glob("journeys/*.bpmn"), *self.bpmn_dir.glob("pieces/*.bpmn")]:
            try:
                diagram = read_diagram(file)
            except BadSettings:
                continue
            found[diagram.process_id] = diagram
        return found

    @property
    def journeys(self) -> list[str]:
        """Return the names of all journeys, whether their diagrams can be read or not."""
        return sorted(file.stem for file in self.bpmn_dir.glob("journeys/*.bpmn"))

    def files_of(self, journeys: Iterable[str]) -> list[Path]:
        """Return everything that *journeys* need, in a steady order.

        Raises:
            BadSettings: JOURNEY_UNKNOWN, there is no diagram of that name; DIAGRAM_UNREADABLE.
        """
        needed: set[Path] = set()
        waiting = [self._journey(journey) for journey in journeys]
        while waiting:
            file = waiting.pop()
            if file in needed:
                continue
            needed.add(file)
            if file.suffix == ".bpmn":
                root = parse_xml(file)
                waiting += [self._providers[name] for name in _called(root) if name in self._providers]
        return sorted(needed)

    def _journey(self, journey: str) -> Path:
        for folder in ("journeys", "pieces"):
            file = self.bpmn_dir / folder / f"{journey}.bpmn"
            if file.is_file():
                return file
        known = ", ".join(self.journeys)
        raise BadSettings(
            "JOURNEY_UNKNOWN", f"there is no {journey}.bpmn in {self.bpmn_dir / 'journeys'}; known: {known}"
        )

    @cached_property
    def _providers(self) -> Mapping[str, Path]:
        """By id of a process, decision or form: the file it stands in."""
        found: dict[str, Path] = {}
        for file in self.bpmn_dir.glob("pieces/*.bpmn"):
            found[file.stem] = file
        for file in self.bpmn_dir.glob("journeys/*.bpmn"):
            found.setdefault(file.stem, file)
        for file in self.bpmn_dir.glob("decisions/*.dmn"):
            try:
                root = parse_xml(file)
            except BadSettings:
                continue
            found |= {each.get("id", ""): file for each in root.iter() if each.tag.endswith("}decision")}
        for file in self.bpmn_dir.glob("forms/*.form"):
            found[file.stem] = file
        return found


def _called(root: ET.Element) -> Iterable[str]:
    for element, attribute in _NAMED:
        for found in root.iter(f"{_ZEEBE}{element}"):
            yield found.get(attribute, "")
