"""Which event starts, moves or ends which journey: `bpmn/engine-messages.toml`, read and typed."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from waggle.errors import BadSettings

FILE = "engine-messages.toml"


class EntryRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One condition on the data of an event."""

    field: str
    rule: Literal["present", "absent", "empty", "not_empty", "not_emptied", "equals", "at_least", "at_most"]
    value: str | int | bool | None = None

    def holds(self, data: Mapping[str, Any]) -> bool:
        """Say whether *data* fulfils the rule; comparing with an absent field never does."""
        found = data.get(self.field)
        if self.rule in {"at_least", "at_most"}:
            return isinstance(found, int) and isinstance(self.value, int) and self._compares(found, self.value)
        match self.rule:
            case "present" | "absent":
                return (found is None) == (self.rule == "absent")
            case "empty":
                return not found
            case "not_empty":
                return bool(found)
            case "not_emptied":
                return found is None or bool(found)
            case _:
                return bool(found == self.value)

    def _compares(self, found: int, bound: int) -> bool:
        return found >= bound if self.rule == "at_least" else found <= bound


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One journey that an event may enter."""

    journey: str
    business_key: list[str]
    customer: str | None = None
    yields_to: list[str] = []
    """Journeys; while one of them is under way for the same cart, nobody enters."""
    when: list[EntryRule] = []

    def key_in(self, data: Mapping[str, Any]) -> str | None:
        """Return the business key that *data* names, or None if a part of it is absent."""
        return _joined(self.business_key, data)

    def admits(self, data: Mapping[str, Any]) -> bool:
        """Say whether every rule holds."""
        return all(rule.holds(data) for rule in self.when)


class Receiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One journey whose live enrolments are told of an event."""

    journey: str
    scope: Literal["business_key", "customer", "message", "sku", "customer_sku"]
    business_key: list[str] = []
    customer: str | None = None
    message: str | None = None
    widened_to: Literal["customer"] | None = None
    widened_if: str | None = None
    if_enabled: str | None = None
    """Told only while this other journey is switched on."""
    at_most: str | None = None
    """With scope `sku`: the field of the event that says how many are told; the others wait for the next event."""
    cheaper: bool = False
    """With scope `sku`: only those who watch its price, and only if it can be bought for less now."""
    when: list[EntryRule] = []

    def key_in(self, data: Mapping[str, Any]) -> str | None:
        """Return the business key that *data* names, or None if a part of it is absent."""
        return _joined(self.business_key, data) if self.business_key else None

    def admits(self, data: Mapping[str, Any]) -> bool:
        """Say whether every rule holds."""
        return all(rule.holds(data) for rule in self.when)


class CatalogueMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One engine message: what causes it and whom it reaches."""

    description: str
    event_type: str
    kind: Literal["start", "move", "exit"]
    time_to_live_s: int
    also_caused_by: list[str] = []
    """Further events that say the same."""
    variables: list[str] = []
    starts: list[Entry] = []
    moves: list[Receiver] = []
    ends: list[Receiver] = []

    @property
    def receivers(self) -> list[Receiver]:
        """Everyone who is told, whether it moves or ends them."""
        return [*self.moves, *self.ends]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All engine messages by name."""

    messages: Mapping[str, CatalogueMessage]

    def caused_by(self, event_type: str) -> list[tuple[str, CatalogueMessage]]:
        """Return the engine messages that an event of this type causes, by name."""
        return [
            (name, message)
            for name, message in self.messages.items()
            if message.event_type == event_type or event_type in message.also_caused_by
        ]

    def starting_on(self, event_type: str) -> frozenset[str]:
        """Return the journeys that an event of this type may enter."""
        caused = self.caused_by(event_type)
        return frozenset(entry.journey for _, message in caused for entry in message.starts)

    @property
    def advertising(self) -> frozenset[str]:
        """The journeys that advertise: those that end when their customer wants no more advertising."""
        caused = self.caused_by("consent-withdrawn")
        return frozenset(told.journey for _, message in caused for told in message.ends if told.scope == "customer")

    @property
    def variables(self) -> frozenset[str]:
        """Every process variable that a message may set."""
        return frozenset({"enrolment_id"}.union(*(message.variables for message in self.messages.values())))


def load_catalogue(bpmn_dir: Path) -> Catalogue:
    """Read the catalogue.

    Raises:
        BadSettings: the file is missing, or an entry is wrong; the message names the entry.
    """
    file = bpmn_dir / FILE
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("CATALOGUE_UNREADABLE", f"{file}: {error}") from error
    messages = {}
    for name, table in tables.items():
        try:
            messages[name] = msgspec.convert(table, CatalogueMessage)
        except msgspec.ValidationError as error:
            raise BadSettings("CATALOGUE_WRONG", f"{file}: [{name}] {error}") from error
        if wrong := _mixed_up(messages[name]):
            raise BadSettings("CATALOGUE_WRONG", f"{file}: [{name}] {wrong}")
    return Catalogue(messages)


def _mixed_up(message: CatalogueMessage) -> str | None:
    """Return why *message* would reach whom it is not meant for.

    A running journey is found by its enrolment, a start by its name alone: the engine begins every diagram that has it.
    """
    journeys = {entry.journey for entry in message.starts}
    if len(journeys) > 1:
        return f"starts {', '.join(sorted(journeys))} all at once: give each a message of its own for the same event"
    if message.starts and message.receivers:
        return "starts a journey and would start it again for everyone else who is told: give them another message"
    return next((f"{told.journey}: {wrong}" for told in message.receivers if (wrong := _wrongly_told(told))), None)


def _wrongly_told(told: Receiver) -> str | None:
    if (told.at_most is not None or told.cheaper) and told.scope != "sku":
        return "at_most and cheaper need the scope sku"
    return None


def _joined(names: list[str], data: Mapping[str, Any]) -> str | None:
    values = [data.get(name) for name in names]
    if any(value is None for value in values):
        return None
    return ":".join(str(value) for value in values)
