"""Each rule alone can stop a message, and quiet hours only put it off."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from waggle.domain.sending_rules import SendingFacts, Verdict, judge

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
GOOD = SendingFacts(
    now=NOON,
    expires_at=NOON + timedelta(days=1),
    enrolment_live=True,
    held_out=False,
    erased=False,
    has_address=True,
    consent_given=True,
    suppressed=False,
    cart_ordered=False,
    cart_empty=False,
    any_item_available=True,
    coupon_valid=True,
    cap_reached=False,
    quiet_until=None,
)

AGAINST: list[tuple[dict[str, Any], str]] = [
    ({"erased": True}, "customer_erased"),
    ({"cart_ordered": True}, "ordered"),
    ({"cart_empty": True}, "emptied"),
    ({"has_address": False}, "no_contact"),
    ({"consent_given": False}, "no_consent"),
    ({"suppressed": True}, "suppressed"),
    ({"held_out": True}, "holdout"),
    ({"order_cancelled": True}, "order_cancelled"),
    ({"any_item_available": False}, "out_of_stock"),
    ({"price_not_lower": True}, "price_not_lower"),
    ({"cap_reached": True}, "frequency_cap"),
    ({"coupon_valid": False}, "coupon_invalid"),
    ({"enrolment_live": False}, "journey_ended"),
    ({"now": NOON + timedelta(days=1)}, "expired"),
]


def test_nothing_against_it_is_a_yes() -> None:
    assert judge(GOOD).clear


@pytest.mark.parametrize(("against", "reason"), AGAINST)
def test_each_rule_alone_says_no_even_in_quiet_hours(against: dict[str, Any], reason: str) -> None:
    assert judge(replace(GOOD, **against)) == Verdict(reason)
    assert judge(replace(GOOD, quiet_until=NOON, **against)) == Verdict(reason)


def test_quiet_hours_alone_only_put_it_off() -> None:
    morning = NOON + timedelta(hours=21)

    assert judge(replace(GOOD, quiet_until=morning)) == Verdict("quiet_hours", morning)
