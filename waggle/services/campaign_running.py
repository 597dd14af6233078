"""What the one instance of a campaign has done by workers: count, plan, send a stretch, look, finish.

A recipient is a message row like any other, (enrolment_id, step), with one step per person; it is planned in the same
transaction in which the cursor moves on over the segment, so that nobody is left out or planned twice, whatever dies.
"""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from math import ceil
from typing import Final

from waggle.domain.campaign import Campaign, recipient_step
from waggle.domain.enrolment import is_held_out
from waggle.domain.message import MARKETING, Message
from waggle.domain.segment import PersonFacts
from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.campaign_files import CampaignBook, CampaignFile
from waggle.services.message_closing import close
from waggle.services.segments import Members, Segments
from waggle.services.sending import CHANNEL, Sending

log = get_logger(__name__)

MOST_OPEN: Final = 20_000
"""So many recipients may wait (for the morning, say) before no more are planned: rows that wait cost whoever sweeps."""
_CHUNK: Final = 64
_AT_ONCE: Final = 32
"""Under way, of one chunk: more than a mail server is given connections, so that there is always somebody next."""
_BEGUN_AT_ONCE: Final = 16
_CLOSED_AT_ONCE: Final = 500
_BURST: Final = timedelta(seconds=5)
"""How far ahead the messages per minute may be used up."""
_BREATH_S: Final = 1.0
"""Rather some messages each second than one at a time."""
_RESERVED_FOR: Final = timedelta(minutes=3)
"""Longer than a chunk takes: over, its rows are free for others, since the process that had them is gone."""
_LONGEST_SEND_S: Final = 90.0
_RESTING: Final = "PROVIDER_RESTING"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a campaign would be; `ready` is false if there is nobody in it, or more than it may have."""

    ready: bool
    recipients: int


@dataclass(frozen=True, slots=True)
class Look:
    """Whether nobody is left, and else when to go on."""

    all_served: bool
    look_again_at: datetime


@dataclass(frozen=True, slots=True)
class Finished:
    """How a campaign ended, in numbers."""

    outcome: str
    reason: str
    sent: int
    suppressed: int
    failed: int
    in_doubt: int


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Recipients to send to now; none: nothing is due, or somebody wants it to rest."""

    steps: Sequence[tuple[str, str]]
    may_plan: bool = False
    stopped: bool = False
    wait_s: float = 0.0
    """The messages per minute are used up for so long."""


