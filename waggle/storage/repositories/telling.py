"""How what was told of a thing stands in a JSON column: field -> [[source, event id, time, rank, value], ...]."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from waggle.domain.telling import Telling, Told

Encoded = dict[str, list[list[Any]]]


def encoded(told: Told) -> Encoded:
    """Return *told* as JSON holds it."""
    return {
        field: [[each.source, each.event_id, each.at.isoformat(), each.rank, each.value] for each in tellings]
        for field, tellings in told.items()
    }


def decoded(
    found: Encoded, apart: frozenset[str] = frozenset(), values: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> Told:
    """Return what `encoded` made of it, without the fields *apart* unless *values* says what each source told of them.

    Of those the values are kept elsewhere; field -> source -> value.
    """
    told = {}
    for field, tellings in found.items():
        if field not in apart:
            told[field] = tuple(
                Telling(value, datetime.fromisoformat(at), source, event_id, rank)
                for source, event_id, at, rank, value in tellings
            )
        elif kept := values.get(field):
            told[field] = tuple(
                Telling(kept[source], datetime.fromisoformat(at), source, event_id, rank)
                for source, event_id, at, rank, _ in tellings
            )
    return told


def told_before(at: datetime | None, fields: Mapping[str, Any]) -> Told:
    """Return what a row of before origins were noted says: told by nobody knows whom."""
    if at is None:
        return {}
    return {field: (Telling(value, at, "", ""),) for field, value in fields.items() if value is not None}
