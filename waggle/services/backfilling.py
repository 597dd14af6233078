"""Ask a source again for what lies between two times, as after calls that were lost."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from waggle.errors import BadSettings, TemporaryFailure
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.pulling import FeedPlan, Overtaken, Pulled, Puller, Stopped

_WAIT_FOR_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """How far it is."""

    pages: int = 0
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    unread: int = 0
    newest_at: str | None = None
    """Time of the newest fact read."""
    finished: bool = False


class Backfilling:
    """Walks stretches of a source beside its main walk, which goes on undisturbed."""

    def __init__(
        self, puller: Puller, plans: Callable[[], Sequence[FeedPlan]], store: UnitOfWork, clock: Clock
    ) -> None:
        self._puller = puller
        self._plans = plans
        self._store = store
        self._clock = clock

    async def run(  # noqa: PLR0913 -- what is asked, who asks and why
        self,
        source: str,
        since: datetime,
        until: datetime,
        stop: asyncio.Event,
        *,
        by: str,
        why: str,
        tell: Callable[[Backfill], None] = lambda _so_far: None,
    ) -> Backfill:
        """Read everything of *source* from *since* to *until*; with the same times again, go on where it was.

        Raises:
            BadSettings: SOURCE_UNKNOWN, no source of that name can be asked; STRETCH_EMPTY.
            TemporaryFailure: the source is away for ten minutes; what was read is kept.
            PermanentFailure: a person has to look.
        """
        plan = self._plan(source)
        if until <= since:
            raise BadSettings("STRETCH_EMPTY", "--since is not before --until")
        walk = f"{since.isoformat()}/{until.isoformat()}"
        so_far = Backfill()
        more = True
        try:
            while more and not stop.is_set():
                pulled = await self._page(plan, walk, since, until, stop)
                more = pulled is None or pulled.more
                so_far = _added(so_far, pulled)
                tell(so_far)
        finally:
            await plan.feed.close()
        so_far = replace(so_far, finished=not more)
        await self._store.run(partial(self._note, source=source, walk=walk, done=so_far, by=by, why=why))
        return so_far

    def _plan(self, source: str) -> FeedPlan:
        plans = {plan.source: plan for plan in self._plans()}
        if source not in plans:
            raise BadSettings(
                "SOURCE_UNKNOWN",
                f"{source} is no source that can be asked; those are: {', '.join(sorted(plans)) or 'none'}",
            )
        return plans[source]

    async def _page(
        self, plan: FeedPlan, walk: str, since: datetime, until: datetime, stop: asyncio.Event
    ) -> Pulled | None:
        """Return what the next page came to; None if somebody else has read it, or while there is nothing yet."""
        waited_s = 0.0
        while not stop.is_set():
            try:
                return await self._puller.page(plan, walk=walk, since=since, until=until, stop=stop)
            except (Overtaken, Stopped):
                return None
            except TemporaryFailure as failure:
                waited_s += failure.retry_after_s
                if waited_s > _WAIT_FOR_S:
                    raise
                try:
                    async with asyncio.timeout(failure.retry_after_s):
                        await stop.wait()
                except TimeoutError:
                    pass
        return None

    def _note(self, tx: Transaction, source: str, walk: str, done: Backfill, by: str, why: str) -> None:  # noqa: PLR0913, PLR0917 -- an entry's parts
        tx.audit.add(
            AuditEntry(
                at=self._clock.now(),
                actor=by,
                action="source-backfilled",
                subject=source,
                why=why,
                detail={"stretch": walk, "accepted": str(done.accepted), "finished": str(done.finished).lower()},
            )
        )


def _added(so_far: Backfill, pulled: Pulled | None) -> Backfill:
    if pulled is None:
        return so_far
    statuses = [receipt.status for receipt in pulled.receipts]
    return replace(
        so_far,
        pages=so_far.pages + 1,
        accepted=so_far.accepted + statuses.count("accepted"),
        duplicates=so_far.duplicates + statuses.count("duplicate"),
        refused=so_far.refused + statuses.count("refused"),
        unread=so_far.unread + pulled.unread,
        newest_at=max(filter(None, (so_far.newest_at, pulled.newest_at)), default=None),
    )
