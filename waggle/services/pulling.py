"""Ask sources for what they have to tell: at their pace, after a silence, and for a stretch that somebody names."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from waggle.domain.event import Receipt
from waggle.domain.freshness import kinds_of
from waggle.domain.mapping import MappingProblem, RecordMapping
from waggle.errors import PermanentFailure, Rejected, TemporaryFailure, WaggleError
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.pulling import MAIN, Cursor
from waggle.ports.sources import EventFeed, Item, Page
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.intake import Intake
from waggle.services.setting_aside import set_aside

log = get_logger(__name__)

PULL_EVERY = timedelta(minutes=5)
"""Of a source that can only be asked, unless it is set otherwise."""

RECORD_TOPIC = "record"
"""Under which a record is set aside whose source has no word of its own for it; a mapping says what it means."""

_LOOK_EVERY_S = 5.0
_FIRST_PAUSE = timedelta(seconds=5)
_LONGEST_PAUSE = timedelta(minutes=15)
_MOST_DOUBLINGS = 10
_JITTER = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedPlan:
    """One source that can be asked, and when."""

    source: str
    feed: EventFeed
    every: timedelta | None = None
    """None: only at the start, and after a silence."""
    expect_within: timedelta | None = None
    """So long a source that also calls us may be silent before it is asked whether a call was lost."""
    first_pull: timedelta | None = None
    """How far back the very first page reaches; None: to the beginning."""
    covers: tuple[str, ...] = ()
    """Kinds of fact that are known up to the present once the last page is read; others are learned from what comes."""
    timeout_s: float = 60.0
    """For one page."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one page came to."""

    receipts: Sequence[Receipt]
    unread: int
    more: bool
    newest_at: str | None
    """Time of the newest item, as it stands in the envelope."""


class Overtaken(Exception):
    """Another process has stored the same page meanwhile."""


class Stopped(Exception):
    """The one who asks was told to end while a source was being asked; nothing was stored."""


