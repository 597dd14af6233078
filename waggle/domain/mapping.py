"""What a foreign record (JSON object or CSV row) says in our words, declared in config/mappings/<name>.toml."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from datetime import UTC, datetime
from typing import Any, get_args

from waggle.domain.event import FACTS, CartItem, Fact, personal_fields
from waggle.domain.record_path import RecordPath, Scope, read_path
from waggle.domain.record_value import Form, MappingProblem, RecordValue, as_text, read_value

__all__ = ["MappingProblem", "RecordMapping", "read_mapping"]

_DIGEST_BYTES = 20
_EVENT_KEYS = ("type", "id", "time", "when", "for_each", "data")
_LINE_FIELDS = {field.name: field for field in fields(CartItem)}


@dataclass(frozen=True, slots=True)
class _Condition:
    where: str
    path: RecordPath
    said: str
    exists: bool | None
    among: frozenset[str] | None
    not_among: frozenset[str] | None

    def holds(self, scope: Scope) -> bool:
        found = self.path.value(scope)
        if self.exists is not None and (found is not None) is not self.exists:
            return False
        if self.among is None and self.not_among is None:
            return True
        try:
            text = "" if found is None else as_text(found)
        except ValueError as error:
            raise MappingProblem(self.where, str(error)) from None
        return (self.among is None or text in self.among) and (self.not_among is None or text not in self.not_among)


@dataclass(frozen=True, slots=True)
class _Lines:
    """How the lines of a cart or an order are read."""

    each: RecordPath
    when: tuple[_Condition, ...]
    values: Mapping[str, RecordValue]

    def of(self, scope: Scope, where: str) -> list[dict[str, object]]:
        lines = []
        for line in _list_at(self.each, scope, where):
            inner = scope._replace(here=line)
            if all(condition.holds(inner) for condition in self.when):
                lines.append(_filled(self.values, _LINE_FIELDS, inner))
        return lines


@dataclass(frozen=True, slots=True)
class _EventMapping:
    where: str
    type: RecordValue
    types: tuple[str, ...]
    id: RecordValue | None
    time: RecordValue | None
    when: tuple[_Condition, ...]
    for_each: RecordPath | None
    values: Mapping[str, RecordValue]
    lines: _Lines | None

    def scopes(self, record: object) -> Iterator[Scope]:
        whole = Scope(record, record)
        heres = [record] if self.for_each is None else _list_at(self.for_each, whole, f"{self.where}.for_each")
        for here in heres:
            scope = whole._replace(here=here)
            if all(condition.holds(scope) for condition in self.when):
                yield scope

    def item(self, scope: Scope, now: datetime) -> dict[str, Any] | None:
        """Return the envelope without an id; None if the record is of a kind that the table of types leaves out."""
        event_type = self.type.of(scope)
        if event_type is None:
            return None
        fact_fields = _fields_of(str(event_type))
        currency = self.values["currency"].of(scope) if "currency" in self.values else None
        scope = scope._replace(currency=None if currency is None else str(currency))
        data = _filled({name: made for name, made in self.values.items() if name in fact_fields}, fact_fields, scope)
        if self.lines is not None and "items" in fact_fields:
            data["items"] = self.lines.of(scope, f"{self.where}.data.items")
        happened_at = self.time.of(scope) if self.time else None
        if self.time and happened_at is None:
            raise MappingProblem(self.time.where, "the record holds nothing there, and the event needs its time")
        moment = happened_at or now.astimezone(UTC).isoformat().replace("+00:00", "Z")
        return {"specversion": "1.0", "type": event_type, "time": moment, "data": data}


@dataclass(frozen=True, slots=True)
class RecordMapping:
    """A checked mapping."""

    name: str
    description: str
    events: tuple[_EventMapping, ...]

    def items(self, record: Mapping[str, Any], now: datetime, *, fallback_id: str = "") -> list[dict[str, Any]]:
        """Return the envelopes that *record* makes, in the order of the mapping; none if no `when` holds.

        An event whose mapping names no id gets *fallback_id* (the second one of a record `<fallback_id>:2`, and so on);
        without that, an id made of its time and of what it says that is not personal, so that the same fact told twice
        is the same event.

        Raises:
            MappingProblem: the record lacks something or holds it in another form; its values are not quoted.
        """
        made: list[dict[str, Any]] = []
        for event in self.events:
            for scope in event.scopes(record):
                item = event.item(scope, now)
                if item is not None:
                    made.append({"id": _id(event, item, scope, fallback_id, len(made)), **item})
        return made

    @property
    def types(self) -> frozenset[str]:
        """All types of event that it may make."""
        return frozenset(each for event in self.events for each in event.types)

    @property
    def untimed(self) -> frozenset[str]:
        """Those of them whose time is not taken from the record."""
        return frozenset(each for event in self.events if event.time is None for each in event.types)

    def rows(self) -> list[tuple[str, str]]:
        """Return (target, where it is from) for people: `("order-placed.total_minor", "total, money")`."""
        found = []
        for event in self.events:
            name = " | ".join(event.types)
            found += [(f"{name} when", condition.said) for condition in event.when]
            if event.for_each is not None:
                found.append((f"{name} for each", event.for_each.text))
            found += [(f"{name}.{key}", made.said) for key, made in (("id", event.id), ("time", event.time)) if made]
            found += [(f"{name}.{key}", made.said) for key, made in event.values.items()]
            if event.lines is not None:
                each = f"{name}.items[]"
                found += [(f"{each} when", condition.said) for condition in event.lines.when]
                found += [
                    (f"{each}.{key}", f"{event.lines.each.text}[].{made.said}")
                    for key, made in event.lines.values.items()
                ]
        return found


def read_mapping(table: Mapping[str, Any], name: str) -> RecordMapping:
    """Return the mapping that a TOML *table* declares.

    Raises:
        MappingProblem: it cannot work: a key or an event type that does not exist, a path that cannot be read, a
            required field without a value. `where` begins with *name*.
    """
    try:
        return RecordMapping(name, str(table.get("description", "")), _events(table))
    except MappingProblem as problem:
        raise MappingProblem(f"{name}: {problem.where}", problem.advice) from None


def _events(table: Mapping[str, Any]) -> tuple[_EventMapping, ...]:
    _refuse_unknown(table, ("description", "event"), "")
    given = table.get("event")
    if not isinstance(given, list) or not given:
        raise MappingProblem("event", "declare at least one [[event]]")
    events = tuple(_event(each, f"event[{index}]") for index, each in enumerate(given))
    _refuse_equal_ids(events)
    return events


def _id(event: _EventMapping, item: dict[str, Any], scope: Scope, fallback_id: str, made_before: int) -> str:
    if event.id is not None:
        found = event.id.of(scope)
        if found is None:
            raise MappingProblem(event.id.where, "the record holds nothing there, and the event needs an id")
        return f"{item['type']}:{found}"  # one record of theirs may make events of several types
    if fallback_id:
        return f"{fallback_id}:{made_before + 1}" if made_before else fallback_id
    # An id outlives the person: made of an address it would confirm a guess for ever.
    hidden = personal_fields(FACTS[item["type"]])
    shown = {name: value for name, value in item["data"].items() if name not in hidden}
    content = json.dumps([item["type"], item["time"], shown], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).digest()[:_DIGEST_BYTES]
    return base64.b32encode(digest).decode().lower()


def _filled(values: Mapping[str, RecordValue], known: Mapping[str, Field[Any]], scope: Scope) -> dict[str, object]:
    data = {}
    for name, made in values.items():
        found = made.of(scope)
        if found is not None:
            data[name] = found
        elif _is_required(known[name]):
            raise MappingProblem(made.where, "the record holds nothing there, and the event needs it")
    return data


def _list_at(path: RecordPath, scope: Scope, where: str) -> list[object]:
    found = path.value(scope)
    if found is None:
        return []
    if not isinstance(found, list):
        raise MappingProblem(where, "the record holds no list there")
    return found


def _event(given: object, where: str) -> _EventMapping:
    if not isinstance(given, Mapping):
        raise MappingProblem(where, "give a table")
    _refuse_unknown(given, _EVENT_KEYS, where)
    event_type, types = _types(given, where)
    data = given.get("data", {})
    if not isinstance(data, Mapping):
        raise MappingProblem(f"{where}.data", "give a table")
    for_each = _path(given["for_each"], f"{where}.for_each") if "for_each" in given else None
    lines = _lines(data["items"], f"{where}.data.items", "currency" in data) if "items" in data else None
    made_id = read_value(given["id"], f"{where}.id", "text") if "id" in given else None
    if for_each and made_id and all(path.from_whole for path in made_id.paths):
        raise MappingProblem(f"{where}.id", "take something of the line into it, or all events of a record have one id")
    return _EventMapping(
        where,
        event_type,
        types,
        made_id,
        read_value(given["time"], f"{where}.time", "time") if "time" in given else None,
        _conditions(given.get("when", []), f"{where}.when"),
        for_each,
        _values(data, types, f"{where}.data"),
        lines,
    )


def _types(given: Mapping[str, Any], where: str) -> tuple[RecordValue, tuple[str, ...]]:
    said = given.get("type")
    where = f"{where}.type"
    if isinstance(said, str):
        made, types = read_value({"constant": said}, where, "text"), [said]
    elif isinstance(said, Mapping) and isinstance(said.get("table"), Mapping):
        made, types = read_value(said, where, "text"), [*said["table"].values()]
        types += [said["default"]] if "default" in said else []
    else:
        raise MappingProblem(where, 'give an event type, or { from = "status", table = { paid = "order-paid" } }')
    for each in types:
        if each not in FACTS:
            raise MappingProblem(where, f"there is no such event type; give one of: {', '.join(FACTS)}")
    return made, tuple(dict.fromkeys(types))


def _values(data: Mapping[str, Any], types: tuple[str, ...], where: str) -> dict[str, RecordValue]:
    known = {name: field for each in types for name, field in _fields_of(each).items()}
    for name in data:
        if name not in known:
            raise MappingProblem(f"{where}.{name}", f"there is no such field; give one of: {', '.join(known)}")
    for each in types:
        for name, field in _fields_of(each).items():
            if _is_required(field) and name not in data:
                raise MappingProblem(f"{where}.{name}", f"{each} needs this field")
    return {
        name: _field_value(given, f"{where}.{name}", known[name], own_currency="currency" in data)
        for name, given in data.items()
        if name != "items"
    }


def _lines(given: object, where: str, own_currency: bool) -> _Lines:  # noqa: FBT001 -- one caller, beside it
    if not isinstance(given, Mapping) or "each" not in given:
        raise MappingProblem(where, 'give a table with each = "path of the list" and a value per field of a line')
    values = {name: each for name, each in given.items() if name not in {"each", "when"}}
    _refuse_unknown(values, tuple(_LINE_FIELDS), where)
    for name, field in _LINE_FIELDS.items():
        if _is_required(field) and name not in values:
            raise MappingProblem(f"{where}.{name}", "a line needs this field")
    return _Lines(
        _path(given["each"], f"{where}.each"),
        _conditions(given.get("when", []), f"{where}.when"),
        {
            name: _field_value(each, f"{where}.{name}", _LINE_FIELDS[name], own_currency=own_currency)
            for name, each in values.items()
        },
    )


def _field_value(given: object, where: str, field: Field[Any], *, own_currency: bool) -> RecordValue:
    number = int in (field.type, *get_args(field.type))
    form: Form = "text"
    if number:
        form = "money" if field.name.endswith("_minor") else "integer"
    own_form = given.get("as", form) if isinstance(given, Mapping) else form
    allowed = {"text", "lower", "upper", "date"}
    if number:
        allowed = {"money", "minor"} if form == "money" else {"integer"}
    if own_form not in allowed:
        raise MappingProblem(f"{where}.as", f"the field needs one of: {', '.join(sorted(allowed))}")
    if isinstance(given, Mapping):
        for key in ("constant", "default"):
            fixed = given.get(key)
            if fixed is not None and (isinstance(fixed, bool) or not isinstance(fixed, int if number else str)):
                raise MappingProblem(f"{where}.{key}", f"the field needs {'a whole number' if number else 'a text'}")
        if number and "constant" in given:
            given = {**given, "as": "minor" if form == "money" else "integer"}
    return read_value(given, where, form, own_currency=own_currency)


def _conditions(given: object, where: str) -> tuple[_Condition, ...]:
    if not isinstance(given, list):
        raise MappingProblem(where, 'give a list such as [{ path = "status", is = ["paid"] }]')
    return tuple(_condition(each, f"{where}[{index}]") for index, each in enumerate(given))


def _condition(given: object, where: str) -> _Condition:
    if not isinstance(given, Mapping):
        raise MappingProblem(where, 'give a table such as { path = "status", is = ["paid"] }')
    _refuse_unknown(given, ("path", "is", "is_not", "exists"), where)
    if len(given) < 2 or "path" not in given:  # noqa: PLR2004 -- the path, and what is asked of it
        raise MappingProblem(where, "give `path`, and `is`, `is_not` or `exists`")
    exists = given.get("exists")
    if exists is not None and not isinstance(exists, bool):
        raise MappingProblem(f"{where}.exists", "give true or false")
    among, not_among = _words(given, "is", where), _words(given, "is_not", where)
    path = _path(given["path"], f"{where}.path")
    words = [] if exists is None else ["there" if exists else "not there"]
    words += [] if among is None else [f"one of {', '.join(sorted(among))}"]
    words += [] if not_among is None else [f"none of {', '.join(sorted(not_among))}"]
    return _Condition(where, path, f"{path.text} is {' and '.join(words)}", exists, among, not_among)


def _words(given: Mapping[str, Any], key: str, where: str) -> frozenset[str] | None:
    if key not in given:
        return None
    words = given[key] if isinstance(given[key], list) else [given[key]]
    if not words or not all(isinstance(word, (str, int, float, bool)) for word in words):
        raise MappingProblem(f"{where}.{key}", "give a text or a number, or a list of them")
    return frozenset(as_text(word) for word in words)


def _path(given: object, where: str) -> RecordPath:
    if not isinstance(given, str):
        raise MappingProblem(where, 'give a path, such as "customer.id"')
    try:
        return read_path(given)
    except ValueError as error:
        raise MappingProblem(where, str(error)) from None


def _refuse_unknown(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            place = f"{where}.{key}" if where else key
            raise MappingProblem(place, f"there is no such key; give one of: {', '.join(known)}")


def _refuse_equal_ids(events: tuple[_EventMapping, ...]) -> None:
    seen: set[tuple[str, str]] = set()
    for event in events:
        for event_type in event.types if event.id else ():
            said = (event_type, event.id.said if event.id else "")
            if said in seen:
                raise MappingProblem(
                    f"{event.where}.id", f"another {event_type} has the same id; join a constant, or leave both out"
                )
            seen.add(said)


def _fields_of(event_type: str) -> dict[str, Field[Any]]:
    fact_type: type[Fact] = FACTS[event_type]
    return {field.name: field for field in fields(fact_type)}


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING
