from dataclasses import replace

import pytest

from waggle.domain.coupon import CouponState
from waggle.errors import PermanentFailure
from waggle.resources import shipped
from waggle.services.coupons import Coupons, load_campaigns
from waggle.testing.facts import Shop
from workers.return_coupon import ReturnCoupon, return_coupon

pytestmark = pytest.mark.anyio


@pytest.fixture
def coupons(shop: Shop) -> Coupons:
    return Coupons(shop.store, load_campaigns(shipped("config")), shop.clock)


async def stand(shop: Shop, coupon_id: str, state: CouponState) -> None:
    coupon = await shop.store.read(lambda tx: tx.coupons.get(coupon_id))
    assert coupon is not None
    await shop.store.run(lambda tx: tx.coupons.save(replace(coupon, state=state)))


@pytest.mark.parametrize(("state", "returned"), [("reserved", True), ("issued", True), ("redeemed", False)])
async def test_a_coupon_that_was_not_used_is_taken_back_once_with_its_budget(
    shop: Shop, coupons: Coupons, enrolment_id: str, state: CouponState, returned: bool
) -> None:
    coupon_id = await coupons.issue(enrolment_id=enrolment_id, step="coupon", campaign="cart-10")
    await stand(shop, coupon_id, state)
    job = ReturnCoupon(enrolment_id=enrolment_id, step="return", coupon_id=coupon_id)

    assert [(await return_coupon(job, coupons)).coupon_returned for _ in range(2)] == [returned] * 2
    use = await shop.store.read(lambda tx: tx.coupons.budget_use("cart-10"))
    assert use.count == (0 if returned else 1)


async def test_where_there_was_none_there_is_nothing_to_take_back(coupons: Coupons, enrolment_id: str) -> None:
    job = ReturnCoupon(enrolment_id=enrolment_id, step="return", coupon_id=None)

    assert not (await return_coupon(job, coupons)).coupon_returned


async def test_the_coupon_of_another_journey_is_not_touched(shop: Shop, coupons: Coupons, enrolment_id: str) -> None:
    await shop.cart("cart-2", "c-2")
    other = (await shop.enrolment("cart-2")).enrolment_id
    coupon_id = await coupons.issue(enrolment_id=other, step="coupon", campaign="cart-10")

    with pytest.raises(PermanentFailure, match="COUPON_OF_ANOTHER"):
        await return_coupon(ReturnCoupon(enrolment_id=enrolment_id, step="return", coupon_id=coupon_id), coupons)
