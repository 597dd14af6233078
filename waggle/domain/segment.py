"""Whom a campaign is for: rules over what is known of persons, the same for every shop."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

Kind = Literal["text", "number", "flag", "consent"]
Part = Literal["consents", "orders", "carts", "tier"]
"""What has to be read beside the customer's own row."""

SEALED: Final = frozenset({"email", "phone", "first_name", "last_name", "birth_date"})
"""Fields of a customer that are encrypted with a key per person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonFacts:
    """What is known of one person, under all ids that are theirs; empty where a part was not asked for."""

    customer_id: str
    country: str | None = None
    language: str | None = None
    consents: frozenset[str] = frozenset()
    """`purpose/channel` of each that is given now."""
    order_count: int = 0
    last_order_at: datetime | None = None
    spent_minor: Mapping[str, int] = field(default_factory=dict)
    """By currency, in minor units; cancelled and returned orders do not count, here as above."""
    has_cart: bool = False
    """Something lies in a cart that was not ordered."""
    tier: str | None = None


@dataclass(frozen=True, slots=True)
class SegmentField:
    """What a rule may speak of."""

    kind: Kind
    part: Part | None
    about: str


FIELDS: Final[Mapping[str, SegmentField]] = {
    "country": SegmentField("text", None, "ISO 3166-1 alpha-2, such as DE"),
    "language": SegmentField("text", None, "as the shop tells it, such as en"),
    "consent": SegmentField("consent", "consents", "purpose/channel, such as marketing/email"),
    "order_count": SegmentField("number", "orders", "orders that were neither cancelled nor returned"),
    "days_since_order": SegmentField("number", "orders", "whole days; unknown for who never ordered"),
    "total_spent": SegmentField("number", "orders", "minor units, in the rule's currency"),
    "has_cart": SegmentField("flag", "carts", "something lies in a cart that was not ordered"),
    "tier": SegmentField("text", "tier", "level of the loyalty programme"),
}

RULES: Final[Mapping[Kind, tuple[str, ...]]] = {
    "text": ("equals", "one_of", "known", "unknown"),
    "number": ("at_least", "at_most", "equals", "known", "unknown"),
    "flag": ("equals",),
    "consent": ("given", "not_given"),
}

Value = str | int | bool | tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRule:
    """One condition; it has no problem, see `problem_with`."""

    field: str
    rule: str
    value: Value = None
    currency: str = ""

    def holds(self, person: PersonFacts, now: datetime) -> bool:
        """Say whether *person* fulfils it; comparing with what is unknown never does."""
        if self.field == "consent":
            return (self.value in person.consents) == (self.rule == "given")
        found = self._found(person, now)
        return found is None if self.rule == "unknown" else found is not None and self._compares(found)

    def _compares(self, found: str | int) -> bool:
        value: Any = self.value
        match self.rule:
            case "known":
                return True
            case "equals":
                return bool(found == value)
            case "one_of":
                return found in value
            case "at_least":
                return bool(found >= value)
            case _:
                return bool(found <= value)

    def _found(self, person: PersonFacts, now: datetime) -> str | int | None:
        match self.field:
            case "days_since_order":
                return None if person.last_order_at is None else max(0, (now - person.last_order_at).days)
            case "total_spent":
                return person.spent_minor.get(self.currency, 0)
            case _:
                found: str | int | None = getattr(person, self.field)
                return found


def problem_with(rule: SegmentRule) -> str:
    """Return what is wrong with *rule* and how to mend it, or "" for nothing."""
    if rule.field in SEALED:
        return f'"{rule.field}" is encrypted with a key per person and cannot be filtered on: use one of {_names()}'
    if rule.field not in FIELDS:
        return f'there is no field "{rule.field}": use one of {_names()}'
    known = FIELDS[rule.field]
    if rule.rule not in RULES[known.kind]:
        return f'"{rule.field}" has no rule "{rule.rule}": use one of {", ".join(RULES[known.kind])}'
    if rule.field == "total_spent" and rule.rule not in {"known", "unknown"} and not _is_currency(rule.currency):
        return '"total_spent" needs the currency that it is in: add currency = "EUR"'
    if rule.field != "total_spent" and rule.currency:
        return f'"{rule.field}" has no currency: leave it out'
    return _problem_with_value(rule, known)


def _problem_with_value(rule: SegmentRule, known: SegmentField) -> str:
    value = rule.value
    if rule.rule in {"known", "unknown"}:
        return "" if value is None else f'the rule "{rule.rule}" compares with nothing: leave the value out'
    if rule.rule == "one_of":
        fits = isinstance(value, tuple) and bool(value) and all(isinstance(each, str) for each in value)
        wanted = 'a list of texts, such as ["DE", "AT"]'
    elif known.kind == "number":
        fits, wanted = isinstance(value, int) and not isinstance(value, bool) and value >= 0, "a whole number from 0 on"
    elif known.kind == "flag":
        fits, wanted = isinstance(value, bool), "true or false"
    elif known.kind == "consent":
        fits = isinstance(value, str) and all(value.partition("/")[::2])
        wanted = '"purpose/channel", such as "marketing/email"'
    else:
        fits, wanted = isinstance(value, str) and bool(value), "a text"
    return "" if fits else f'the value of "{rule.field}" ({known.about}) has to be {wanted}'


def _is_currency(word: str) -> bool:
    return len(word) == 3 and word.isascii() and word.isalpha() and word.isupper()  # noqa: PLR2004 -- ISO 4217


def _names() -> str:
    return ", ".join(FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Persons for whom every rule of `all_of`, one at least of `any_of` and none of `none_of` holds."""

    name: str
    title: str
    description: str = ""
    all_of: tuple[SegmentRule, ...] = ()
    any_of: tuple[SegmentRule, ...] = ()
    none_of: tuple[SegmentRule, ...] = ()

    @property
    def rules(self) -> tuple[SegmentRule, ...]:
        """Every rule, however it counts."""
        return (*self.all_of, *self.any_of, *self.none_of)

    @property
    def parts(self) -> Collection[Part]:
        """What has to be read to decide."""
        return frozenset(part for rule in self.rules if (part := FIELDS[rule.field].part) is not None)

    @property
    def consents(self) -> Collection[str]:
        """Each `purpose/channel` that a rule asks about."""
        return frozenset(str(rule.value) for rule in self.rules if rule.field == "consent")

    def contains(self, person: PersonFacts, now: datetime) -> bool:
        """Say whether *person* belongs to it."""
        if not all(rule.holds(person, now) for rule in self.all_of):
            return False
        if self.any_of and not any(rule.holds(person, now) for rule in self.any_of):
            return False
        return not any(rule.holds(person, now) for rule in self.none_of)
