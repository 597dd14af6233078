"""Where facts come from, and how each source is doing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.freshness import Freshness

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSource:
    """A source as it is set."""

    name: str
    connector: str
    """Empty: it sends to `/v1/events` with a write key."""
    kinds: Sequence[str]
    """Of `webhook`, `feed`, `queue` and `key`: how facts come from it."""
    mapping: str = ""
    rows: Sequence[tuple[str, str]] = ()
    """Of the mapping: (field of ours, where it is from)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """A source, and what is known of how it is doing."""

    source: SetSource
    last_heard_at: datetime | None = None
    """When it last called."""
    calls: Mapping[str, int] = field(default_factory=dict)
    """Taken within the last day, by topic."""
    refused: Mapping[str, int] = field(default_factory=dict)
    """Calls ever turned away, by code."""
    set_aside: int = 0
    """What it sent that nobody understood, and that still waits."""
    ended: str | None = None
    """Why it calls no more, if it said so."""
    asked_at: datetime | None = None
    """When it last answered, being asked."""
    failures: int = 0
    """Since then."""
    last_code: str | None = None
    known_until: Mapping[str, datetime] = field(default_factory=dict)
    """By kind of fact: until when everything that happened there is known here."""


class SourceBook:
    """Looks at all sources at once."""

    def __init__(self, store: UnitOfWork, clock: Clock, freshness: Freshness, sources: Sequence[SetSource]) -> None:
        self._store = store
        self._clock = clock
        self._freshness = freshness
        self._sources = sources

    async def lines(self) -> list[SourceLine]:
        """Return every source that is set or has a key, by name."""
        now = self._clock.now()

        def look(tx: Transaction) -> list[SourceLine]:
            known = {source.name for source in self._sources}
            keyed = [
                SetSource(name=name, connector="", kinds=["key"]) for name in tx.keys.sources() if name not in known
            ]
            return [self._line(tx, source, now) for source in sorted([*self._sources, *keyed], key=lambda it: it.name)]

        return await self._store.read(look)

    def _line(self, tx: Transaction, source: SetSource, now: datetime) -> SourceLine:
        name = source.name
        ended = tx.deliveries.ended(name)
        cursor = tx.pulling.cursor(name)
        waiting = tx.quarantine.count_waiting()
        return SourceLine(
            source=source,
            last_heard_at=tx.deliveries.last_heard_at(name),
            calls=tx.deliveries.counts(name, now - _A_DAY),
            refused={code: count for code, (count, _) in sorted(tx.deliveries.refusals(name).items())},
            set_aside=sum(count for (each, _), count in waiting.items() if each == name),
            ended=ended[0] if ended else None,
            asked_at=cursor.pulled_at if cursor else None,
            failures=cursor.failures if cursor else 0,
            last_code=cursor.last_code if cursor else None,
            known_until={
                each.kind: each.covered_until for each in self._freshness.known_until(tx, now) if each.source == name
            },
        )
