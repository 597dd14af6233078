"""The two ways to write to many, measured on one house each."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.campaign.given import CAMPAIGN, add_campaign
from benchmarks.databases import Kind
from benchmarks.flagship import house
from benchmarks.flagship.house import House, UnrestError, batched
from benchmarks.flagship.shoppers import Event, Shopper, shoppers

Row = dict[str, Any]

_LOOK_EVERY_S = 0.5
_NS = 10**9


async def rows(folder: Path, kind: Kind, *, workers: int, recipients: int, one_each: bool) -> list[Row]:
    """Measure a campaign to *recipients*, and on top, if *one_each*, a journey for each of as many people.

    The journey is the shortest that is shipped: double-opt-in, up to its one mail.
    """
    async with house.opened(folder, kind, workers=workers, prepare=add_campaign) as opened:
        people = list(islice(shoppers(), recipients))
        await opened.sign_up(people)
        measured = [await _campaign(opened, kind, people)]
        if one_each:
            measured.append(await _one_each(opened, kind, people))
        return measured


async def _campaign(opened: House, kind: Kind, people: Sequence[Shopper]) -> Row:
    before, used = await opened.broker.counts(), opened.usage()
    began_s = time.monotonic()
    run = await opened.app.campaigns.start(CAMPAIGN, by="one")
    approval_id = await _asked(opened)
    counted_s = time.monotonic() - began_s
    await opened.app.approvals.decide(approval_id, "approved", by="another", given={"test_was_read": "yes"})
    mails = await _arrivals(opened, len(people))
    give_up_s = time.monotonic() + 300
    while (await opened.app.campaigns.show(run)).ended_at is None:
        if time.monotonic() > give_up_s:
            raise UnrestError(f"{run} does not end")
        await asyncio.sleep(_LOOK_EVERY_S)
    return {
        **_row("one instance", kind, opened, people, mails),
        "counted_s": round(counted_s, 1),
        **await _cost(opened, before, used),
    }


async def _one_each(opened: House, kind: Kind, people: Sequence[Shopper]) -> Row:
    before, used = await opened.broker.counts(), opened.usage()
    await opened.post_all([[_asks(each) for each in some] for some in batched(people)])
    mails = await _arrivals(opened, len(people))
    return {
        **_row("one instance each", kind, opened, people, mails),
        "counted_s": None,
        **await _cost(opened, before, used),
    }


def _asks(shopper: Shopper) -> Event:
    """Return the event that starts a journey whose first step is a mail."""
    data = {"customer_id": shopper.customer_id, "purpose": "news", "channel": "email"}
    return {"specversion": "1.0", "id": f"ask-{shopper.number}", "type": "consent-requested", "data": data}


async def _asked(opened: House) -> str:
    give_up_s = time.monotonic() + 600
    while time.monotonic() < give_up_s:
        if waiting := await opened.app.approvals.list():
            return waiting[0].approval_id
        await asyncio.sleep(_LOOK_EVERY_S)
    raise UnrestError("nobody is asked to approve")


async def _arrivals(opened: House, expected: int) -> list[tuple[str, int]]:
    """Return every mail with its time of arrival, once all have come."""
    give_up_s = time.monotonic() + 120 + expected * 0.2
    mails: list[tuple[str, int]] = []
    while len(mails) < expected:
        mails += opened.mails.new()
        if time.monotonic() > give_up_s:
            raise UnrestError(f"{len(mails)} of {expected} mails")
        await asyncio.sleep(_LOOK_EVERY_S)
    return mails


def _row(way: str, kind: Kind, opened: House, people: Sequence[Shopper], mails: Sequence[tuple[str, int]]) -> Row:
    times = sorted(at_ns for _, at_ns in mails)
    lasted_s = (times[-1] - times[0]) / _NS
    copies = Counter(to for to, _ in mails)
    return {
        "way": way,
        "database": kind,
        "workers": opened.workers,
        "recipients": len(people),
        "lasted_s": round(lasted_s, 1),
        "per_s": round((len(mails) - 1) / lasted_s, 1) if lasted_s else None,
        "doubled": sum(count - 1 for count in copies.values()),
    }


async def _cost(opened: House, before: Any, used: Any) -> Row:  # noqa: ANN401 -- counts of the broker, and usage by part
    after, now = await opened.broker.counts(), opened.usage()
    return {
        "instances": after.started - before.started,
        "jobs": after.jobs_created - before.jobs_created,
        "cpu_s": {name: round(now[name].cpu_s - used[name].cpu_s, 2) for name in used if name in now},
    }
