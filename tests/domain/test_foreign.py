"""What other systems send is read without trusting its form."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waggle.domain.foreign import MAX_DEPTH, NotUnderstood, Record, decoded, envelope

AT = datetime(2026, 5, 4, 10, tzinfo=UTC)
_NO_AMOUNTS: list[object] = ["anna@example.com", True, [], "1e9", "NaN"]


def test_fractions_keep_their_decimals() -> None:
    assert decoded(b'{"total": 0.1}').values == {"total": Decimal("0.1")}


def test_brackets_in_texts_do_not_count_as_depth() -> None:
    text = '{"a": "' + "[" * 1_000 + '\\"{"}'

    assert decoded(text.encode()).text("a") == "[" * 1_000 + '"{'
    assert decoded(b"{" + b",".join(b'"%d": []' % i for i in range(1_000)) + b"}")
    with pytest.raises(NotUnderstood, match="nest at most"):
        decoded(b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}")


@pytest.mark.parametrize("value", [None, "", " \n", 5, True, [], {}], ids=repr)
def test_what_is_no_text_is_absent(value: object) -> None:
    record = Record({"a": value})

    assert record.text("a") is None
    with pytest.raises(NotUnderstood, match=r"\$\.a"):
        record.need_text("a")


def test_a_text_is_one_line_that_can_be_stored() -> None:
    assert Record({"a": " Anna\r\n\x00 Maria\ud83d\t"}).text("a") == "Anna Maria"


@pytest.mark.parametrize(
    ("value", "name"),
    [(7, "7"), ("7", "7"), (0, None), ("0", None), (-1, None), (True, None), (10**40, None), (None, None), (1.5, None)],
    ids=repr,
)
def test_an_id_is_a_number_above_zero_or_a_text(value: object, name: str | None) -> None:
    assert Record({"id": value}).id("id") == name


@pytest.mark.parametrize(
    ("value", "whole"),
    [(2, 2), ("2", 2), ("2.0000", 2), (Decimal("2.0"), 2), ("2.5", None), (True, None), ("x", None), (None, None)],
    ids=repr,
)
def test_a_whole_number_may_be_written_with_zeros_behind_the_point(value: object, whole: int | None) -> None:
    assert Record({"n": value}).whole("n") == whole


def test_an_amount_is_exact_and_what_is_none_is_named_without_being_quoted() -> None:
    assert Record({"a": "12.505000"}).minor("a", "EUR") == 1250
    assert Record({"a": Decimal("12.5")}).need_minor("a", "EUR") == 1250
    assert Record({"a": 500}).minor("a", "JPY") == 500
    assert Record({"a": ""}).minor("a", "EUR") is None
    for wrong in _NO_AMOUNTS:
        with pytest.raises(NotUnderstood, match=r"\$\.a") as error:
            Record({"a": wrong}).minor("a", "EUR")
        assert "anna" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "in_utc", "at"),
    [
        ("2026-05-04T10:00:00Z", False, AT),
        ("2026-05-04T12:00:00+02:00", False, AT),
        ("2026-05-04 10:00:00", True, AT),
        ("2026-05-04T10:00:00", False, None),
        (1777888800, False, AT),
        ("0000-00-00 00:00:00", True, None),
        ("1970-01-01T00:00:00Z", False, None),
        (10**30, False, None),
        (-(10**30), False, None),
        (True, False, None),
        ("soon", False, None),
        (None, False, None),
    ],
    ids=repr,
)
def test_a_time_has_a_zone_or_counts_for_nothing(value: object, in_utc: bool, at: datetime | None) -> None:
    assert Record({"t": value}).at("t", in_utc=in_utc) == at


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none() | st.lists(st.integers()))
def test_no_value_breaks_a_reader(value: Any) -> None:  # noqa: ANN401 -- anything at all
    record = Record({"a": value})
    for read in (record.text, record.id, record.whole, record.at, record.record, record.records, record.flag):
        read("a")


def test_the_same_fact_is_the_same_event_whatever_it_says_about_the_person() -> None:
    told = {"customer_id": "c-1", "email": "anna@example.com", "language": "pl", "phone": None}
    first, second = (
        envelope("customer-identified", AT, told),
        envelope("customer-identified", AT, {**told, "email": "x"}),
    )

    assert first["id"] == second["id"]
    assert first["data"] == {"customer_id": "c-1", "email": "anna@example.com", "language": "pl"}
    assert first["time"] == "2026-05-04T10:00:00+00:00"


def test_another_fact_is_another_event() -> None:
    ids = [
        envelope(event_type, at, data, salt=salt)["id"]
        for event_type, at, data, salt in (
            ("order-paid", AT, {"order_id": "1"}, ""),
            ("order-paid", AT, {"order_id": "2"}, ""),
            ("order-paid", None, {"order_id": "1"}, ""),
            ("order-shipped", AT, {"order_id": "1"}, ""),
            ("order-paid", AT, {"order_id": "1"}, "another call"),
        )
    ]

    assert len(set(ids)) == 5
    assert all(each.isalnum() and len(each) == 32 for each in ids)