class Puller:
    """Asks for one page at a time; its items and how far the source is read now are stored together."""

    def __init__(self, store: UnitOfWork, intake: Intake, clock: Clock) -> None:
        self._store = store
        self._intake = intake
        self._clock = clock

    async def page(
        self,
        plan: FeedPlan,
        *,
        walk: str = MAIN,
        since: datetime | None = None,
        until: datetime | None = None,
        stop: asyncio.Event | None = None,
    ) -> Pulled:
        """Ask *plan* for the page after the last one of *walk*, store it and say what it came to.

        *since* counts for the first page only; items after *until* are left out, and end the walk.

        Raises:
            TemporaryFailure: FEED_SILENT, no answer in time; or what the source says. It is noted beside the cursor.
            PermanentFailure: FEED_STUCK, the same page again and again; or what the source says. Noted as well.
            Overtaken: nothing was stored, since somebody else has stored the page.
            Stopped: *stop* was set before the source answered.
        """
        try:
            return await self._page(plan, walk, since, until, stop or asyncio.Event())
        except (TemporaryFailure, PermanentFailure) as failure:
            await self._note_failure(plan.source, walk, failure)
            raise

    async def cursor(self, source: str, walk: str = MAIN) -> Cursor:
        """Return how far *walk* has come."""
        found = await self._store.read(lambda tx: tx.pulling.cursor(source, walk))
        return found or Cursor(source=source, walk=walk)

    async def _page(
        self, plan: FeedPlan, walk: str, since: datetime | None, until: datetime | None, stop: asyncio.Event
    ) -> Pulled:
        before = await self.cursor(plan.source, walk)
        began_at = before.round_began_at or self._clock.now()
        if before.cursor is None and since is None and plan.first_pull is not None:
            since = began_at - plan.first_pull
        page = await _asked(plan, before.cursor, since if before.cursor is None else None, stop)
        if page.more and page.cursor == before.cursor:
            raise PermanentFailure("FEED_STUCK", "the source says that there is more, and gives the same page")
        items = [item for item in page.items if not _is_after(item, until)]
        # In the order of change, as feeds give it, nothing that follows is older.
        more = page.more and (until is None or not page.items or bool(items))
        newest_at = max((str(item["time"]) for item in items if "time" in item), default=None)

        def note(tx: Transaction, _receipts: Sequence[Receipt]) -> None:
            self._note_page(tx, plan, before, replace(page, more=more), began_at)

        receipts = await self._intake.accept(plan.source, items, keep_refused=True, also=note)
        return Pulled(receipts, len(page.unread), more, newest_at)

    def _note_page(self, tx: Transaction, plan: FeedPlan, before: Cursor, page: Page, began_at: datetime) -> None:
        now = self._clock.now()
        found = tx.pulling.cursor(before.source, before.walk)
        if (found.cursor if found else None) != before.cursor:
            raise Overtaken
        for unread in page.unread:
            set_aside(tx, plan.source, unread.topic, unread.raw, unread.code, now, where=unread.where)
        tx.pulling.save_cursor(
            Cursor(
                source=before.source,
                walk=before.walk,
                cursor=page.cursor,
                round_began_at=began_at if page.more else None,
                pulled_at=now,
                items=before.items + len(page.items),
                tried_at=now,
            )
        )
        if before.walk == MAIN:
            kinds = {kind for item in page.items for kind in kinds_of(str(item.get("type")))} | set(plan.covers)
            known = {each.kind for each in tx.pulling.coverage() if each.source == plan.source}
            for kind in sorted(kinds | known) if not page.more else ():
                tx.pulling.covered(plan.source, kind, began_at)

    async def _note_failure(self, source: str, walk: str, failure: TemporaryFailure | PermanentFailure) -> None:
        def note(tx: Transaction) -> None:
            now = self._clock.now()
            before = tx.pulling.cursor(source, walk) or Cursor(source=source, walk=walk)
            pause = min(_FIRST_PAUSE * 2 ** min(before.failures, _MOST_DOUBLINGS), _LONGEST_PAUSE)
            if isinstance(failure, PermanentFailure):
                pause = _LONGEST_PAUSE
            elif failure.retry_after_s:
                pause = max(pause, timedelta(seconds=failure.retry_after_s))
            tx.pulling.save_cursor(
                replace(
                    before,
                    failures=before.failures + 1,
                    last_code=failure.code,
                    tried_at=now,
                    not_before_at=now + pause,
                )
            )

        await self._store.run(note)


Heard = Callable[[Transaction, str], datetime | None]
"""Returns when a source called us last."""


