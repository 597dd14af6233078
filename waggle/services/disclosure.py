"""Which personal fields may leave, for what purpose and of whom: what `config/privacy.toml` declares, else none."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from waggle.domain.event import FACTS, personal_fields
from waggle.errors import BadSettings
from waggle.ports.unit_of_work import Transaction
from waggle.services.consents import may_transfer

PERSONAL: Mapping[str, frozenset[str]] = MappingProxyType({name: personal_fields(fact) for name, fact in FACTS.items()})
"""Event type -> its personal fields."""

_ALL = frozenset[str]().union(*PERSONAL.values())


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One purpose for which data may leave."""

    purpose: str
    fields: frozenset[str]

    def given(self, tx: Transaction, sequence: int, now: datetime) -> dict[str, Any]:
        """Return the personal fields of a stored event that may leave; none unless the person agrees to it."""
        stored = tx.events.get(sequence)
        if stored is None:
            return {}
        event = stored.event
        may_leave = PERSONAL.get(event.type, frozenset()) & self.fields
        given = {name: event.data[name] for name in sorted(may_leave) if event.data.get(name) is not None}
        customer_id = event.data.get("customer_id")
        if not given or customer_id is None or not may_transfer(tx, customer_id, self.purpose, now):
            return {}
        return given


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fields: tuple[str, ...]


def load_disclosures(config_dir: Path) -> dict[str, Disclosure]:
    """Read the sections [disclosure.<purpose>] of `privacy.toml`.

    Raises:
        BadSettings: PRIVACY_MAP_UNREADABLE or PRIVACY_MAP_WRONG.
    """
    file = config_dir / "privacy.toml"
    try:
        said = tomllib.loads(file.read_text(encoding="utf-8")).get("disclosure", {})
        found = {purpose: msgspec.convert(section, _Said) for purpose, section in said.items()}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("PRIVACY_MAP_UNREADABLE", f"{file}: {error}") from error
    except msgspec.ValidationError as error:
        raise BadSettings("PRIVACY_MAP_WRONG", f"{file}: [disclosure]: {error}") from error
    for purpose, section in found.items():
        if unknown := sorted(set(section.fields) - _ALL):
            raise BadSettings(
                "PRIVACY_MAP_WRONG",
                f"{file}: [disclosure.{purpose}] {unknown[0]} is no personal field; known: {', '.join(sorted(_ALL))}",
            )
    return {purpose: Disclosure(purpose, frozenset(section.fields)) for purpose, section in found.items()}


def disclosure_for(config_dir: Path, purpose: str, where: str) -> Disclosure | None:
    """Return what may leave for *purpose*; None for no purpose: nothing personal leaves. *where* names the setting.

    Raises:
        BadSettings: PURPOSE_UNKNOWN, or the file is wrong.
    """
    if not purpose:
        return None
    declared = load_disclosures(config_dir)
    if purpose not in declared:
        raise BadSettings(
            "PURPOSE_UNKNOWN",
            f"{where}: {purpose!r} is declared nowhere: write [disclosure.{purpose}] with the fields that may leave "
            "into config/privacy.toml",
        )
    return declared[purpose]
