"""The sections of the settings that only a connector can read: [source.<name>], [stream.<name>], [<connector>]."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from waggle.connector import Connector
from waggle.domain.mapping import MappingProblem, RecordMapping, read_mapping
from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.ports.sources import EventFeed, EventQueue, EventStream, Webhook
from waggle.registry import find_connectors
from waggle.services.sources import SetSource
from waggle.settings import (
    Settings,
    SourceSection,
    SourceSettings,
    StreamSettings,
    common_section,
    connector_section,
    read_table,
)


@dataclass(frozen=True)
class Sections:
    """Which sources and streams are set, and how."""

    settings: Settings

    def check(self) -> None:
        """Return if every section belongs to somebody.

        Raises:
            BadSettings: SETTING_UNKNOWN, CONNECTOR_UNKNOWN, or a section is wrong.
        """
        connectors = find_connectors()
        for section in self.settings.connectors:
            if section not in connectors:
                raise BadSettings("SETTING_UNKNOWN", f"[{section}] is neither a part of Waggle nor a connector")
        self.sources()
        self.streams()

    def sources(self, port: type | None = None) -> list[SourceSection]:
        """Return the sources that are set; only those that offer *port*, if one is given.

        Raises:
            BadSettings: a section is wrong.
        """
        return self._named("source", self.settings.source_sections, SourceSettings, port)

    def streams(self, port: type | None = None) -> list[SourceSection]:
        """Return the streams that are set; only those that offer *port*, if one is given.

        Raises:
            BadSettings: a section is wrong.
        """
        return self._named("stream", self.settings.stream_sections, StreamSettings, port)

    @property
    def has_exchange(self) -> bool:
        """Whether a source is set that can be asked or read, or a stream that is told.

        Raises:
            BadSettings: a section is wrong.
        """
        return bool(self.sources(EventFeed) or self.sources(EventQueue) or self.streams(EventStream))

    def of_source(self, section: SourceSection) -> SourceSettings:
        """Return what is set for a source whatever its connector.

        Raises:
            BadSettings: a key is of the wrong kind.
        """
        return common_section(SourceSettings, section.keys, section.section, self.settings.sources)

    def of_stream(self, section: SourceSection) -> StreamSettings:
        """Return what is set for a stream whatever its connector.

        Raises:
            BadSettings: a key is of the wrong kind.
        """
        return common_section(StreamSettings, section.keys, section.section, self.settings.sources)

    def of_connector(self, section: SourceSection) -> object:
        """Return the settings of a section's own connector.

        Where these have a key `mapping`, the name given becomes what config/mappings/<name>.toml declares.

        Raises:
            BadSettings: a key is unknown, missing or of the wrong kind, or a file cannot be read.
        """
        kind = find_connectors()[section.connector].settings
        keys = dict(section.keys)
        named = keys.pop("mapping", None) if "mapping" in {each.name for each in fields(kind)} else None
        common = SourceSettings if section.section.startswith("source.") else StreamSettings
        settings: Any = connector_section(kind, common, keys, section.section, self.settings.sources)
        return replace(settings, mapping=self.mapping(named)) if isinstance(named, str) and named else settings

    def mapping(self, name: str) -> RecordMapping:
        """Return what config/mappings/<name>.toml declares.

        Raises:
            BadSettings: MAPPING_WRONG, CONFIG_UNREADABLE.
        """
        file = self.settings.config_dir / "mappings" / f"{name}.toml"
        try:
            return read_mapping(read_table(file), name)
        except MappingProblem as problem:
            raise BadSettings("MAPPING_WRONG", f"{file}: {problem}") from None

    def list_sources(self) -> list[SetSource]:
        """Return every source as people are told of it: the ways in that it has, and what its mapping says.

        Raises:
            BadSettings: a section is wrong.
        """
        ports = {"webhook": Webhook, "feed": EventFeed, "queue": EventQueue}
        offering = {kind: {each.name for each in self.sources(port)} for kind, port in ports.items()}
        listed = []
        for section in self.sources():
            mapping = self.of_source(section).mapping
            kinds = [kind for kind in ports if section.name in offering[kind]] if section.connector else ["key"]
            rows = self.mapping(mapping).rows() if mapping else []
            listed.append(
                SetSource(name=section.name, connector=section.connector, kinds=kinds, mapping=mapping, rows=rows)
            )
        return listed

    def _named(
        self, word: str, named: Mapping[str, Mapping[str, object]], common: type[Any], port: type | None
    ) -> list[SourceSection]:
        connectors = find_connectors()
        found = []
        for name, keys in named.items():
            written = f"{word}.{name}"
            connector: str = common_section(common, keys, written, self.settings.sources).connector
            if connector and connector not in connectors:
                raise BadSettings(
                    "CONNECTOR_UNKNOWN", f"{written}.connector: {connector!r} is none of: {', '.join(connectors)}"
                )
            own = MappingProxyType({key: value for key, value in keys.items() if key != "connector"})
            section = SourceSection(name=name, connector=connector, keys=own, section=written)
            if port is None or (connector and offers(connectors[connector], port, self.of_connector(section))):
                found.append(section)
        return found


def offers(connector: Connector, port: type, settings: object) -> bool:
    """Say whether *connector* provides *port* under these *settings* of its own."""
    if port not in connector.provides:
        return False
    given = getattr(settings, connector.only_with[port]) if port in connector.only_with else True
    return bool(given.reveal() if isinstance(given, Secret) else given)
