"""Nobody speaks in a system's name: the forger's list, tried on every connector that takes calls."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.connectors.vendors import HERE, NOW, Vendor, stripe_of, vendors
from waggle.domain.foreign import MAX_DEPTH
from waggle.errors import Rejected
from waggle.ports.sources import Webhook, WebhookRequest
from waggle.registry import find_connectors

GARBLED = ["x", "v1", "v1,", ",", "=", "t=", "t=1,v1=", "....", "a.b.c", "\x00", "v1,!!!", "signature=;algorithm=MD5"]
FULL_WIDTH_ONE = "\uff11"


@pytest.fixture(params=vendors().values(), ids=lambda vendor: vendor.name)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    return found


def refusal(vendor: Vendor, request: WebhookRequest, *, later: timedelta = timedelta(0)) -> str:
    with pytest.raises(Rejected) as error:
        vendor.webhook.verify(request, NOW + later)
    return error.value.code


def good_signature(vendor: Vendor, request: WebhookRequest) -> str:
    """The header's value; of PayU's only the part that is compared, since the rest of it only describes."""
    value = request.headers[vendor.signature]
    return next((part for part in value.split(";") if part.startswith("signature=")), value)


def with_header(request: WebhookRequest, name: str, value: str) -> WebhookRequest:
    return replace(request, headers={**request.headers, name: value})


def test_every_connector_that_takes_calls_is_on_the_list() -> None:
    taking = {connector.name for connector in find_connectors().values() if Webhook in connector.provides}

    assert set(vendors()) == taking


def test_the_systems_own_call_is_taken(vendor: Vendor) -> None:
    request = vendor.request()

    delivery = vendor.webhook.read(vendor.webhook.verify(request, NOW), request.body, NOW)

    assert delivery.items
    assert delivery.delivery_id


def test_a_call_without_a_signature_is_refused(vendor: Vendor) -> None:
    request = vendor.request()
    for headers in ({}, {name: value for name, value in request.headers.items() if name != vendor.signature}):
        assert refusal(vendor, replace(request, headers=headers)) == "SIGNATURE_MISSING"
    assert refusal(vendor, with_header(request, vendor.signature, "")) == "SIGNATURE_MISSING"


@pytest.mark.parametrize("garbled", GARBLED, ids=repr)
def test_a_garbled_signature_is_refused(vendor: Vendor, garbled: str) -> None:
    assert refusal(vendor, with_header(vendor.request(), vendor.signature, garbled)) == "SIGNATURE_WRONG"


def test_a_signature_cut_short_or_drawn_long_is_refused(vendor: Vendor) -> None:
    request = vendor.request()
    good = good_signature(vendor, request)
    for wrong in (good[:-1], good[:-4], good + "AAAA", good[: len(good) // 2]):
        assert refusal(vendor, with_header(request, vendor.signature, wrong)) == "SIGNATURE_WRONG"


@pytest.mark.parametrize("char", ["é", FULL_WIDTH_ONE, "\ud83d", "\U0001f41d", "\xff"], ids=ascii)
def test_letters_beyond_ascii_are_refused_like_any_other(vendor: Vendor, char: str) -> None:
    request = vendor.request()
    good = good_signature(vendor, request)
    for wrong in (char, char * 44, good + char, char + good):
        assert refusal(vendor, with_header(request, vendor.signature, wrong)) == "SIGNATURE_WRONG"


def test_ten_thousand_characters_are_refused(vendor: Vendor) -> None:
    request = vendor.request()
    good = request.headers[vendor.signature]
    for wrong in ("A" * 10_000, " ".join([good] * 1_000)[:10_000].ljust(10_000, "x"), "v1=a," * 2_000, "v1,a " * 2_000):
        assert refusal(vendor, with_header(request, vendor.signature, wrong)) == "SIGNATURE_WRONG"


def test_who_has_another_secret_is_refused(vendor: Vendor) -> None:
    body = vendor.body()

    assert refusal(vendor, WebhookRequest(vendor.sign_otherwise(vendor.topic, body, "d-1", NOW), body)) == (
        "SIGNATURE_WRONG"
    )


def test_the_same_json_written_otherwise_is_refused(vendor: Vendor) -> None:
    request = vendor.request()
    said = json.loads(request.body)
    for body in (
        json.dumps(said).encode(),
        json.dumps(said, separators=(",", ":")).encode(),
        json.dumps(said, sort_keys=True, indent=2).encode(),
        request.body + b"\n",
        request.body.strip() + b" ",
        b"",
    ):
        assert refusal(vendor, replace(request, body=body)) == "SIGNATURE_WRONG"


def test_a_body_with_one_bit_changed_is_refused(vendor: Vendor) -> None:
    request = vendor.request()
    for place in (0, len(request.body) // 2, len(request.body) - 1):
        body = bytearray(request.body)
        body[place] ^= 1
        assert refusal(vendor, replace(request, body=bytes(body))) == "SIGNATURE_WRONG"


def test_a_body_that_is_no_text_is_refused_and_not_read(vendor: Vendor) -> None:
    assert refusal(vendor, replace(vendor.request(), body=b"\xff\xfe\x00" * 1_000)) == "SIGNATURE_WRONG"


@pytest.mark.parametrize("away_s", [301, -301, 3_600, -86_400 * 400])
def test_where_the_time_is_signed_a_call_from_another_time_is_refused(vendor: Vendor, away_s: int) -> None:
    request, later = vendor.request(), timedelta(seconds=away_s)
    if vendor.signs_time:
        assert refusal(vendor, request, later=later) == "SIGNATURE_STALE"
    else:
        vendor.webhook.verify(
            request, NOW + later
        )  # known again by its id and its body, see tests/api/test_webhooks.py


@pytest.mark.parametrize("away_s", [299, -299])
def test_a_call_on_its_way_for_five_minutes_is_taken(vendor: Vendor, away_s: int) -> None:
    vendor.webhook.verify(vendor.request(), NOW + timedelta(seconds=away_s))


def test_where_id_and_time_are_signed_another_is_refused(vendor: Vendor) -> None:
    request = vendor.request()
    if vendor.signature == "webhook-signature":
        assert refusal(vendor, with_header(request, "webhook-id", "d-2")) == "SIGNATURE_WRONG"
        for time in (str(int(NOW.timestamp()) + 1), FULL_WIDTH_ONE * 10, "1e9", "-1", "", " 1777888800", "9" * 400):
            assert refusal(vendor, with_header(request, "webhook-timestamp", time)) in {
                "SIGNATURE_WRONG",
                "SIGNATURE_MISSING",
            }
    elif vendor.name == "stripe":
        moved = request.headers[vendor.signature].replace("t=1777888800", "t=1777888801")
        assert refusal(vendor, with_header(request, vendor.signature, moved)) == "SIGNATURE_WRONG"


def test_where_the_id_is_not_signed_another_id_makes_no_second_fact(vendor: Vendor) -> None:
    first, second = vendor.request(delivery_id="d-1"), vendor.request(delivery_id="d-2")
    read = [vendor.webhook.read(vendor.webhook.verify(each, NOW), each.body, NOW) for each in (first, second)]

    if vendor.name == "standard_webhooks":
        assert [item["id"] for item in read[0].items] == ["d-1"]
    else:
        assert [item["id"] for item in read[0].items] == [item["id"] for item in read[1].items]


def test_no_id_of_an_event_is_made_of_what_it_says_about_a_person(vendor: Vendor) -> None:
    body = vendor.body().replace(b"@example.com", b"@other.example").replace(b"+48", b"+49")
    first = vendor.webhook.read(vendor.webhook.verify(vendor.request(), NOW), vendor.body(), NOW)
    request = vendor.request(body)
    second = vendor.webhook.read(vendor.webhook.verify(request, NOW), body, NOW)

    assert [item["id"] for item in first.items] == [item["id"] for item in second.items]


def test_while_a_secret_is_changed_both_are_good() -> None:
    stripe = vendors()["stripe"]
    body = stripe.body()

    stripe.webhook.verify(WebhookRequest(stripe_of("whsec_old").sign("", body, "", NOW), body), NOW)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=12,
)


def samples(vendor: Vendor) -> list[Any]:
    return [json.loads(file.read_bytes()) for file in sorted((HERE / vendor.name).glob("*.json"))]


@st.composite
def broken(draw: st.DrawFn, vendor: Vendor) -> object:
    """A payload of the vendor in which something was left out or replaced, or anything at all."""
    if draw(st.integers(0, 4)) == 0:
        return draw(json_values)
    said = json.loads(json.dumps(draw(st.sampled_from(samples(vendor)))))
    for _ in range(draw(st.integers(1, 3))):
        here, key = said, draw(st.sampled_from(sorted(said)))
        while isinstance(here[key], dict | list) and here[key] and draw(st.integers(0, 3)) > 0:
            here = here[key]
            key = draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        if draw(st.booleans()):
            here[key] = draw(json_values)
        elif isinstance(here, dict) and len(here) > 1:
            del here[key]
    return said


TOPICS = {
    "shopify": [
        *("orders/create", "carts/update", "checkouts/update", "customers/update", "products/update", "refunds/create"),
        *("fulfillments/update", "customers/merge", "customers/redact", "customers_marketing_consent/update", "x"),
    ],
    "woocommerce": ["order.created", "order.deleted", "customer.updated", "product.updated", "", "x"],
    "adobe_commerce": ["order", "cart", "customer", "subscriber", "product", "", "x"],
}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(data=st.data())
def test_whatever_is_signed_raises_nothing_but_unreadable(vendor: Vendor, data: st.DataObject) -> None:
    said = data.draw(broken(vendor))
    topic = data.draw(st.sampled_from(TOPICS.get(vendor.name, [vendor.topic])))
    body = json.dumps(said).encode()
    call = vendor.webhook.verify(WebhookRequest(vendor.sign(topic, body, "d-1", NOW), body), NOW)

    unread: Rejected | None = None
    items: list[Any] = []
    try:
        items = list(vendor.webhook.read(call, body, NOW).items)
    except Rejected as error:
        unread = error

    assert unread is None or unread.code == "PAYLOAD_UNREADABLE"
    assert "example.com" not in str(unread)
    json.dumps(items)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b'{"id": NaN}',
        b'{"id": Infinity}',
        b'{"id": 1' + b"0" * 5_000 + b"}",
        b'{"id": 1e999999999}',
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b"[" * 200_000,
        b'{"id": "\\ud83d", "total": "\\u0000"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_signed_bomb_is_unreadable_at_once(vendor: Vendor, body: bytes) -> None:
    request = vendor.request(body)
    call = vendor.webhook.verify(request, NOW)

    with pytest.raises(Rejected, match="PAYLOAD_UNREADABLE"):
        vendor.webhook.read(call, body, NOW)
