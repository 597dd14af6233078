"""How one value of ours is made out of a foreign record: where it lies, and what form it has there."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal
from typing import Literal
from zoneinfo import ZoneInfo

from waggle.domain.money import to_minor
from waggle.domain.record_path import RecordPath, Scope, read_path

Form = Literal["text", "lower", "upper", "integer", "money", "minor", "time", "date"]
"""What a value is turned into; `money` is an amount in major units, `minor` one in minor units already."""

_FORMS: tuple[Form, ...] = ("text", "lower", "upper", "integer", "money", "minor", "time", "date")
_SOURCES = ("from", "constant", "first_of", "join")
_KEYS = frozenset(_SOURCES) | {
    "absolute",
    "as",
    "currency",
    "decimal",
    "default",
    "format",
    "rounding",
    "separator",
    "table",
    "thousands",
    "zone",
}
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{0,18})?", re.ASCII)
_SPACES = re.compile(r"[\s\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]")
_ROUNDING = {"down": ROUND_DOWN, "up": ROUND_UP, "half_even": ROUND_HALF_EVEN}
_UNIX = {"unix": 1, "unix_ms": 1000}


class MappingProblem(ValueError):
    """A mapping cannot be used as it is written, or a record does not fit it; no value of the record is quoted."""

    def __init__(self, where: str, advice: str) -> None:
        super().__init__(f"{where}: {advice}")
        self.where = where
        """Which part of the mapping, such as `event[0].data.total_minor`."""
        self.advice = advice


@dataclass(frozen=True, slots=True)
class RecordValue:
    """One value, ready to be made from any number of records."""

    where: str
    said: str
    """The same in words for people: `total, money in currency`."""
    paths: tuple[RecordPath, ...]
    """All that it looks at."""
    make: Callable[[Scope], object]

    def of(self, scope: Scope) -> object:
        """Return the value, None if the record has none.

        Raises:
            MappingProblem: the record has one that cannot be read.
        """
        try:
            return self.make(scope)
        except MappingProblem:
            raise
        except (ValueError, OverflowError) as error:
            raise MappingProblem(self.where, str(error)) from None


def read_value(given: object, where: str, form: Form, *, own_currency: bool = False) -> RecordValue:
    """Return the value that *given* (a path, or a table of the mapping) describes.

    *form* is what it becomes unless it says otherwise; *own_currency*: an amount without `currency` is in the event's.

    Raises:
        MappingProblem: it says something that cannot be.
    """
    table = {"from": given} if isinstance(given, str) else given
    if not isinstance(table, Mapping):
        raise MappingProblem(where, 'give a path, such as "customer.id", or a table')
    _refuse_unknown(table, where)
    wanted = _word(table, "as", where, form)
    if wanted not in _FORMS:
        raise MappingProblem(f"{where}.as", f"give one of: {', '.join(_FORMS)}")
    raw = _source(table, where)
    looked_up = _table(table, where)
    default = table.get("default")
    currency = _currency(table, where, own_currency=own_currency) if wanted == "money" else None
    convert = _conversion(wanted, table, where, currency)

    def make(scope: Scope) -> object:
        found = raw.make(scope)
        if found is not None and looked_up is not None:
            found = looked_up.get(_text(found))
        if found is None:
            return default
        return convert(found, scope)

    paths = raw.paths + (currency.paths if currency else ())
    return RecordValue(where, _said(raw, table, wanted, currency), paths, make)


def read_text(given: object, where: str) -> RecordValue:
    """Return a value that is a text, such as an id.

    Raises:
        MappingProblem: as `read_value`.
    """
    return read_value(given, where, "text")


def as_text(value: object) -> str:
    """Return a scalar of a record as the text it is compared by: 7 and "7" are one, so are true and "true".

    Raises:
        ValueError: a list or an object stands there.
    """
    return _text(value)


def _refuse_unknown(table: Mapping[str, object], where: str) -> None:
    for key in table:
        if key not in _KEYS:
            raise MappingProblem(f"{where}.{key}", f"there is no such key; give one of: {', '.join(sorted(_KEYS))}")
    given = [key for key in _SOURCES if key in table]
    if len(given) != 1:
        raise MappingProblem(where, f"give exactly one of: {', '.join(_SOURCES)}")


def _source(table: Mapping[str, object], where: str) -> RecordValue:
    if "constant" in table:
        constant = table["constant"]
        if not isinstance(constant, (str, int, float, bool)):
            raise MappingProblem(f"{where}.constant", "give a text, a number, true or false")
        return RecordValue(where, f'always "{constant}"', (), lambda _scope: constant)
    if "from" in table:
        path = _path(table["from"], f"{where}.from")
        return RecordValue(where, path.text, (path,), path.value)
    key = "first_of" if "first_of" in table else "join"
    given = table[key]
    if not isinstance(given, list) or not given:
        raise MappingProblem(f"{where}.{key}", "give a list of paths or tables")
    parts = [read_text(each, f"{where}.{key}[{index}]") for index, each in enumerate(given)]
    paths = tuple(path for part in parts for path in part.paths)
    if key == "first_of":
        return RecordValue(where, " or ".join(part.said for part in parts), paths, lambda scope: _first(parts, scope))
    separator = _word(table, "separator", where, "-")
    said = f" {separator} ".join(part.said for part in parts)
    return RecordValue(where, said, paths, lambda scope: _joined(parts, separator, scope))


def _path(given: object, where: str) -> RecordPath:
    if not isinstance(given, str):
        raise MappingProblem(where, 'give a path, such as "customer.id"')
    try:
        return read_path(given)
    except ValueError as error:
        raise MappingProblem(where, str(error)) from None


def _first(parts: list[RecordValue], scope: Scope) -> object:
    for part in parts:
        found = part.of(scope)
        if found is not None:
            return found
    return None


def _joined(parts: list[RecordValue], separator: str, scope: Scope) -> object:
    found = [part.of(scope) for part in parts]
    # An id with a part missing would be another's.
    return None if None in found else separator.join(str(each) for each in found)


def _table(table: Mapping[str, object], where: str) -> Mapping[str, object] | None:
    looked_up = table.get("table")
    if looked_up is not None and (not isinstance(looked_up, Mapping) or not looked_up):
        raise MappingProblem(f"{where}.table", 'give a table of theirs to ours, such as { paid = "order-paid" }')
    return looked_up


def _currency(table: Mapping[str, object], where: str, *, own_currency: bool) -> RecordValue | None:
    if "currency" in table:
        return read_value(table["currency"], f"{where}.currency", "text")
    if own_currency:
        return None
    raise MappingProblem(
        where,
        'say in which currency: currency = "path" or { constant = "EUR" }; or as = "minor" if it is in minor units',
    )


def _conversion(
    form: str, table: Mapping[str, object], where: str, currency: RecordValue | None
) -> Callable[[object, Scope], object]:
    if form in {"time", "date"}:
        return _time_conversion(form, table, where)
    if form in {"integer", "minor", "money"}:
        return _number_conversion(form, table, where, currency)
    letters: Callable[[str], str] = {"lower": str.lower, "upper": str.upper}.get(form, str)
    return lambda value, _scope: letters(_text(value))


def _number_conversion(
    form: str, table: Mapping[str, object], where: str, currency: RecordValue | None
) -> Callable[[object, Scope], object]:
    point, thousands = _word(table, "decimal", where, "."), _word(table, "thousands", where, "")
    rounding = table.get("rounding")
    allowed = ("half_even",) if form == "money" else tuple(_ROUNDING)
    if rounding is not None and rounding not in allowed:
        raise MappingProblem(f"{where}.rounding", f"give one of: {', '.join(allowed)}")
    absolute = table.get("absolute", False)
    if not isinstance(absolute, bool):
        raise MappingProblem(f"{where}.absolute", "give true or false")

    def convert(value: object, scope: Scope) -> int:
        text = _number_text(value, point, thousands)
        if form == "money":
            code = currency.of(scope) if currency else scope.currency
            if code is None:
                raise ValueError("the record names no currency for the amount")
            whole = to_minor(text, str(code).upper(), rounded=rounding is not None)
        else:
            whole = _whole(text, _ROUNDING[str(rounding)] if rounding else None)
        return abs(whole) if absolute else whole

    return convert


def _number_text(value: object, point: str, thousands: str) -> str:
    text = _text(value)
    if not isinstance(value, str):
        return f"{Decimal(text):f}" if "e" in text.lower() else text
    if thousands == " ":
        text = _SPACES.sub("", text)
    elif thousands:
        text = text.replace(thousands, "")
    return text.replace(point, ".") if point != "." else text


def _whole(text: str, rounding: str | None) -> int:
    if not _NUMBER.fullmatch(text):
        raise ValueError("the record holds no number there; say `decimal` and `thousands` if it is written another way")
    number = Decimal(text)
    whole = number.to_integral_value(rounding or ROUND_HALF_EVEN)
    if whole != number and rounding is None:
        raise ValueError('the record holds no whole number there; say rounding = "down", "up" or "half_even"')
    return int(whole)


def _time_conversion(form: str, table: Mapping[str, object], where: str) -> Callable[[object, Scope], object]:
    layout, zone_name = _word(table, "format", where, "iso"), _word(table, "zone", where, "")
    try:
        zone = ZoneInfo(zone_name) if zone_name else None
    except (ValueError, OSError, KeyError):
        raise MappingProblem(f"{where}.zone", "give an IANA time zone name such as Europe/Warsaw") from None
    if layout not in {"iso", *_UNIX} and "%" not in layout:
        raise MappingProblem(f"{where}.format", 'give "iso", "unix", "unix_ms" or a layout such as "%d.%m.%Y %H:%M"')

    def convert(value: object, _scope: Scope) -> str:
        moment = _moment(_text(value), layout)
        if form == "date":
            return moment.date().isoformat()
        if moment.tzinfo is None:
            if zone is None:
                raise ValueError("the record gives a time without offset; say its `zone`, such as Europe/Warsaw")
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

    return convert


def _moment(text: str, layout: str) -> datetime:
    try:
        if layout in _UNIX:
            return datetime.fromtimestamp(float(Decimal(text) / _UNIX[layout]), UTC)
        return datetime.fromisoformat(text) if layout == "iso" else datetime.strptime(text, layout)  # noqa: DTZ007 -- the zone is set by who asks
    except (ArithmeticError, ValueError, OverflowError, OSError):
        raise ValueError(f"the record holds no time of the form {layout} there") from None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, (int, float, Decimal)):
        return repr(value) if isinstance(value, float) else str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    raise ValueError("the record holds a list or an object there; give the path of one value in it")


def _word(table: Mapping[str, object], key: str, where: str, default: str) -> str:
    word = table.get(key, default)
    if not isinstance(word, str):
        raise MappingProblem(f"{where}.{key}", "give a text")
    return word


def _said(raw: RecordValue, table: Mapping[str, object], form: str, currency: RecordValue | None) -> str:
    words = raw.said
    if "table" in table:
        words += " by table"
    if form not in {"text", "integer"}:
        words += f", {form}"
    if currency is not None:
        words += f" in {currency.said}"
    if "zone" in table:
        words += f" in {table['zone']}"
    if table.get("default") is not None:
        words += f', else "{table["default"]}"'
    return words
