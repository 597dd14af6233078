from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from typing import Any, get_type_hints

import pytest

from tests.services.sample_events import NOW, event, refusal, stored, with_data
from waggle.domain.event import FACTS, CartItem, Receipt
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.field_rules import is_id, rule_for
from waggle.services.intake import Intake, Unreadable
from waggle.storage.store import Store, open_store
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """What is refused does not depend on the database."""
    opened = open_store(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def intake(store: UnitOfWork) -> Intake:
    return Intake(store, HandClock(NOW))


async def test_a_clock_that_is_a_little_ahead_is_tolerated(intake: Intake) -> None:
    ahead = (NOW + timedelta(minutes=10)).isoformat()

    assert await intake.accept("shop", [event(time=ahead)]) == [Receipt("e-1", "accepted")]


@pytest.mark.parametrize(
    ("item", "code", "where"),
    [
        ("cart-updated", "ENVELOPE_INVALID", "$"),
        (None, "ENVELOPE_INVALID", "$"),
        ([], "ENVELOPE_INVALID", "$"),
        (event(specversion="0.3"), "ENVELOPE_INVALID", "$.specversion"),
        (event(specversion=1.0), "ENVELOPE_INVALID", "$.specversion"),
        (event(event_id=""), "ENVELOPE_INVALID", "$.id"),
        (event(event_id="x" * 201), "ENVELOPE_INVALID", "$.id"),
        (event(event_id="two\nlines"), "ENVELOPE_INVALID", "$.id"),
        (event(id=7), "ENVELOPE_INVALID", "$.id"),
        (event(id=None), "ENVELOPE_INVALID", "$.id"),
        (event(event_id="order of ada@example.com"), "ID_NOT_OPAQUE", "$.id"),
        (event(source="other-shop"), "SOURCE_MISMATCH", "$.source"),
        (event(source=["shop"]), "SOURCE_MISMATCH", "$.source"),
        (event(type="cart-stolen"), "TYPE_UNKNOWN", "$.type"),
        (event(type=["cart-updated"]), "TYPE_UNKNOWN", "$.type"),
        (event(type=None), "TYPE_UNKNOWN", "$.type"),
        (event(subject=""), "ENVELOPE_INVALID", "$.subject"),
        (event(subject="+48123456789"), "ID_NOT_OPAQUE", "$.subject"),
        (event(subject="+48 (123) 456-789"), "ID_NOT_OPAQUE", "$.subject"),
        (event(data=None), "ENVELOPE_INVALID", "$.data"),
        (event(data="{}"), "ENVELOPE_INVALID", "$.data"),
        (event(time="yesterday"), "ENVELOPE_INVALID", "$.time"),
        (event(time="2026-05-04T10:00:00"), "ENVELOPE_INVALID", "$.time"),
        (event(time=1777888800), "ENVELOPE_INVALID", "$.time"),
        (event(time="0001-01-01T00:00:00+14:00"), "ENVELOPE_INVALID", "$.time"),
        (event(time="1999-12-31T23:59:59Z"), "TIME_IMPLAUSIBLE", "$.time"),
        (event(time="2026-05-04T10:10:01Z"), "TIME_IN_FUTURE", "$.time"),
        (event(time="9999-12-31T23:59:59Z"), "TIME_IN_FUTURE", "$.time"),
        (Unreadable(b"1e999"), "ITEM_UNREADABLE", "$"),
    ],
)
async def test_a_wrong_envelope_is_refused_where_it_is_wrong(
    intake: Intake, store: UnitOfWork, item: object, code: str, where: str
) -> None:
    assert await refusal(intake, item) == (code, where)
    assert await stored(store) == []


@pytest.mark.parametrize(
    ("item", "code", "where"),
    [
        (event("stock-changed", data={"quantity": 1}), "FIELD_MISSING", "$.data"),
        (with_data("cart-updated", items=[{"sku": "honey", "quantity": 1}]), "FIELD_MISSING", "$.data.items[0]"),
        (with_data("cart-updated", cart_id=7), "FIELD_INVALID", "$.data.cart_id"),
        (with_data("cart-updated", cart_id=""), "FIELD_INVALID", "$.data.cart_id"),
        (with_data("cart-updated", cart_id=" cart"), "FIELD_INVALID", "$.data.cart_id"),
        (with_data("cart-updated", customer_id="ada@example.com"), "ID_NOT_OPAQUE", "$.data.customer_id"),
        (with_data("cart-updated", currency="euro"), "FIELD_INVALID", "$.data.currency"),
        (with_data("cart-updated", items={}), "FIELD_INVALID", "$.data.items"),
        (with_data("cart-updated", url="javascript:alert(1)"), "FIELD_INVALID", "$.data.url"),
        (with_data("cart-updated", url="https://shop.example@evil.example"), "FIELD_INVALID", "$.data.url"),
        (with_data("cart-updated", url="https://shop.example\\@evil.example"), "FIELD_INVALID", "$.data.url"),
        (with_data("cart-updated", url="//evil.example"), "FIELD_INVALID", "$.data.url"),
        (with_data("cart-updated", url="https://[::1"), "FIELD_INVALID", "$.data.url"),
        (with_data("cart-updated", url="https://shop.example/a\r\nSet-Cookie: x"), "FIELD_INVALID", "$.data.url"),
        (with_data("order-placed", total_minor=-1), "FIELD_INVALID", "$.data.total_minor"),
        (with_data("order-placed", total_minor=12.5), "FIELD_INVALID", "$.data.total_minor"),
        (with_data("order-placed", total_minor=True), "FIELD_INVALID", "$.data.total_minor"),
        (with_data("order-placed", total_minor=10**30), "FIELD_INVALID", "$.data.total_minor"),
        (with_data("stock-changed", quantity=-1), "FIELD_INVALID", "$.data.quantity"),
        (with_data("customer-identified", email="ada"), "FIELD_INVALID", "$.data.email"),
        (with_data("customer-identified", email="Ada <ada@example.com>"), "FIELD_INVALID", "$.data.email"),
        (with_data("customer-identified", first_name="Ada\r\nBcc: x"), "FIELD_INVALID", "$.data.first_name"),
        (with_data("customer-identified", first_name="A" * 201), "FIELD_INVALID", "$.data.first_name"),
        (with_data("customer-identified", time_zone="Mars/Olympus"), "FIELD_INVALID", "$.data.time_zone"),
        (with_data("customer-identified", time_zone="../../etc/passwd"), "FIELD_INVALID", "$.data.time_zone"),
        (with_data("customer-identified", language="English!"), "FIELD_INVALID", "$.data.language"),
        (with_data("consent-given", channel="E-Mail!"), "FIELD_INVALID", "$.data.channel"),
        (with_data("customer-identified", first_name="A\x00"), "TEXT_INVALID", "$.data.first_name"),
        (with_data("customer-identified", note=["\ud83d"]), "TEXT_INVALID", "$.data[0]"),
        (with_data("customer-identified", **{"ada\x00": 1}), "TEXT_INVALID", "$.data"),
    ],
)
async def test_a_wrong_field_is_refused_where_it_is_wrong(
    intake: Intake, store: UnitOfWork, item: object, code: str, where: str
) -> None:
    assert await refusal(intake, item) == (code, where)
    assert await stored(store) == []


@pytest.mark.parametrize(("quantity", "good"), [(0, False), (1, True), (1_000_000, True), (1_000_001, False)])
async def test_a_cart_line_holds_one_to_a_million(intake: Intake, quantity: int, good: bool) -> None:
    line = {"sku": "honey", "quantity": quantity, "unit_price_minor": 0}

    [receipt] = await intake.accept("shop", [with_data("cart-updated", items=[line])])

    assert (receipt.status == "accepted") is good


async def test_a_text_that_only_looks_like_an_escaped_nul_is_fine(intake: Intake) -> None:
    receipts = await intake.accept("shop", [with_data("product-updated", name="C:\\u0000")])

    assert receipts == [Receipt("e-1", "accepted")]


@pytest.mark.parametrize(
    "item",
    [
        with_data("customer-identified", email="secret-value"),
        with_data("customer-identified", email=["secret-value"]),
        with_data("cart-updated", cart_id="secret-value@example.com"),
        with_data("cart-updated", **{"secret-value\x00": 1}),
        event(type="secret-value"),
        event(specversion="secret-value"),
        event(time="secret-value"),
        event(source="secret-value"),
    ],
)
async def test_a_refusal_never_quotes_what_was_sent(intake: Intake, item: dict[str, Any]) -> None:
    [receipt] = await intake.accept("shop", [item])

    assert receipt.problem is not None
    assert "secret-value" not in repr(receipt.problem)


def test_every_field_of_every_fact_has_a_rule() -> None:
    unruled = [
        f"{owner.__name__}.{field.name}"
        for owner in (*FACTS.values(), CartItem)
        for field in fields(owner)
        if not is_id(field.name) and _rule_is_missing(owner, field.name)
    ]

    assert unruled == []


def _rule_is_missing(owner: type, name: str) -> bool:
    assert name in get_type_hints(owner)
    try:
        rule_for(owner, name)
    except KeyError:
        return True
    return False
