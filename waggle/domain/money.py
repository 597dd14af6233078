"""Amounts of money, and how people write them."""

import re
from dataclasses import dataclass
from decimal import Decimal

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
