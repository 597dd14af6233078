"""Segments: `config/segments/<name>.toml`, read, checked, and evaluated a page of persons at a time."""

import tomllib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from waggle.domain.segment import PersonFacts, Segment, SegmentRule, problem_with
from waggle.errors import BadSettings
from waggle.ports.campaigns import PersonPage
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork

PAGE: Final = 500
"""Customer rows to a transaction."""


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    field: str
    rule: str
    value: str | int | bool | list[str] | None = None
    currency: str = ""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    description: str = ""
    all: list[_Rule] = []
    any: list[_Rule] = []
    none: list[_Rule] = []


def load_segments(config_dir: Path) -> dict[str, Segment]:
    """Read every file in `segments/`.

    Raises:
        BadSettings: SEGMENT_WRONG; the message names file and rule, and says how to mend it.
    """
    return {file.stem: load_segment(file) for file in sorted((config_dir / "segments").glob("*.toml"))}


def load_segment(file: Path) -> Segment:
    """Read one file.

    Raises:
        BadSettings: SEGMENT_WRONG.
    """
    try:
        found = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), _File)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadSettings("SEGMENT_WRONG", f"{file}: {error}") from error
    for list_name, rules in (("all", found.all), ("any", found.any), ("none", found.none)):
        for number, rule in enumerate(rules, 1):
            if problem := problem_with(_rule(rule)):
                raise BadSettings("SEGMENT_WRONG", f"{file}: {list_name}, rule {number}: {problem}")
    if not (found.all or found.any):
        raise BadSettings(
            "SEGMENT_WRONG",
            f"{file}: it names nobody: give rules under all or any, at least "
            '{ field = "consent", rule = "given", value = "marketing/email" }',
        )
    return Segment(
        name=file.stem,
        title=found.title,
        description=found.description,
        all_of=tuple(map(_rule, found.all)),
        any_of=tuple(map(_rule, found.any)),
        none_of=tuple(map(_rule, found.none)),
    )


def _rule(found: _Rule) -> SegmentRule:
    value = tuple(found.value) if isinstance(found.value, list) else found.value
    return SegmentRule(field=found.field, rule=found.rule, value=value, currency=found.currency)


@dataclass(frozen=True, slots=True)
class Members:
    """Those of one page who belong to the segment, and where to go on."""

    persons: Sequence[PersonFacts]
    cursor: str
    last: bool


class Segments:
    """Knows the segments and who is in them."""

    def __init__(self, store: UnitOfWork, segments: Mapping[str, Segment], clock: Clock) -> None:
        self._store = store
        self._segments = segments
        self._clock = clock

    def list(self) -> list[Segment]:
        """Return all, by name."""
        return [self._segments[name] for name in sorted(self._segments)]

    def get(self, name: str) -> Segment:
        """Return one.

        Raises:
            BadSettings: SEGMENT_UNKNOWN.
        """
        if name not in self._segments:
            known = ", ".join(sorted(self._segments)) or "none"
            raise BadSettings("SEGMENT_UNKNOWN", f"there is no config/segments/{name}.toml; there are: {known}")
        return self._segments[name]

    async def members(self, name: str, after: str) -> Members:
        """Return who of the next page after the id *after* belongs to the segment *name*; it is one short read.

        Raises:
            BadSettings: SEGMENT_UNKNOWN.
        """
        segment = self.get(name)
        now = self._clock.now()

        def read(tx: Transaction) -> PersonPage:
            return tx.segments.page(after, PAGE, segment.parts, segment.consents, now)

        page = await self._store.read(read)
        return Members([person for person in page.persons if segment.contains(person, now)], page.cursor, page.last)

    async def count(self, name: str, tell: Callable[[int], None] = lambda _rows: None) -> int:
        """Return how many persons are in *name*; *tell* hears how many customer rows each page had at most.

        Raises:
            BadSettings: SEGMENT_UNKNOWN.
        """
        count = 0
        async for members in self._pages(name):
            count += len(members.persons)
            tell(PAGE)
        return count

    async def rows(self) -> int:
        """Return how many customer rows a count looks through."""
        return await self._store.read(lambda tx: tx.segments.count_rows())

    async def _pages(self, name: str) -> AsyncIterator[Members]:
        ask = partial(self.members, name)
        members = await ask("")
        yield members
        while not members.last:
            members = await ask(members.cursor)
            yield members
