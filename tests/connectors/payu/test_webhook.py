"""What PayU's notifications say in our words."""

import hashlib

import pytest

from connectors.payu import PayuSettings
from connectors.payu.webhook import PayuWebhook
from tests.connectors.vendors import NOW, facts, vendors
from waggle.domain.secret import Secret
from waggle.errors import Rejected
from waggle.ports.sources import WebhookRequest

VENDOR = vendors()["payu"]
PAYMENT = {
    "payment_id": "LDLW5N7MF4140324GUEST000P01",
    "amount_minor": 14990,
    "currency": "PLN",
    "order_id": "5123456789012",
}


def test_a_completed_payment_pays_the_order() -> None:
    at = "2026-05-04T10:02:00.123000+00:00"

    assert facts(VENDOR.told("", "order_completed")) == [
        ("payment-authorised", at, PAYMENT),
        ("order-paid", at, {"order_id": "5123456789012"}),
    ]


def test_a_payment_that_waits_is_authorised_and_one_that_was_cancelled_failed() -> None:
    assert facts(VENDOR.told("", "order_waiting")) == [("payment-authorised", None, PAYMENT)]
    assert facts(VENDOR.told("", "order_canceled")) == [("payment-failed", None, {**PAYMENT, "code": "canceled"})]
    assert VENDOR.told("", "order_pending").items == []


def test_a_finished_refund_is_told() -> None:
    assert facts(VENDOR.told("", "refund_finalized")) == [
        ("payment-refunded", "2026-05-12T08:00:00+00:00", {**PAYMENT, "amount_minor": 4990})
    ]


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA256", "sha256", "SHA512"])
def test_each_algorithm_of_payu_is_good(algorithm: str) -> None:
    body = VENDOR.body()
    digest = hashlib.new(algorithm.replace("-", "").lower(), body + b"right").hexdigest()
    header = f"sender=checkout;signature={digest};algorithm={algorithm};content=DOCUMENT"

    VENDOR.webhook.verify(WebhookRequest({"openpayu-signature": header}, body), NOW)


@pytest.mark.parametrize("algorithm", ["none", "", "CRC32", "SHA1"])
def test_no_other_algorithm_is(algorithm: str) -> None:
    body = VENDOR.body()
    digest = hashlib.sha1(body + b"right", usedforsecurity=False).hexdigest()
    header = f"signature={digest};algorithm={algorithm}"

    with pytest.raises(Rejected, match="SIGNATURE_WRONG"):
        VENDOR.webhook.verify(WebhookRequest({"openpayu-signature": header}, body), NOW)


def test_another_point_of_sale_is_not_ours() -> None:
    webhook = PayuWebhook(PayuSettings(second_key=Secret("right"), pos_id="1"))
    body = VENDOR.body()
    call = webhook.verify(VENDOR.request(), NOW)

    with pytest.raises(Rejected, match="merchantPosId"):
        webhook.read(call, body, NOW)
