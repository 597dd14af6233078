import pytest

from waggle.scenarios.audience import RememberedAudience
from waggle.services.audiences import Audiences
from waggle.services.effects import Effects
from waggle.testing.facts import Shop
from workers.add_to_audience import AddToAudience, AudienceJoined, add_to_audience
from workers.remove_from_audience import RemoveFromAudience, remove_from_audience

pytestmark = pytest.mark.anyio


async def test_who_is_added_can_be_taken_out_again(shop: Shop, enrolment_id: str) -> None:
    keeper = RememberedAudience()
    audiences = Audiences(shop.store, Effects(shop.store, shop.clock), keeper, shop.clock)
    job = AddToAudience(enrolment_id=enrolment_id, step="membership", audience="looked-at-honey")

    assert await add_to_audience(job, audiences) == AudienceJoined(audience_outcome="added", audience_reason="ok")
    assert len(keeper.members["looked-at-honey"]) == 1

    removed = [await remove_from_audience(RemoveFromAudience(enrolment_id=enrolment_id), audiences) for _ in range(2)]
    assert [each.audience_removed for each in removed] == [True, False]
    assert keeper.members["looked-at-honey"] == set()


async def test_the_reason_says_why_somebody_is_not_added(shop: Shop, enrolment_id: str) -> None:
    audiences = Audiences(shop.store, Effects(shop.store, shop.clock), None, shop.clock)
    job = AddToAudience(enrolment_id=enrolment_id, step="membership", audience="looked-at-honey")

    assert await add_to_audience(job, audiences) == AudienceJoined(
        audience_outcome="not_added", audience_reason="no_keeper"
    )
