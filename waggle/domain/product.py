"""What the shop sells."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One stock-keeping unit; `quantity` is None while its stock was never told, which counts as available."""

    sku: str
    name: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    url: str | None = None
    image_url: str | None = None
    updated_at: datetime | None = None
    quantity: int | None = None
    stock_changed_at: datetime | None = None

    @property
    def available(self) -> bool:
        """Whether it can be bought now, as far as is known."""
        return self.quantity is None or self.quantity > 0
