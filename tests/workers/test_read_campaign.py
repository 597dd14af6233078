from datetime import timedelta

import pytest

from waggle.testing.campaigns import stage
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from workers.read_campaign import CampaignRead, ReadCampaign, read_campaign

pytestmark = pytest.mark.anyio


async def test_it_goes_on_at_once_later_or_not_at_all(shop: Shop) -> None:
    await shop.customer("c-1")
    played = stage(shop.store, shop.clock, RecordingSender())
    job = ReadCampaign(enrolment_id=await played.begin(shop), look_every=timedelta(minutes=2))
    now = shop.clock.now()

    assert await read_campaign(job, played.running) == CampaignRead(all_served=False, look_again_at=now)
    await played.desk.wish("news-1", "pause", by="kim")
    later = now + timedelta(minutes=2)
    assert await read_campaign(job, played.running) == CampaignRead(all_served=False, look_again_at=later)
    await played.desk.wish("news-1", "go", by="kim")
    await played.send_all(job.enrolment_id)
    assert (await read_campaign(job, played.running)).all_served
