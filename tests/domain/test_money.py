"""Amounts are exact and written as people expect."""

from decimal import Decimal

import pytest

from waggle.domain.money import Money, to_minor


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (1250, "EUR", "€12.50"),
        (123456, "USD", "$1,234.56"),
        (5, "GBP", "£0.05"),
        (1250, "JPY", "¥1,250"),
        (1250, "KWD", "KWD\N{NO-BREAK SPACE}1.250"),
        (1250, "CLF", "CLF\N{NO-BREAK SPACE}0.1250"),
        (1250, "PLN", "PLN\N{NO-BREAK SPACE}12.50"),
        (-300, "USD", "-$3.00"),
        (0, "EUR", "€0.00"),
        (10**15, "EUR", "€10,000,000,000,000.00"),
    ],
)
def test_an_amount_is_written_with_the_decimals_of_its_currency(minor: int, currency: str, text: str) -> None:
    money = Money.from_minor(minor, currency)

    assert str(money) == text
    assert money.minor == minor


def test_an_amount_finer_than_a_coin_is_refused() -> None:
    with pytest.raises(ValueError, match="JPY has 0 decimals"):
        Money(Decimal("12.5"), "JPY")


@pytest.mark.parametrize("amount", ["NaN", "Infinity"])
def test_an_amount_is_a_number(amount: str) -> None:
    with pytest.raises(ValueError, match="EUR has 2 decimals"):
        Money(Decimal(amount), "EUR")


@pytest.mark.parametrize("currency", ["eur", "EURO", "", "€", "EU1"])
def test_a_currency_is_a_code(currency: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Money.from_minor(1, currency)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.50", "EUR", 1250),
        ("12.500000", "EUR", 1250),
        (" 12 ", "EUR", 1200),
        ("12.", "EUR", 1200),
        (12, "EUR", 1200),
        (0.1, "EUR", 10),
        (1e16, "EUR", 10**18),
        (Decimal("-3.00"), "USD", -300),
        ("1250", "JPY", 1250),
        ("1.250", "KWD", 1250),
        ("999999999999999999.99", "EUR", 99_999_999_999_999_999_999),
    ],
)
def test_a_foreign_decimal_becomes_minor_units(amount: str | float | Decimal, currency: str, minor: int) -> None:
    assert to_minor(amount, currency) == minor


@pytest.mark.parametrize(
    "amount",
    ["", ".", "12,50", "1 000", "1_000", "1e3", "NaN", "Infinity", "-", "12.5.0", "٣", "€12", True, float("nan")],
)
def test_what_is_no_plain_decimal_is_no_amount(amount: str | float) -> None:
    with pytest.raises(ValueError, match="plain decimal"):
        to_minor(amount, "EUR")


def test_a_foreign_amount_finer_than_a_coin_is_refused_unless_it_may_be_rounded() -> None:
    with pytest.raises(ValueError, match="EUR has 2 decimals"):
        to_minor("12.345", "EUR")

    assert to_minor("12.345", "EUR", rounded=True) == 1234
    assert to_minor("12.355", "EUR", rounded=True) == 1236


def test_a_foreign_amount_needs_a_currency() -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        to_minor("12.50", "eur")
