"""The outside systems: which connector stands behind which port."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from waggle.errors import BadSettings
from waggle.registry import find_connectors, load
from waggle.resources import shipped
from waggle.settings import SourceSection, typed_section
from waggle.wiring.sections import Sections, offers

T = TypeVar("T")


@dataclass(frozen=True)
class ConnectedSystems:
    """Makes what stands behind a port; the vendor's library is imported then."""

    sections: Sections

    def made(self, section: SourceSection, port: type[T]) -> T:
        """Return what stands behind *port* for one source or stream.

        Raises:
            BadSettings: CONNECTOR_CHOICE, if its connector does not offer that; or the section is wrong.
        """
        connector = find_connectors()[section.connector]
        settings: Any = self.sections.of_connector(section)
        if not offers(connector, port, settings):
            need = f"{section.section}.{connector.only_with[port]}" if port in connector.only_with else ""
            raise BadSettings(
                "CONNECTOR_CHOICE",
                f"{section.section}: {connector.name} is no {port.__name__}{f' without {need}' if need else ''}",
            )
        made: Any = load(connector.provides[port])(settings)
        provided: T = made
        return provided

    def provider(self, port: type[T]) -> T:
        """Return what stands behind *port*: the connector that provides it and has a section in the settings.

        Raises:
            BadSettings: no connector or more than one is set for it, or its section is wrong.
        """
        self.sections.check()
        able = [each for each in find_connectors().values() if port in each.provides]
        chosen = [each for each in able if each.name in self._own]
        if len(chosen) > 1:
            chosen = [each for each in chosen if self._is_written(each.name)]
        if len(chosen) != 1:
            names = ", ".join(each.name for each in able)
            raise BadSettings("CONNECTOR_CHOICE", f"{port.__name__} needs exactly one section of: {names}")
        [connector] = chosen
        keys: Any = typed_section(
            connector.settings, self._own[connector.name], connector.name, self.sections.settings.sources
        )
        made: Any = load(connector.provides[port])(keys)
        provided: T = made
        return provided

    def has_provider(self, port: type) -> bool:
        """Say whether anybody is set up for *port*, if only wrongly."""
        return any(port in each.provides and each.name in self._own for each in find_connectors().values())

    @property
    def _own(self) -> Mapping[str, Mapping[str, object]]:
        return self.sections.settings.connectors

    def _is_written(self, section: str) -> bool:
        """Say whether somebody set a key of *section*: what only the shipped defaults say gives way."""
        default = str((shipped("config") / "waggle.toml").resolve())
        sources = self.sections.settings.sources
        return any(source != default for key, source in sources.items() if key.startswith(f"{section}."))
