from dataclasses import replace

import pytest

from waggle.errors import PermanentFailure, Rejected
from waggle.resources import shipped
from waggle.services.coupons import Coupons, load_campaigns
from waggle.task import declared_task
from waggle.testing.facts import Shop
from workers.issue_coupon import IssueCoupon, issue_coupon

pytestmark = pytest.mark.anyio


def job(enrolment_id: str, campaign: str = "cart-10") -> IssueCoupon:
    return IssueCoupon(enrolment_id=enrolment_id, step="coupon", coupon_campaign=campaign)


async def test_a_repeated_job_gets_the_coupon_it_got_before(shop: Shop, enrolment_id: str) -> None:
    coupons = Coupons(shop.store, load_campaigns(shipped("config")), shop.clock)

    first, second = [await issue_coupon(job(enrolment_id), coupons) for _ in range(2)]

    assert first == second
    found = await shop.store.read(lambda tx: tx.coupons.get(first.coupon_id))
    assert found is not None
    assert (found.campaign, found.state) == ("cart-10", "reserved")


async def test_an_exhausted_budget_is_what_the_diagram_can_catch(shop: Shop, enrolment_id: str) -> None:
    spent = replace(load_campaigns(shipped("config"))["cart-10"], budget_count=0)
    coupons = Coupons(shop.store, {"cart-10": spent}, shop.clock)

    with pytest.raises(Rejected) as rejected:
        await issue_coupon(job(enrolment_id), coupons)

    task = declared_task(issue_coupon)
    assert task is not None
    assert task.throws == {rejected.value.code} == {"COUPON_BUDGET_EXHAUSTED"}


async def test_a_campaign_that_is_not_declared_is_an_incident(shop: Shop, enrolment_id: str) -> None:
    with pytest.raises(PermanentFailure, match="CAMPAIGN_UNKNOWN"):
        await issue_coupon(job(enrolment_id, "cart-99"), Coupons(shop.store, {}, shop.clock))
