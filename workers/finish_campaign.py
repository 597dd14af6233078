"""Task `finish-campaign`: write down how a campaign ended."""

from dataclasses import dataclass

from waggle.services.campaign_running import CampaignRunning
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishCampaign:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignFinished:
    campaign_outcome: str
    """sent, stopped, refused, not_approved, nobody or too_large."""
    campaign_reason: str
    """How many were sent and how many were not."""
    sent_count: int
    suppressed_count: int
    failed_count: int
    in_doubt_count: int


@task("finish-campaign")
async def finish_campaign(job: FinishCampaign, running: CampaignRunning) -> CampaignFinished:
    """Count every recipient, once it is over.

    Raises:
        PermanentFailure: CAMPAIGN_NOT_REQUESTED.
    """
    found = await running.finish(job.enrolment_id)
    return CampaignFinished(
        campaign_outcome=found.outcome,
        campaign_reason=found.reason,
        sent_count=found.sent,
        suppressed_count=found.suppressed,
        failed_count=found.failed,
        in_doubt_count=found.in_doubt,
    )
