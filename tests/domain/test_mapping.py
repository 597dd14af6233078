"""A foreign record becomes events exactly as its mapping says, and a wrong mapping says where it is wrong."""

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waggle.domain.mapping import MappingProblem, RecordMapping, read_mapping

_NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
_SHIPPED = Path(__file__).parents[2] / "config" / "mappings"


def _mapping(text: str) -> RecordMapping:
    return read_mapping(tomllib.loads(text), "test")


def _shipped(name: str) -> RecordMapping:
    return read_mapping(tomllib.loads((_SHIPPED / f"{name}.toml").read_text()), name)


def _stock(quantity: str = '"qty"', extra: str = "") -> RecordMapping:
    return _mapping(f'[[event]]\ntype = "stock-changed"\n{extra}\n[event.data]\nsku = "sku"\nquantity = {quantity}\n')


_ORDER: Mapping[str, Any] = {
    "id": 7001,
    "created_at": "2026-05-01T12:00:00+02:00",
    "currency": "eur",
    "customer": {"number": 12},
    "totals": {"gross": "1234.50"},
    "vouchers": [{"code": "SPRING"}],
    "status": "paid",
    "status_changed_at": "2026-05-02T08:00:00Z",
    "lines": [
        {"kind": "goods", "article": {"sku": "A-1", "name": "Mug"}, "quantity": 2, "unit_price": "12.3450"},
        {"kind": "shipping", "article": {"sku": "SHIP"}, "quantity": 1, "unit_price": "5"},
    ],
    "returns": [{"received_at": "2026-05-03T00:00:00Z", "amount": "-10.00"}],
}


def test_one_nested_record_becomes_all_its_events() -> None:
    placed, paid, returned = _shipped("erp-orders").items(_ORDER, _NOW)

    assert (placed["type"], placed["time"]) == ("order-placed", "2026-05-01T10:00:00Z")
    assert placed["data"] == {
        "order_id": "7001",
        "customer_id": "erp-12",
        "currency": "EUR",
        "total_minor": 123450,
        "coupon_code": "SPRING",
        "items": [{"sku": "A-1", "name": "Mug", "quantity": 2, "unit_price_minor": 1234}],
    }
    assert (paid["type"], paid["data"]) == ("order-paid", {"order_id": "7001", "customer_id": "erp-12"})
    assert (returned["type"], returned["data"]) == ("order-returned", {"order_id": "7001", "refund_minor": 1000})
    assert all(item["specversion"] == "1.0" for item in (placed, paid, returned))


def test_a_row_of_a_spreadsheet_is_read_with_its_comma_its_days_and_its_names() -> None:
    row = {
        "Kind": "REFUND",
        "Booking date": "29.03.2026 12:00",
        "Booking no": "B-9",
        "Order no": "7001",
        "Currency": "EUR",
        "Amount": "-1.234,50",
    }

    (item,) = _shipped("accounting-payments").items(row, _NOW)

    assert item["id"] == "payment-refunded:B-9"
    assert item["time"] == "2026-03-29T10:00:00Z"  # summer time began that night
    assert item["data"]["amount_minor"] == 123450


def test_a_status_that_the_table_does_not_know_says_nothing() -> None:
    types = [item["type"] for item in _shipped("erp-orders").items({**_ORDER, "status": "picking"}, _NOW)]

    assert types == ["order-placed", "order-returned"]


def test_the_same_fact_told_twice_has_one_id_and_another_fact_another() -> None:
    mapping = _shipped("erp-stock")
    record = {"shop_sku": "A-1", "available": "12.000", "counted_at": "2026-05-01T08:00:00"}

    first, again = mapping.items(record, _NOW), mapping.items(record, _NOW.replace(hour=12))
    later = mapping.items({**record, "counted_at": "2026-05-01T09:00:00"}, _NOW)

    assert first == again
    assert later[0]["id"] != first[0]["id"]
    assert first[0]["time"] == "2026-05-01T06:00:00Z"


def test_without_an_id_of_theirs_the_delivery_gives_one_to_each_event() -> None:
    ids = [item["id"] for item in _shipped("erp-orders").items(_ORDER, _NOW, fallback_id="d-1")]

    assert ids == ["d-1", "d-1:2", "d-1:3"]