class CampaignRunning:
    """The steps of the diagram `campaign`; each may be done again, or by several at once."""

    def __init__(
        self, store: UnitOfWork, book: CampaignBook, segments: Segments, sending: Sending, clock: Clock
    ) -> None:
        self._store = store
        self._book = book
        self._segments = segments
        self._sending = sending
        self._clock = clock

    async def prepare(self, enrolment_id: str) -> Prepared:
        """Count the segment, so that whoever approves knows how many it is.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN, CAMPAIGN_NOT_REQUESTED, or CAMPAIGN_UNKNOWN: its file is gone.
        """
        campaign = await self._store.run(partial(_bound, enrolment_id=enrolment_id))
        file = self._file(campaign)
        if campaign.counted is None:
            counted = await self._segments.count(file.segment)

            def keep_count(tx: Transaction) -> Campaign:
                known = _of(tx, enrolment_id)
                kept = replace(known, counted=counted if known.counted is None else known.counted)
                tx.campaigns.save(kept)
                return kept

            campaign = await self._store.run(keep_count)
        recipients = campaign.counted or 0
        return Prepared(ready=0 < recipients <= file.most_recipients, recipients=recipients)

    async def send_stretch(self, enrolment_id: str, stretch: timedelta) -> int:
        """Plan and send for about *stretch*, or until nothing can be done now, and return how many have left.

        Raises:
            TemporaryFailure: the database is away.
            PermanentFailure: CAMPAIGN_NOT_REQUESTED, or CAMPAIGN_UNKNOWN.
        """
        file = self._file(await self._store.read(partial(_of, enrolment_id=enrolment_id)))
        end_s = time.monotonic() + stretch.total_seconds()
        sent = 0
        # Even a stretch of nothing does one turn, so that a campaign always goes on.
        while True:
            chunk = await self._store.run(partial(self._reserve, enrolment_id=enrolment_id, file=file))
            left_s = end_s - time.monotonic()
            if chunk.steps:
                sent += await self._send(enrolment_id, chunk.steps, file)
            elif chunk.wait_s:
                if chunk.wait_s > left_s:
                    break
                await asyncio.sleep(chunk.wait_s)
            elif chunk.stopped:
                if not await self._store.run(partial(self._close_some, enrolment_id=enrolment_id)):
                    break
            elif not (chunk.may_plan and await self._plan(enrolment_id, file)):
                break
            if time.monotonic() >= end_s:
                break
        log.info("stretch of a campaign done", enrolment_id=enrolment_id, sent=sent)
        return sent

    async def look(self, enrolment_id: str, look_every: timedelta) -> Look:
        """Say whether it is over, and else when to go on.

        Raises:
            PermanentFailure: CAMPAIGN_NOT_REQUESTED.
        """

        def read(tx: Transaction) -> Look:
            now = self._clock.now()
            campaign = _of(tx, enrolment_id)
            any_open = bool(tx.campaigns.count_open(enrolment_id, 1))
            later = now + look_every
            enrolment = tx.enrolments.get(enrolment_id)
            if enrolment is None or not enrolment.live:
                return Look(all_served=True, look_again_at=now)
            if campaign.wish == "stop":
                # What was begun is let end, what only waits is closed.
                some = tx.campaigns.open_messages(enrolment_id, _CLOSED_AT_ONCE)
                if any(message.state == "planned" for message in some):
                    return Look(all_served=False, look_again_at=now)
                return Look(all_served=not some, look_again_at=min(now + _BURST, later))
            if campaign.walked and not any_open:
                return Look(all_served=True, look_again_at=now)
            if campaign.wish == "pause":
                return Look(all_served=False, look_again_at=later)
            ready_at = tx.campaigns.next_due_at(enrolment_id) if any_open else now
            may_plan = not campaign.walked and tx.campaigns.count_open(enrolment_id, MOST_OPEN) < MOST_OPEN
            if may_plan or ready_at is None:
                ready_at = now
            if campaign.paced_until is not None:
                ready_at = max(ready_at, campaign.paced_until - _BURST)
            return Look(all_served=False, look_again_at=min(max(ready_at, now), later))

        return await self._store.read(read)

    async def finish(self, enrolment_id: str) -> Finished:
        """Say how it ended, once.

        Raises:
            PermanentFailure: CAMPAIGN_NOT_REQUESTED.
        """

        def end(tx: Transaction) -> Finished:
            campaign = _of(tx, enrolment_id)
            if campaign.ended_at is None:
                outcome = self._outcome(tx, campaign)
                campaign = replace(campaign, ended_at=self._clock.now(), outcome=outcome)
                tx.campaigns.save(campaign)
            results = tx.campaigns.results(enrolment_id)

            def count(state: str) -> int:
                return sum(number for (found, _), number in results.items() if found == state)

            counts = (count("sent"), count("suppressed"), count("failed"), count("in_doubt"))
            reason = f"{counts[0]} sent, {sum(counts[1:])} not sent"
            return Finished(campaign.outcome or "", reason if campaign.started_at is not None else "", *counts)

        return await self._store.run(end)

    def _outcome(self, tx: Transaction, campaign: Campaign) -> str:
        if campaign.wish == "stop":
            return "stopped"
        if campaign.started_at is not None:
            return "sent"
        if not campaign.counted:
            return "nobody"
        if campaign.counted > self._file(campaign).most_recipients:
            return "too_large"
        asked = tx.approvals.waiting_of(campaign.enrolment_id or "")
        return "not_approved" if asked else "refused"

    def _file(self, campaign: Campaign) -> CampaignFile:
        if campaign.campaign not in self._book.names:
            raise PermanentFailure(
                "CAMPAIGN_UNKNOWN", f"there is no config/campaigns/{campaign.campaign}.toml any more"
            )
        return self._book.get(campaign.campaign)

    def _reserve(self, tx: Transaction, enrolment_id: str, file: CampaignFile) -> _Chunk:
        """Take the recipients that are due and that the messages per minute allow, out of the way of others."""
        now = self._clock.now()
        campaign = _of(tx, enrolment_id)
        enrolment = tx.enrolments.get(enrolment_id)
        if enrolment is None or not enrolment.live or campaign.wish != "go":
            return _Chunk((), stopped=campaign.wish == "stop")
        if campaign.started_at is None:
            campaign = replace(campaign, started_at=now)
            tx.campaigns.save(campaign)
        per_message = timedelta(minutes=1) / file.messages_per_minute
        begin = max(now, campaign.paced_until or now)
        allowed = min(_CHUNK, ceil((now + _BURST - begin) / per_message))
        if allowed <= 0:
            return _Chunk((), wait_s=(begin - _BURST - now).total_seconds() + _BREATH_S)
        due = tx.campaigns.due(enrolment_id, now, allowed)
        if not due:
            open_ones = tx.campaigns.count_open(enrolment_id, MOST_OPEN)
            return _Chunk((), may_plan=not campaign.walked and open_ones < MOST_OPEN)
        tx.campaigns.reserve([message_id for message_id, _ in due], now + _RESERVED_FOR)
        tx.campaigns.save(replace(campaign, paced_until=begin + len(due) * per_message))
        return _Chunk(due)

    async def _plan(self, enrolment_id: str, file: CampaignFile) -> bool:
        """Plan the next page of the segment and say whether that was worth another look."""
        campaign = await self._store.read(partial(_of, enrolment_id=enrolment_id))
        members = await self._segments.members(file.segment, campaign.cursor)
        purpose = self._sending.purpose(file.template)

        def keep_page(tx: Transaction) -> bool:
            now = self._clock.now()
            known = _of(tx, enrolment_id)
            if known.walked or known.wish != "go":
                return False
            if known.cursor != campaign.cursor:
                # Somebody else planned this page meanwhile.
                return True
            rows = [self._row(known, person, file, purpose, now) for person in members.persons]
            new = tx.campaigns.plan(rows)
            self._hold_out(tx, known, rows, members, now)
            moved = replace(known, cursor=members.cursor, walked=members.last, planned=known.planned + new)
            tx.campaigns.save(moved)
            return True

        return await self._store.run(keep_page)

    def _row(self, campaign: Campaign, person: PersonFacts, file: CampaignFile, purpose: str, now: datetime) -> Message:
        enrolment_id = campaign.enrolment_id or ""
        return Message(
            message_id=str(uuid.uuid4()),
            enrolment_id=enrolment_id,
            step=recipient_step(enrolment_id, person.customer_id),
            customer_id=person.customer_id,
            cart_id=None,
            channel=CHANNEL,
            purpose=purpose,
            template=file.template,
            coupon_id=None,
            state="planned",
            reason="",
            planned_at=now,
            not_before_at=now,
            expires_at=now + file.valid_for,
            in_doubt=MARKETING.in_doubt,
        )

    def _hold_out(
        self,
        tx: Transaction,
        campaign: Campaign,
        rows: Sequence[Message],
        members: Members,
        now: datetime,
    ) -> None:
        """Close the messages of those who are held out, so that the effect of the others' can be measured."""
        percent = self._file(campaign).holdout_percent
        if not percent:
            return
        name = f"campaign:{campaign.campaign}"
        for row, person in zip(rows, members.persons, strict=True):
            if is_held_out(name, person.customer_id, percent):
                planned = tx.messages.get(row.enrolment_id, row.step)
                if planned is not None and planned.state == "planned":
                    close(tx, planned, "suppressed", "holdout", now)

    async def _send(self, enrolment_id: str, steps: Sequence[tuple[str, str]], file: CampaignFile) -> int:
        sends: list[asyncio.Task[bool]] = []
        try:
            for begin in range(0, len(steps), _BEGUN_AT_ONCE):
                # Those that begin together are claimed together; meanwhile the last of those before leave.
                await _until_few(sends, _AT_ONCE - _BEGUN_AT_ONCE)
                sends += [
                    asyncio.create_task(self._send_one(enrolment_id, message_id, step, file))
                    for message_id, step in steps[begin : begin + _BEGUN_AT_ONCE]
                ]
            await _until_few(sends, 0)
        finally:
            # Cancelled with their caller, those at the mail server's door would be in doubt for ever.
            results = await asyncio.gather(*sends, return_exceptions=True)
        failed = next((result for result in results if isinstance(result, BaseException)), None)
        if failed is not None:
            raise failed
        return sum(result is True for result in results)

    async def _send_one(self, enrolment_id: str, message_id: str, step: str, file: CampaignFile) -> bool:
        """Send to one recipient and say whether it left; whatever goes wrong with one is not the others' trouble."""
        try:
            async with asyncio.timeout(_LONGEST_SEND_S):
                sent = await self._sending.send(
                    enrolment_id=enrolment_id, step=step, template=file.template, coupon_id=None, sender=file.sender
                )
        except TimeoutError:
            # Its row says how far it came; the next who takes it up goes on from there.
            log.warning("recipient took too long", message_id=message_id, limit_s=_LONGEST_SEND_S)
            return False
        except TemporaryFailure as failure:
            if failure.code.startswith("DATABASE_"):
                raise
            until = self._clock.now() + timedelta(seconds=failure.retry_after_s)
            await self._store.run(partial(_put_off, enrolment_id, message_id, until, rest=failure.code == _RESTING))
            return False
        except PermanentFailure as failure:
            log.warning("recipient cannot be written to", message_id=message_id, code=failure.code)
            await self._store.run(partial(_give_up, message_id, failure.code.lower(), self._clock.now()))
            return False
        return sent.outcome == "sent"

    def _close_some(self, tx: Transaction, enrolment_id: str) -> int:
        """Close messages of a stopped campaign that only wait; return how many."""
        now = self._clock.now()
        waiting = [
            message
            for message in tx.campaigns.open_messages(enrolment_id, _CLOSED_AT_ONCE)
            if message.state == "planned" or (message.state == "claimed" and (message.lease_until or now) <= now)
        ]
        for message in waiting:
            close(tx, message, "suppressed", "campaign_stopped", now)
        return len(waiting)


