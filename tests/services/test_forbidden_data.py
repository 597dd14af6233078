from typing import Any

import msgspec
import pytest

from waggle.services.forbidden_data import Finding, forbidden_in


def found_in(data: object) -> Finding | None:
    item = {"data": data}
    return forbidden_in(item, msgspec.json.encode(item))


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "6011111111111117",
        "3530111333300000",
        "3056 930902 5904",
        "6759649826438453",
        "６０１１１１１１１１１１１１１７",  # noqa: RUF001 -- digits of another width are the point
        5105105105105100,
    ],
)
def test_a_card_number_is_found_in_whatever_way_it_is_written(number: str | int) -> None:
    assert found_in({"name": number}) == Finding("$.data.name", "card number")


@pytest.mark.parametrize(
    "text",
    [
        "paid with 4111111111111111, thanks",
        "line\n4111111111111111\n",
        "https://shop.example/pay?card=4111111111111111&x=1",
        "https://shop.example/pay?card=4111%201111%201111%201111",
        "(4111+1111+1111+1111)",
    ],
)
def test_a_card_number_is_found_within_texts_and_addresses(text: str) -> None:
    assert found_in({"note": [text]}) == Finding("$.data.note[0]", "card number")


@pytest.mark.parametrize(
    "value",
    [
        "4111111111111112",
        "41111111111111111111",
        "order4111111111111111",
        "12345678-4111-1111-1111-111111111111",
        "8515131751004933",
        "44012345678901",
        "30569309025904",
        "5901234123457",
        "2026-05-04T10:00:00.123456789Z",
        1777888800123456789,
        "3f4111111111111111ab",
        "**** **** **** 1111",
    ],
)
def test_what_only_looks_like_a_card_number_is_left_alone(value: str | int) -> None:
    assert found_in({"sku": value}) is None


@pytest.mark.parametrize(
    ("data", "where", "kind"),
    [
        ({"cvv": "123"}, "$.data.cvv", "card verification data"),
        ({"card": {"securityCode": 1, "CVC": 123}}, "$.data.card.CVC", "card verification data"),
        ({"lines": [{"user_password": "hunter2"}]}, "$.data.lines[0].user_password", "password"),
        ({"PESEL": "44051401359"}, "$.data.PESEL", "national identity number"),
        ({"passport_number": ["AB1"]}, "$.data.passport_number[0]", "national identity number"),
        ({"title": "my SSN: 123-45-6789"}, "$.data.title", "national identity number"),
        ({"4111111111111111": True}, "$.data", "card number"),
        # Where a value of ours is expected, and beside names of ours alone.
        ({"items": [{"sku": {"password": "hunter2"}}]}, "$.data.items[0].sku.password", "password"),
        ({"items": [[{"pwd": "hunter2"}]]}, "$.data.items[0][0].pwd", "password"),
        ({"items": {"cvv": "123"}}, "$.data.items.cvv", "card verification data"),
        ({"sku": "{", "name": [{"passwd": "hunter2"}]}, "$.data.name[0].passwd", "password"),
        ({"name": "SSN 123456789"}, "$.data.name", "national identity number"),
    ],
)
def test_what_the_name_tells_is_found(data: dict[str, Any], where: str, kind: str) -> None:
    assert found_in(data) == Finding(where, kind)


@pytest.mark.parametrize("masked", ["", "***", "••••", "xxxx", None, False])
def test_where_nothing_is_said_nothing_is_found(masked: object) -> None:
    assert found_in({"password": masked, "cvv": masked}) is None


def test_a_path_never_holds_a_name_that_could_say_something() -> None:
    assert found_in({"ada@example.com": {"cvv": "123"}}) == Finding("$.data.cvv", "card verification data")