def test_a_record_that_meets_no_condition_makes_nothing() -> None:
    assert _shipped("erp-stock").items({"available": 1, "counted_at": "2026-05-01"}, _NOW) == []


@pytest.mark.parametrize("absent", [{}, {"qty": None}, {"qty": ""}, {"qty": "  "}])
def test_null_and_an_empty_cell_are_nothing(absent: dict[str, object]) -> None:
    with pytest.raises(MappingProblem, match="holds nothing there") as caught:
        _stock().items({"sku": "A-1", **absent}, _NOW)

    assert caught.value.where == "event[0].data.quantity"


def test_a_default_stands_for_what_is_absent() -> None:
    (item,) = _stock('{ from = "qty", default = 0 }').items({"sku": "A-1"}, _NOW)

    assert item["data"]["quantity"] == 0


@pytest.mark.parametrize("quantity", ["twelve", "1e3", "12.5", "١٢", "9" * 30, [1], {"n": 1}, "NaN"])
def test_what_is_no_whole_number_is_refused_and_not_quoted(quantity: object) -> None:
    with pytest.raises(MappingProblem) as caught:
        _stock().items({"sku": "A-1", "qty": quantity}, _NOW)

    assert str(quantity) not in str(caught.value)


@pytest.mark.parametrize(
    ("given_as", "record", "minor"),
    [
        ('"price"', 12.5, 1250),
        ('"price"', Decimal("12.50"), 1250),
        ('{ from = "price", as = "minor" }', "1250", 1250),
        ('{ from = "price", decimal = ",", thousands = " " }', "1\N{NO-BREAK SPACE}250,00", 125000),
        ('{ from = "price", currency = { constant = "JPY" } }', "1250", 1250),
        ("{ constant = 5 }", None, 5),
    ],
)
def test_an_amount_is_read_in_its_form_and_currency(given_as: str, record: object, minor: int) -> None:
    mapping = _mapping(
        f'[[event]]\ntype = "price-changed"\n[event.data]\nsku = "sku"\nprice_minor = {given_as}\n'
        'currency = { constant = "EUR" }\n'
    )

    (item,) = mapping.items({"sku": "A-1", "price": record}, _NOW)

    assert item["data"]["price_minor"] == minor


