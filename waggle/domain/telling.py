"""What was told of a thing's fields, by whom and when; in whatever order it comes, the same counts in the end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Telling:
    """What one source told of one field last."""

    value: Any
    """Anything that JSON can hold."""
    at: datetime
    source: str
    event_id: str
    rank: int = 0
    """How much the source counts for this field: more outweighs newer."""


Told = Mapping[str, tuple[Telling, ...]]
"""Field -> its tellings, one for each source, by source."""


def tell(told: Told, field: str, telling: Telling) -> Told:
    """Return *told* with *telling*, unless its source told something newer; at equal times what comes later counts."""
    known = told.get(field, ())
    if any(each.source == telling.source and each.at > telling.at for each in known):
        return told
    others = [each for each in known if each.source != telling.source]
    return {**told, field: tuple(sorted([*others, telling], key=lambda each: each.source))}


def standing(told: Told, field: str) -> Telling | None:
    """Return the telling that counts: of the source with the highest rank, then the newest."""
    tellings = told.get(field, ())
    if len(tellings) == 1:
        return tellings[0]
    return max(tellings, key=lambda each: (each.rank, each.at, each.source)) if tellings else None


def value_of(told: Told, field: str) -> Any:  # noqa: ANN401 -- whatever the field holds
    """Return what counts for *field*, None if nothing was told."""
    telling = standing(told, field)
    return None if telling is None else telling.value


def told_after(told: Told, at: datetime) -> Told:
    """Return what was told after *at*."""
    left = {field: tuple(each for each in tellings if each.at > at) for field, tellings in told.items()}
    return {field: tellings for field, tellings in left.items() if tellings}


def together(told: Told, other: Told) -> Told:
    """Return what was told under two ids that are one person: of each source the newest."""
    for field, tellings in other.items():
        for telling in tellings:
            known = next((each for each in told.get(field, ()) if each.source == telling.source), None)
            # Not `tell`: which of the two ids is read first must not matter.
            if known is None or (known.at, known.event_id) < (telling.at, telling.event_id):
                told = tell(told, field, telling)
    return told