class Pulling:
    """Asks every source as its plan says, each in a loop of its own, until stopped."""

    def __init__(  # noqa: PLR0913 -- what is asked, and when
        self,
        puller: Puller,
        plans: Sequence[FeedPlan],
        store: UnitOfWork,
        clock: Clock,
        *,
        heard: Heard,
        chance: random.Random | None = None,
    ) -> None:
        self._puller = puller
        self._plans = plans
        self._store = store
        self._clock = clock
        self._heard = heard
        # Of many sources with one interval not all are asked at the same second.
        self._chance = chance or random.Random()  # noqa: S311 -- spreads load, guards nothing
        self._turned_s: dict[str, float] = {}

    @property
    def stillness_s(self) -> float:
        """Seconds since the loop that rests longest last took a step, beyond what a page may take."""
        now_s = time.monotonic()
        waits = {plan.source: plan.timeout_s for plan in self._plans}
        return max((now_s - turned_s - waits[source] for source, turned_s in self._turned_s.items()), default=0.0)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop* is set; a source or a database that is away is waited for, never given up."""
        try:
            await asyncio.gather(*(self._keep(plan, stop) for plan in self._plans))
        finally:
            for plan in self._plans:
                await plan.feed.close()

    async def _keep(self, plan: FeedPlan, stop: asyncio.Event) -> None:
        is_first, stretch = True, 1.0
        while not stop.is_set():
            self._turned_s[plan.source] = time.monotonic()
            try:
                wait_s = await self._due_in_s(plan, stretch, is_first=is_first)
                if wait_s <= 0:
                    is_first = False
                    stretch = self._chance.uniform(1 - _JITTER, 1 + _JITTER)
                    wait_s = 0.0 if await self._step(plan, stop) else _LOOK_EVERY_S
            except TemporaryFailure as failure:
                log.warning("source waits", source=plan.source, code=failure.code)
                wait_s = _LOOK_EVERY_S
            if wait_s:
                await _pause(stop, min(wait_s, _LOOK_EVERY_S))

    async def _due_in_s(self, plan: FeedPlan, stretch: float, *, is_first: bool) -> float:
        """Return in how many seconds *plan* is to be asked; 0 or less: now."""

        def look(tx: Transaction) -> tuple[Cursor | None, datetime | None]:
            return tx.pulling.cursor(plan.source), self._heard(tx, plan.source)

        cursor, heard_at = await self._store.read(look)
        now = self._clock.now()
        if cursor is None:
            return 0.0
        if cursor.not_before_at is not None:
            # Also at the start: a part that is started again and again must not press a source that asked for rest.
            return (cursor.not_before_at - now).total_seconds()
        # At the start nobody knows what was missed meanwhile.
        if is_first or cursor.pulled_at is None or cursor.round_began_at is not None:
            return 0.0
        due = []
        if plan.every is not None:
            due.append(cursor.pulled_at + plan.every * stretch)
        if plan.expect_within is not None:
            due.append(max(cursor.pulled_at, heard_at or cursor.pulled_at) + plan.expect_within)
        return min(((each - now).total_seconds() for each in due), default=_LOOK_EVERY_S)

    async def _step(self, plan: FeedPlan, stop: asyncio.Event) -> bool:
        """Ask for one page and return whether there is more."""
        try:
            pulled = await self._puller.page(plan, stop=stop)
        except (Overtaken, Stopped):
            return True
        except TemporaryFailure as failure:
            log.warning("source not read", source=plan.source, code=failure.code)
            return False
        except PermanentFailure as failure:
            log.warning("source not read, somebody has to look", source=plan.source, code=failure.code)
            return False
        counts = {status: sum(each.status == status for each in pulled.receipts) for status in ("accepted", "refused")}
        if pulled.unread or any(counts.values()):
            log.info("source read", source=plan.source, unread=pulled.unread, more=pulled.more, **counts)
        return pulled.more


async def _asked(plan: FeedPlan, cursor: str | None, since: datetime | None, stop: asyncio.Event) -> Page:
    pull = asyncio.ensure_future(plan.feed.pull(cursor, since))
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({pull, stopping}, timeout=plan.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if pull.done():
            return _page_of(pull)
    finally:
        pull.cancel()
        stopping.cancel()
    if stop.is_set():
        raise Stopped
    raise TemporaryFailure("FEED_SILENT", f"no page within {plan.timeout_s:.0f} s")


def _page_of(pull: asyncio.Future[Page]) -> Page:
    try:
        return pull.result()
    except WaggleError:
        raise
    except Exception as error:  # noqa: BLE001 -- whatever a connector raises
        # One feed with a fault must not end the others. Its text may quote what the source sent.
        raise PermanentFailure("FEED_BROKEN", type(error).__name__) from None


def read_record(mapping: RecordMapping, raw: bytes, now: datetime) -> Sequence[Item]:
    """Return what a record says that was set aside, under *mapping* as it is now.

    Raises:
        Rejected: RECORD_UNREADABLE, as before.
    """
    try:
        record = json.loads(raw, parse_float=Decimal)
        if not isinstance(record, dict):
            raise Rejected("RECORD_UNREADABLE", "the record is no object")
        return mapping.items(record, now)
    except MappingProblem as problem:
        raise Rejected("RECORD_UNREADABLE", problem.where) from None
    except ValueError:
        raise Rejected("RECORD_UNREADABLE", "the record is no JSON") from None


def _is_after(item: Item, until: datetime | None) -> bool:
    return until is not None and "time" in item and datetime.fromisoformat(str(item["time"])) > until


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass
