"""Amounts of money, and how people write them."""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

_CODE = re.compile(r"[A-Z]{3}")

# ISO 4217, table A.1; every other currency has two decimals.
_DECIMALS = {
    **dict.fromkeys("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(), 0),  # noqa: SIM905
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
# Only signs that no second currency shares in English.
_SIGNS = {"EUR": "€", "GBP": "£", "INR": "₹", "JPY": "¥", "KRW": "₩", "USD": "$"}
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
# What others send: digits and one point. Decimal itself also takes "1_000", foreign digits, "NaN", a million places.
_AMOUNT = re.compile(r"[+-]?[0-9]{1,24}(\.[0-9]{0,18})?", re.ASCII)


def decimals(currency: str) -> int:
    """Return how many decimals *currency* (ISO 4217 code) has.

    Raises:
        ValueError: *currency* is not a code of three capital letters.
    """
    if not _CODE.fullmatch(currency):
        raise ValueError("a currency is an ISO 4217 code of three capital letters, such as EUR")
    return _DECIMALS.get(currency, 2)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount that can be paid: no finer than the smallest coin on the books.

    Raises:
        ValueError: the amount is finer than that or not finite, or the currency is no code.
    """

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        scaled = self.amount.scaleb(decimals(self.currency))
        if not scaled.is_finite() or scaled != scaled.to_integral_value():
            raise ValueError(f"{self.currency} has {decimals(self.currency)} decimals")

    @classmethod
    def from_minor(cls, minor: int, currency: str) -> "Money":
        """Return *minor* units of *currency*: 1250 of EUR are 12.50, of JPY 1250."""
        return cls(Decimal(minor).scaleb(-decimals(currency)), currency)

    @property
    def minor(self) -> int:
        """The amount in minor units."""
        return int(self.amount.scaleb(decimals(self.currency)))

    def __str__(self) -> str:
        """Return the amount as English readers write it: `€1,234.50`, `-$3.00`, `PLN 12.50` (no break), `¥1,250`."""
        number = f"{abs(self.amount):,.{decimals(self.currency)}f}"
        sign = _SIGNS.get(self.currency, self.currency + _NO_BREAK_SPACE)
        return f"{'-' if self.amount < 0 else ''}{sign}{number}"


def to_minor(amount: str | int | float | Decimal, currency: str, *, rounded: bool = False) -> int:
    """Return an amount in major units, as a foreign system writes it, in minor units: "12.50" of EUR are 1250.

    Zeros beyond the last coin are taken away ("12.500000"); more than that is rounded half to even if *rounded*. A
    float counts as the shortest decimal that reads back as it, which is what stood in the JSON.

    Raises:
        ValueError: not a plain decimal with a point, finer than a coin, or *currency* is no code; nothing is quoted.
    """
    text = (
        amount.strip()
        if isinstance(amount, str)
        else f"{Decimal(repr(amount)) if isinstance(amount, float) else amount:f}"
    )
    if isinstance(amount, bool) or not _AMOUNT.fullmatch(text):
        raise ValueError("give an amount as a plain decimal with a point, such as 12.50")
    with localcontext(prec=60):
        scaled = Decimal(text).scaleb(decimals(currency))
        whole = scaled.to_integral_value(ROUND_HALF_EVEN)
    if whole != scaled and not rounded:
        raise ValueError(f"{currency} has {decimals(currency)} decimals")
    return int(whole)