@pytest.mark.parametrize(
    ("time", "raw", "said"),
    [
        ('"at"', "2026-05-01T12:00:00Z", "2026-05-01T12:00:00Z"),
        ('{ from = "at", zone = "Europe/Warsaw" }', "2026-01-01", "2025-12-31T23:00:00Z"),
        ('{ from = "at", zone = "Europe/Warsaw" }', "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
        ('{ from = "at", format = "unix" }', 1777629600, "2026-05-01T10:00:00Z"),
        ('{ from = "at", format = "unix_ms" }', "1777629600500", "2026-05-01T10:00:00.500000Z"),
        ('{ from = "at", format = "%m/%d/%Y", zone = "UTC" }', "05/01/2026", "2026-05-01T00:00:00Z"),
    ],
)
def test_a_time_is_read_in_its_form_and_zone(time: str, raw: object, said: str) -> None:
    (item,) = _stock(extra=f"time = {time}").items({"sku": "A-1", "qty": 1, "at": raw}, _NOW)

    assert item["time"] == said


@pytest.mark.parametrize("raw", ["2026-05-01 10:00", "yesterday", "", None, 10**30, ["2026"]])
def test_a_time_that_cannot_be_told_is_refused(raw: object) -> None:
    with pytest.raises(MappingProblem):
        _stock(extra='time = "at"').items({"sku": "A-1", "qty": 1, "at": raw}, _NOW)


def test_a_name_with_a_dot_stands_in_quotes() -> None:
    (item,) = _stock("\"['Qty. free'][-1]\"").items({"sku": "A-1", "Qty. free": [1, 2]}, _NOW)

    assert item["data"]["quantity"] == 2


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "event"),
        ("[[events]]", "events"),
        ('[[event]]\ntype = "stock-sold"', "event[0].type"),
        ('[[event]]\ntype = "stock-changed"\n[event.data]\nsku = "sku"', "event[0].data.quantity"),
        (
            '[[event]]\ntype = "stock-changed"\n[event.data]\nsku = "sku"\nquantity = "q"\nqty = "q"',
            "event[0].data.qty",
        ),
        ('[[event]]\ntype = "stock-changed"\n[event.data]\nsku = "a..b"\nquantity = "q"', "event[0].data.sku.from"),
        ('[[event]]\ntype = "stock-changed"\n[event.data]\nsku = "a[x]"\nquantity = "q"', "event[0].data.sku.from"),
        ('[[event]]\ntype = "stock-changed"\n[event.data]\nsku = ""\nquantity = "q"', "event[0].data.sku.from"),
        (
            '[[event]]\ntype = "stock-changed"\n[event.data]\nsku = { form = "a" }\nquantity = "q"',
            "event[0].data.sku.form",
        ),
        (
            '[[event]]\ntype = "stock-changed"\n[event.data]\nsku = "a"\nquantity = { from = "q", as = "money" }',
            "event[0].data.quantity.as",
        ),
        (
            '[[event]]\ntype = "stock-changed"\n[event.data]\nsku = "a"\nquantity = { constant = "5" }',
            "event[0].data.quantity.constant",
        ),
        (
            '[[event]]\ntype = "order-returned"\n[event.data]\norder_id = "a"\nrefund_minor = "b"',
            "event[0].data.refund_minor",
        ),
        (
            (
                '[[event]]\ntype = "stock-changed"\ntime = { from = "t", zone = "Warsaw" }\n'
                '[event.data]\nsku = "a"\nquantity = "b"'
            ),
            "event[0].time.zone",
        ),
        (
            '[[event]]\ntype = "stock-changed"\nwhen = [{ path = "t" }]\n[event.data]\nsku = "a"\nquantity = "b"',
            "event[0].when[0]",
        ),
        (
            '[[event]]\ntype = "stock-changed"\nid = "$.id"\nfor_each = "l"\n[event.data]\nsku = "a"\nquantity = "b"',
            "event[0].id",
        ),
        (
            (
                '[[event]]\ntype = "order-paid"\nid = "id"\n[event.data]\norder_id = "a"\n'
                '[[event]]\ntype = "order-paid"\nid = "id"\n[event.data]\norder_id = "b"'
            ),
            "event[1].id",
        ),
        (
            (
                '[[event]]\ntype = "cart-updated"\n[event.data]\ncart_id = "a"\ncurrency = "c"\n'
                '[event.data.items]\neach = "l"\nsku = "s"\nquantity = "q"'
            ),
            "event[0].data.items.unit_price_minor",
        ),
    ],
)
def test_a_wrong_mapping_is_refused_when_it_is_read_and_says_where(text: str, where: str) -> None:
    with pytest.raises(MappingProblem) as caught:
        _mapping(text)

    assert caught.value.where == f"test: {where}"
    assert caught.value.advice


@pytest.mark.parametrize("name", sorted(path.stem for path in _SHIPPED.glob("*.toml")))
def test_every_shipped_mapping_can_be_read_and_shown(name: str) -> None:
    rows = _shipped(name).rows()

    assert rows
    assert all(target and said for target, said in rows)


def test_a_mapping_is_shown_as_where_each_field_is_from() -> None:
    rows = dict(_shipped("erp-orders").rows())

    assert rows["order-placed.total_minor"] == "totals.gross or total, money"
    assert rows["order-placed.items[].sku"] == "lines[].article.sku"
    assert rows["order-returned for each"] == "returns"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("aé7.,-+:TZ \x00", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["sku", "number", "gross", ""]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(changes=st.dictionaries(st.sampled_from(sorted(_ORDER)), _JSON, max_size=4))
def test_whatever_a_record_holds_it_makes_events_or_one_kind_of_error(changes: dict[str, object]) -> None:
    try:
        items = _shipped("erp-orders").items({**_ORDER, **changes}, _NOW)
    except MappingProblem:
        return
    assert all(isinstance(item["data"]["order_id"], str) for item in items)
