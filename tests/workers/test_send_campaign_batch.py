from datetime import timedelta

import pytest

from waggle.testing.campaigns import stage
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from workers.send_campaign_batch import CampaignBatchSent, SendCampaignBatch, send_campaign_batch

pytestmark = pytest.mark.anyio


async def test_a_stretch_sends_to_who_is_due_and_a_repeated_job_to_nobody(shop: Shop) -> None:
    await shop.customer("c-1")
    await shop.customer("c-2")
    sender = RecordingSender()
    played = stage(shop.store, shop.clock, sender)
    job = SendCampaignBatch(enrolment_id=await played.begin(shop), stretch=timedelta(seconds=20))

    told = [await send_campaign_batch(job, played.running) for _ in range(2)]

    assert told == [CampaignBatchSent(batch_sent=2), CampaignBatchSent(batch_sent=0)]
    assert len(sender.delivered) == 2
