"""Amounts are exact and written as people expect."""

from decimal import Decimal

import pytest

from waggle.domain.money import Money


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
