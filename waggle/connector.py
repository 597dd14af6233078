"""Declare one outside system."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Connector:
    """What a folder in `connectors/` is, readable without importing the vendor's library."""

    name: str
    title: str
    docs: str
    """Where the vendor or the RFC describes the protocol."""
    settings: type
    """A frozen dataclass; its fields are the keys of the connector's section in waggle.toml."""
    provides: Mapping[type, str] = field(default_factory=dict)
    """Port -> "module:class"; the class, or function, takes the settings as its only argument."""
    only_with: Mapping[type, str] = field(default_factory=dict)
    """Port -> the key without which it is not offered, such as the secret that calls are signed with."""
