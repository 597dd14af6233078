"""What the shop sells."""

from dataclasses import dataclass, field
from datetime import datetime

from waggle.domain.money import Money
from waggle.domain.telling import Told, standing, value_of


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
    """Since when name or price are as they are."""
    quantity: int | None = None
    stock_changed_at: datetime | None = None
    told: Told = field(default_factory=dict)

    @property
    def available(self) -> bool:
        """Whether it can be bought now, as far as is known."""
        return self.quantity is None or self.quantity > 0

    @property
    def price(self) -> Money | None:
        """What one costs now; None if nobody said."""
        if self.price_minor is None or self.currency is None:
            return None
        return Money.from_minor(self.price_minor, self.currency)

    def is_cheaper_than(self, price: Money) -> bool:
        """Whether it costs less than *price* now; never, where the currencies differ."""
        return self.price is not None and self.currency == price.currency and self.price.amount < price.amount


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductView:
    """Somebody looked at a product."""

    sku: str
    at: datetime
    source: str
    event_id: str


def product_of(sku: str, told: Told) -> Product:
    """Return the product that follows from what was told of it."""
    price, stock = standing(told, "price"), standing(told, "stock")
    since = [each.at for each in (price, standing(told, "name")) if each is not None]
    return Product(
        sku=sku,
        name=value_of(told, "name"),
        price_minor=price.value["price_minor"] if price is not None else None,
        currency=price.value["currency"] if price is not None else None,
        url=value_of(told, "url"),
        image_url=value_of(told, "image_url"),
        updated_at=max(since, default=None),
        quantity=stock.value if stock is not None else None,
        stock_changed_at=stock.at if stock is not None else None,
        told=told,
    )