async def _until_few(sends: Sequence[asyncio.Task[bool]], most: int) -> None:
    """Wait until no more than *most* are under way."""
    under_way = {send for send in sends if not send.done()}
    while len(under_way) > most:
        _, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)


def _put_off(enrolment_id: str, message_id: str, until: datetime, tx: Transaction, *, rest: bool) -> None:
    tx.campaigns.postpone(message_id, until)
    if rest:
        campaign = _of(tx, enrolment_id)
        # Nobody needs to ask a provider that rests.
        tx.campaigns.save(replace(campaign, paced_until=max(until + _BURST, campaign.paced_until or until)))


def _give_up(message_id: str, reason: str, now: datetime, tx: Transaction) -> None:
    message = tx.messages.by_id(message_id)
    if message is not None and not message.final and message.state != "handed_over":
        close(tx, message, "failed", reason, now)


def _of(tx: Transaction, enrolment_id: str) -> Campaign:
    campaign = tx.campaigns.of_enrolment(enrolment_id)
    if campaign is None:
        raise PermanentFailure("CAMPAIGN_NOT_REQUESTED", enrolment_id)
    return campaign


def _bound(tx: Transaction, enrolment_id: str) -> Campaign:
    """Return the campaign that the enrolment is about, tied to it from now on."""
    enrolment = tx.enrolments.get(enrolment_id)
    if enrolment is None:
        raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
    campaign = tx.campaigns.get(enrolment.business_key)
    if campaign is None:
        raise PermanentFailure("CAMPAIGN_NOT_REQUESTED", enrolment_id)
    if campaign.enrolment_id is None:
        campaign = replace(campaign, enrolment_id=enrolment_id)
        tx.campaigns.save(campaign)
    return campaign
