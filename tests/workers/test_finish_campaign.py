import pytest

from waggle.testing.campaigns import stage
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from workers.finish_campaign import CampaignFinished, FinishCampaign, finish_campaign

pytestmark = pytest.mark.anyio


async def test_the_end_is_told_in_numbers_and_the_same_again(shop: Shop) -> None:
    await shop.customer("c-1")
    await shop.tell("customer-identified", {"customer_id": "c-2", "email": "c-2@example.com"})
    played = stage(shop.store, shop.clock, RecordingSender())
    job = FinishCampaign(enrolment_id=await played.begin(shop))
    await played.send_all(job.enrolment_id)

    told = [await finish_campaign(job, played.running) for _ in range(2)]

    finished = CampaignFinished(
        campaign_outcome="sent",
        campaign_reason="1 sent, 1 not sent",
        sent_count=1,
        suppressed_count=1,
        failed_count=0,
        in_doubt_count=0,
    )
    assert told == [finished] * 2


async def test_a_campaign_that_nobody_approved_sent_nothing(shop: Shop) -> None:
    await shop.customer("c-1")
    played = stage(shop.store, shop.clock, RecordingSender())
    job = FinishCampaign(enrolment_id=await played.begin(shop))

    assert (await finish_campaign(job, played.running)).campaign_outcome == "refused"
