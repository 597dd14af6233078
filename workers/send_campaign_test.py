"""Task `send-campaign-test`: a campaign's message to the team's own addresses."""

from dataclasses import dataclass

from waggle.domain.message import MARKETING
from waggle.services.campaign_test import CampaignTest
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class SendCampaignTest:
    enrolment_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignTestSent:
    tests_sent: int
    """How many of the team's addresses got it."""


@task("send-campaign-test", timeout_s=120, side_effect=True, in_doubt=MARKETING.in_doubt)
async def send_campaign_test(job: SendCampaignTest, test: CampaignTest) -> CampaignTestSent:
    """Send it to each address of the campaign's `test_to`, once.

    Raises:
        TemporaryFailure: the mail server is away; the engine tries again.
        PermanentFailure: CAMPAIGN_NOT_REQUESTED, or CAMPAIGN_UNKNOWN.
    """
    return CampaignTestSent(tests_sent=(await test.send(job.enrolment_id)).sent)
