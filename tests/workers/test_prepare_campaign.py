import pytest

from waggle.errors import PermanentFailure
from waggle.testing.campaigns import stage
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from workers.prepare_campaign import CampaignPrepared, PrepareCampaign, prepare_campaign

pytestmark = pytest.mark.anyio


async def test_it_counts_once_and_tells_the_same_again(shop: Shop) -> None:
    await shop.customer("c-1")
    played = stage(shop.store, shop.clock, RecordingSender())
    job = PrepareCampaign(enrolment_id=await played.begin(shop))
    await shop.customer("c-2")

    told = [await prepare_campaign(job, played.running) for _ in range(2)]

    assert told == [CampaignPrepared(campaign_ready=True, recipient_count=1)] * 2


async def test_an_invented_enrolment_is_an_incident(shop: Shop) -> None:
    played = stage(shop.store, shop.clock, RecordingSender())

    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await prepare_campaign(PrepareCampaign(enrolment_id="by-hand"), played.running)
