"""Calls that are signed as Standard Webhooks asks, whoever makes them."""

from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook as Library

from connectors.standard_webhooks import StandardWebhooksSettings
from connectors.standard_webhooks.webhook import StandardWebhook
from tests.connectors.vendors import NOW, WHSEC, facts, standard, vendors
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, Rejected
from waggle.ports.sources import WebhookRequest

VENDOR = vendors()["standard_webhooks"]


def test_a_mapping_says_what_the_fields_mean() -> None:
    delivery = VENDOR.told("", "stock_moved")

    [(event_type, time, data)] = facts(delivery)
    assert (event_type, data) == ("stock-changed", {"sku": "HONEY-500", "quantity": 14})
    assert time is not None
    assert datetime.fromisoformat(time) == datetime(2026, 5, 4, 9, 58, tzinfo=UTC)
    assert (delivery.topic, delivery.items[0]["id"]) == ("stock.moved", "d-1")


def test_without_a_mapping_the_body_is_an_envelope_of_ours_and_its_source_is_ours_to_say() -> None:
    webhook = StandardWebhook(StandardWebhooksSettings(secret=Secret(WHSEC)))
    body = VENDOR.body("own_vocabulary")
    call = webhook.verify(VENDOR.request(body), NOW)

    [item] = webhook.read(call, body, NOW).items
    assert item == {
        "specversion": "1.0",
        "id": "erp-1",
        "type": "stock-changed",
        "time": "2026-05-04T09:58:00Z",
        "data": {"sku": "HONEY-500", "quantity": 14},
    }


def test_a_body_that_the_mapping_does_not_fit_is_unreadable() -> None:
    body = (
        b'{"type": "stock.moved", "timestamp": "2026-05-04T09:58:00Z", "data": {"article": "HONEY-500", "left": "x"}}'
    )
    call = VENDOR.webhook.verify(VENDOR.request(body), NOW)

    with pytest.raises(Rejected, match="PAYLOAD_UNREADABLE"):
        VENDOR.webhook.read(call, body, NOW)


@pytest.mark.parametrize("body", [b'{"a": 1}', '{"a": "ż🐝"}'.encode(), b""], ids=repr)
def test_what_the_library_of_the_standard_signs_is_good(body: bytes) -> None:
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(NOW.timestamp())),
        "webhook-signature": Library(WHSEC).sign("msg_1", NOW, body.decode()),
    }

    assert VENDOR.webhook.verify(WebhookRequest(headers, body), NOW).delivery_id == "msg_1"
    assert headers["webhook-signature"] == standard(WHSEC).sign("", body, "msg_1", NOW)["webhook-signature"]


def test_one_good_signature_among_several_is_enough() -> None:
    request = VENDOR.request()
    several = f"v1a,AAAA v1,BBBB {request.headers['webhook-signature']} v2,CCCC"

    VENDOR.webhook.verify(WebhookRequest({**request.headers, "webhook-signature": several}, request.body), NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "whsec_é", "plain text"], ids=repr)
def test_a_secret_of_another_form_is_refused(secret: str) -> None:
    with pytest.raises(BadSettings, match="WEBHOOK_SECRET"):
        StandardWebhooksSettings(secret=Secret(secret))
