from dataclasses import replace
from datetime import time

import pytest

from waggle.domain.quiet_hours import QuietHours
from waggle.errors import PermanentFailure
from waggle.ports.unit_of_work import Transaction
from waggle.services.eligibility import Eligibility
from waggle.testing import facts
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from workers.check_eligibility import CheckEligibility, EligibilityChecked, check_eligibility

pytestmark = pytest.mark.anyio


async def check(shop: Shop, enrolment_id: str, **policy: object) -> EligibilityChecked:
    eligibility = Eligibility(shop.store, facts.policy(**policy), shop.clock)
    return await check_eligibility(CheckEligibility(enrolment_id=enrolment_id), eligibility)


def no(reason: str) -> EligibilityChecked:
    return EligibilityChecked(eligible=False, eligibility_reason=reason)


YES = EligibilityChecked(eligible=True, eligibility_reason="eligible")


async def test_who_agreed_and_left_a_cart_is_eligible(shop: Shop, enrolment_id: str) -> None:
    assert await check(shop, enrolment_id) == YES


async def test_quiet_hours_are_no_reason_to_give_up(shop: Shop, enrolment_id: str) -> None:
    assert await check(shop, enrolment_id, quiet_hours=QuietHours(time(0), time(23, 59))) == YES


async def test_an_unknown_shopper_cannot_be_contacted(shop: Shop) -> None:
    await shop.cart(customer_id=None)

    assert await check(shop, (await shop.enrolment()).enrolment_id) == no("no_contact")


async def test_a_shopper_without_consent_is_not_written_to(shop: Shop) -> None:
    await shop.tell("customer-identified", {"customer_id": "c-1", "email": "ada@example.com"})
    await shop.cart()

    assert await check(shop, (await shop.enrolment()).enrolment_id) == no("no_consent")


async def test_the_first_rule_that_says_no_is_named(shop: Shop, enrolment_id: str) -> None:
    def suppress(tx: Transaction) -> None:
        tx.suppressions.add("c-1", "email", "bounced", shop.clock.now())

    def hold_out(tx: Transaction) -> None:
        found = tx.enrolments.get(enrolment_id)
        assert found is not None
        tx.enrolments.save(replace(found, held_out=True))

    await shop.tell("stock-changed", {"sku": "honey", "quantity": 0})
    assert await check(shop, enrolment_id) == no("out_of_stock")
    await shop.store.run(hold_out)
    assert await check(shop, enrolment_id) == no("holdout")
    await shop.store.run(suppress)
    assert await check(shop, enrolment_id) == no("suppressed")


async def test_who_was_written_to_lately_is_left_in_peace(
    shop: Shop, sender: RecordingSender, enrolment_id: str
) -> None:
    await facts.sending(shop.store, shop.clock, sender).send(
        enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
    )

    assert await check(shop, enrolment_id) == no("frequency_cap")


async def test_an_invented_enrolment_is_an_incident(shop: Shop) -> None:
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await check(shop, "by-hand")
