import pytest

from waggle.scenarios.audience import RememberedAudience
from waggle.services.audiences import Audiences
from waggle.services.effects import Effects
from waggle.testing.facts import Shop
from workers.remove_from_audience import AudienceLeft, RemoveFromAudience, remove_from_audience

pytestmark = pytest.mark.anyio


async def test_who_was_never_added_need_not_be_taken_out(shop: Shop, enrolment_id: str) -> None:
    audiences = Audiences(shop.store, Effects(shop.store, shop.clock), RememberedAudience(), shop.clock)

    assert await remove_from_audience(RemoveFromAudience(enrolment_id=enrolment_id), audiences) == AudienceLeft(
        audience_removed=False
    )
