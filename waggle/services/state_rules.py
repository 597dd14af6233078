"""Who is right where two sources disagree, and what makes two ids one person: `state.toml` and [identity]."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from waggle.domain import customer
from waggle.domain.order import STEPS
from waggle.errors import BadSettings

FILE = "state.toml"

FIELDS: Mapping[str, tuple[str, ...]] = {
    "customer": customer.FIELDS,
    "cart": ("content", "customer_id", "anonymous_id", "url", "checkout"),
    "order": ("placed", "customer_id", "anonymous_id", "cart_id", "checkout_id", *reversed(STEPS)),
    "product": ("name", "price", "url", "image_url", "stock"),
    "payment": ("authorised", "failed", "order_id", "cart_id", "customer_id"),
}
"""Thing -> what may be told of it. `price` goes with its currency, `content` with the currency of the cart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRules:
    """The rules in force; without any the newest word counts, whoever said it."""

    prefer: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    """(thing, field) -> sources, the one that is right first; others count when none of these has spoken."""
    merge_by_email: bool = True
    merge_by_phone: bool = False

    def rank(self, thing: str, name: str, source: str) -> int:
        """Return how much *source* counts for a field: more outweighs newer."""
        preferred = self.prefer.get((thing, name), ())
        return len(preferred) - preferred.index(source) if source in preferred else 0


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    prefer: list[str]


def load_rules(config_dir: Path, *, merge_by_email: bool, merge_by_phone: bool) -> StateRules:
    """Read `state.toml`; a file that is not there sets nothing.

    Raises:
        BadSettings: STATE_RULES_WRONG, it cannot be read or names a field that does not exist.
    """
    file = config_dir / FILE
    prefer = {}
    for thing, rules in _tables(file).items():
        for name, rule in rules.items():
            if name not in FIELDS.get(thing, ()):
                known = ", ".join(FIELDS.get(thing, FIELDS))
                raise BadSettings("STATE_RULES_WRONG", f"{file}: [{thing}] {name} is not there; known: {known}")
            try:
                prefer[thing, name] = tuple(msgspec.convert(rule, _Rule).prefer)
            except msgspec.ValidationError as error:
                raise BadSettings(
                    "STATE_RULES_WRONG", f'{file}: [{thing}] write {name} = {{ prefer = ["source", ...] }}'
                ) from error
    return StateRules(prefer=prefer, merge_by_email=merge_by_email, merge_by_phone=merge_by_phone)


def _tables(file: Path) -> dict[str, dict[str, Any]]:
    if not file.is_file():
        return {}
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("STATE_RULES_WRONG", f"{file}: {error}") from error
    for thing, rules in found.items():
        if thing not in FIELDS or not isinstance(rules, dict):
            raise BadSettings("STATE_RULES_WRONG", f"{file}: [{thing}] is not there; known: {', '.join(FIELDS)}")
    return found
