"""What Stripe's calls say in our words."""

import json

import pytest

from tests.connectors.vendors import facts, vendors
from waggle.domain.foreign import decoded

VENDOR = vendors()["stripe"]
AT = "2026-05-04T09:58:20+00:00"
OURS = {"order_id": "5123456789012", "customer_id": "7402150199411"}
PAYMENT = {"payment_id": "pi_3MtwBwLkdIwHu7ix28a3tqPa", "amount_minor": 3599, "currency": "EUR", **OURS}


def test_a_payment_that_succeeded_pays_the_order() -> None:
    assert facts(VENDOR.told("", "payment_intent_succeeded")) == [
        ("payment-authorised", AT, PAYMENT),
        ("order-paid", AT, OURS),
    ]


def test_a_payment_that_waits_for_its_capture_is_authorised_and_pays_nothing_yet() -> None:
    assert facts(VENDOR.told("", "payment_intent_amount_capturable_updated")) == [("payment-authorised", AT, PAYMENT)]


def test_a_payment_that_failed_says_why() -> None:
    assert facts(VENDOR.told("", "payment_intent_payment_failed")) == [
        ("payment-failed", AT, {**PAYMENT, "code": "insufficient_funds"})
    ]


def test_of_several_refunds_only_what_went_back_this_time_counts() -> None:
    assert facts(VENDOR.told("", "charge_refunded")) == [
        (
            "payment-refunded",
            AT,
            {
                "payment_id": "pi_3MtwBwLkdIwHu7ix28a3tqPa",
                "amount_minor": 600,
                "currency": "EUR",
                "order_id": "5123456789012",
            },
        )
    ]


def test_what_does_not_concern_us_says_nothing() -> None:
    assert VENDOR.told("", "invoice_created").items == []


def test_a_call_is_known_by_the_id_in_its_body_where_it_is_signed() -> None:
    assert VENDOR.told("", "payment_intent_succeeded", delivery_id="another").delivery_id == "evt_1"


@pytest.mark.parametrize(
    ("currency", "amount", "minor"), [("jpy", 500, 500), ("isk", 500, 5), ("kwd", 1230, 1230), ("mga", 5, 500)]
)
def test_the_smallest_unit_is_the_one_of_the_standard(currency: str, amount: int, minor: int) -> None:
    said = json.loads(VENDOR.body("payment_intent_succeeded"))
    said["data"]["object"] |= {"currency": currency, "amount_received": amount}
    webhook = VENDOR.webhook

    items = webhook._items("payment_intent.succeeded", decoded(json.dumps(said).encode()))  # type: ignore[attr-defined]

    assert items[0]["data"]["amount_minor"] == minor
