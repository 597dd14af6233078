"""The desk for campaigns: begin, pause, resume and stop one, and see how far it is."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Final, Literal

from waggle.domain.campaign import Campaign, CampaignWish
from waggle.domain.event import CampaignRequested
from waggle.errors import Rejected
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.campaign_files import CampaignBook
from waggle.services.campaign_requests import note
from waggle.services.journeys import JourneyBook
from waggle.services.own_facts import tell

JOURNEY: Final = "campaign"
"""Process id of the diagram that steers."""

CampaignState = Literal["requested", "waiting", "sending", "paused", "stopping", "ended"]
"""`waiting`: for a person's approval, or still being prepared."""

_MOST_LISTED = 50
_ACTIONS: Final[Mapping[CampaignWish, str]] = {
    "go": "campaign-resumed",
    "pause": "campaign-paused",
    "stop": "campaign-stopped",
}


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """One run, for people on duty."""

    campaign_id: str
    campaign: str
    title: str
    state: CampaignState
    outcome: str | None
    requested_by: str | None
    requested_at: datetime
    counted: int | None
    planned: int


@dataclass(frozen=True, slots=True)
class CampaignProgress:
    """How far one run is; the results add up to what is planned."""

    line: CampaignLine
    results: Mapping[str, int]
    """`state` or `state: reason` -> recipients."""
    sent: int
    final: int
    started_at: datetime | None
    ended_at: datetime | None


class Campaigns:
    """For marketers; each decision is in the audit log."""

    def __init__(self, store: UnitOfWork, book: CampaignBook, journeys: JourneyBook, clock: Clock) -> None:
        self._store = store
        self._book = book
        self._journeys = journeys
        self._clock = clock

    @property
    def names(self) -> list[str]:
        """What may be started."""
        return self._book.names

    async def start(self, name: str, *, by: str, campaign_id: str | None = None) -> str:
        """Ask for a run of the campaign *name* and return its id; nothing leaves before a person has approved it.

        Raises:
            BadSettings: CAMPAIGN_UNKNOWN.
            Rejected: JOURNEY_OFF, the journey `campaign` is not enabled; CAMPAIGN_RUNS, there is one of this id.
        """
        self._book.get(name)
        if not self._journeys.enabled(JOURNEY):
            raise Rejected("JOURNEY_OFF", "config/journeys/campaign.toml says enabled = false: set it to true")

        def request(tx: Transaction) -> str:
            now = self._clock.now()
            run = campaign_id or f"{name}-{now:%Y%m%d}-{uuid.uuid4().hex[:6]}"
            if tx.campaigns.get(run) is not None:
                raise Rejected("CAMPAIGN_RUNS", f"{run} was requested before")
            fact = CampaignRequested(campaign_id=run, campaign=name, requested_by=by)
            tell(tx, "campaign-requested", f"{run}:requested", asdict(fact), now)
            note(tx, fact, now)
            _note(tx, run, "campaign-requested", by, now, campaign=name)
            return run

        return await self._store.run(request)

    async def wish(self, campaign_id: str, wish: CampaignWish, *, by: str) -> CampaignLine:
        """Pause, resume or stop a run: no further message is begun, within moments.

        Raises:
            Rejected: CAMPAIGN_UNKNOWN, CAMPAIGN_ENDED, or CAMPAIGN_STOPPED: what was stopped does not go on.
        """

        def change(tx: Transaction) -> CampaignLine:
            now = self._clock.now()
            campaign = _known(tx, campaign_id)
            if campaign.ended_at is not None:
                raise Rejected("CAMPAIGN_ENDED", f"{campaign_id} has ended: {campaign.outcome}")
            if campaign.wish == "stop" and wish != "stop":
                raise Rejected("CAMPAIGN_STOPPED", f"{campaign_id} was stopped: start a new one")
            if campaign.wish != wish:
                campaign = replace(campaign, wish=wish)
                tx.campaigns.save(campaign)
                _note(tx, campaign_id, _ACTIONS[wish], by, now)
            if wish == "stop" and campaign.enrolment_id is not None:
                for question in tx.approvals.waiting_of(campaign.enrolment_id):
                    tx.approvals.save(
                        replace(question, state="decided", answer="withdrawn", decided_by=by, decided_at=now)
                    )
            return self._line(campaign)

        return await self._store.run(change)

    async def list(self) -> list[CampaignLine]:
        """Return the runs requested last, the newest first."""
        found = await self._store.read(lambda tx: tx.campaigns.newest(_MOST_LISTED))
        return [self._line(each) for each in found]

    async def show(self, campaign_id: str) -> CampaignProgress:
        """Return how far a run is; it counts every recipient.

        Raises:
            Rejected: CAMPAIGN_UNKNOWN.
        """

        def read(tx: Transaction) -> tuple[Campaign, Mapping[tuple[str, str], int]]:
            campaign = _known(tx, campaign_id)
            return campaign, tx.campaigns.results(campaign.enrolment_id) if campaign.enrolment_id is not None else {}

        campaign, results = await self._store.read(read)
        told: dict[str, int] = {}
        for (state, reason), count in sorted(results.items()):
            word = state if not reason or reason == "ok" else f"{state}: {reason}"
            told[word] = told.get(word, 0) + count
        return CampaignProgress(
            line=self._line(campaign),
            results=told,
            sent=_count(results, "sent"),
            final=_count(results, "sent", "suppressed", "failed", "in_doubt"),
            started_at=campaign.started_at,
            ended_at=campaign.ended_at,
        )

    def _line(self, campaign: Campaign) -> CampaignLine:
        known = campaign.campaign in self._book.names
        return CampaignLine(
            campaign_id=campaign.campaign_id,
            campaign=campaign.campaign,
            title=self._book.get(campaign.campaign).title if known else campaign.campaign,
            state=_state(campaign),
            outcome=campaign.outcome,
            requested_by=campaign.requested_by,
            requested_at=campaign.requested_at,
            counted=campaign.counted,
            planned=campaign.planned,
        )


def _state(campaign: Campaign) -> CampaignState:
    if campaign.ended_at is not None:
        return "ended"
    if campaign.wish != "go":
        return "paused" if campaign.wish == "pause" else "stopping"
    if campaign.started_at is not None:
        return "sending"
    return "requested" if campaign.enrolment_id is None else "waiting"


def _count(results: Mapping[tuple[str, str], int], *states: str) -> int:
    return sum(count for (state, _), count in results.items() if state in states)


def _known(tx: Transaction, campaign_id: str) -> Campaign:
    campaign = tx.campaigns.get(campaign_id)
    if campaign is None:
        raise Rejected("CAMPAIGN_UNKNOWN", f"there is no campaign {campaign_id!r}; `waggle campaigns list` shows them")
    return campaign


def _note(tx: Transaction, run: str, action: str, by: str, at: datetime, **detail: str) -> None:
    tx.audit.add(AuditEntry(at=at, actor=by, action=action, subject=run, why="", detail=detail))
