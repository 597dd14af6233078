"""Task `prepare-campaign`: count whom a campaign is for."""

from dataclasses import dataclass

from waggle.services.campaign_running import CampaignRunning
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareCampaign:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPrepared:
    campaign_ready: bool
    """False: nobody is in its segment, or more than the campaign may have."""
    recipient_count: int


@task("prepare-campaign", timeout_s=600, concurrency=2)
async def prepare_campaign(job: PrepareCampaign, running: CampaignRunning) -> CampaignPrepared:
    """Count, a page of persons at a time; who is counted is asked again at the moment of sending.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN, CAMPAIGN_NOT_REQUESTED, or CAMPAIGN_UNKNOWN.
    """
    prepared = await running.prepare(job.enrolment_id)
    return CampaignPrepared(campaign_ready=prepared.ready, recipient_count=prepared.recipients)
