"""Task `send-campaign-batch`: send a stretch of a campaign."""

from dataclasses import dataclass
from datetime import timedelta

from waggle.domain.message import MARKETING
from waggle.services.campaign_running import CampaignRunning
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCampaignBatch:
    enrolment_id: str
    stretch: timedelta
    """How long one job sends before the diagram looks again; ISO 8601 in the diagram."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignBatchSent:
    batch_sent: int


@task("send-campaign-batch", timeout_s=180, side_effect=True, in_doubt=MARKETING.in_doubt)
async def send_campaign_batch(job: SendCampaignBatch, running: CampaignRunning) -> CampaignBatchSent:
    """Send to recipients that are due, each checked like every other message; several may be at it at once.

    Raises:
        TemporaryFailure: the database is away; the engine tries again.
        PermanentFailure: CAMPAIGN_NOT_REQUESTED, or CAMPAIGN_UNKNOWN.
    """
    return CampaignBatchSent(batch_sent=await running.send_stretch(job.enrolment_id, job.stretch))
