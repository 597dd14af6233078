"""How old what is known may be before a message must not rest on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

KINDS = ("cart", "consent", "customer", "order", "payment", "price", "product", "stock")
"""Kinds of fact whose freshness is told apart."""

_KINDS_OF_TYPE = {
    "product-updated": ("product", "price"),
    "price-changed": ("price",),
    "stock-changed": ("stock",),
    "checkout-started": ("cart",),
    "product-added": ("cart",),
    "product-removed": ("cart",),
}


def kinds_of(event_type: str) -> tuple[str, ...]:
    """Return which kinds of fact an event of this type tells; none for what only happens in a browser."""
    if event_type in _KINDS_OF_TYPE:
        return _KINDS_OF_TYPE[event_type]
    kind = event_type.partition("-")[0].removesuffix("s")
    return (kind,) if kind in {"cart", "consent", "customer", "order", "payment"} else ()


@dataclass(frozen=True, slots=True)
class FreshnessLimits:
    """How old facts may be when a message leaves, by kind; a kind that is not named may be of any age."""

    limits: Mapping[str, timedelta]

    def stale(self, known_until: Mapping[str, datetime | None], now: datetime) -> tuple[str, ...]:
        """Return the kinds, of those in *known_until*, that are too old at *now*, in the order of the alphabet.

        *known_until*: until when all that happened is known; None, if that was never so.
        """
        return tuple(
            kind
            for kind, until in sorted(known_until.items())
            if kind in self.limits and (until is None or now - until > self.limits[kind])
        )
