"""Task `read-campaign`: how far a campaign is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from waggle.services.campaign_running import CampaignRunning
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCampaign:
    enrolment_id: str
    look_every: timedelta
    """How long a pause is waited before looking again; ISO 8601 in the diagram."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignRead:
    all_served: bool
    """Every recipient has got the message or will not get it; or the campaign was stopped."""
    look_again_at: datetime
    """When to go on: now, or later while it is paused or all that are left are to be written to later."""


@task("read-campaign")
async def read_campaign(job: ReadCampaign, running: CampaignRunning) -> CampaignRead:
    """Look, and decide nothing.

    Raises:
        PermanentFailure: CAMPAIGN_NOT_REQUESTED.
    """
    found = await running.look(job.enrolment_id, job.look_every)
    return CampaignRead(all_served=found.all_served, look_again_at=found.look_again_at)
