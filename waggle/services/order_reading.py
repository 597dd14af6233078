"""Read the order and the product that a journey is about."""

from dataclasses import dataclass
from typing import Literal

from waggle.domain.enrolment import Enrolment
from waggle.domain.order import OrderState
from waggle.errors import PermanentFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork

KnownOrderState = OrderState | Literal["unknown"]
"""`unknown`: nobody has told yet that it was placed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReading:
    """The order now."""

    state: KnownOrderState = "unknown"
    total_minor: int = 0
    item_count: int = 0
    """Pieces, not lines."""
    is_first: bool = False
    """No other order of the customer came before it, but for those that were cancelled or came back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductReading:
    """The product now."""

    in_stock: bool = True
    """As far as is known."""
    stock_quantity: int | None = None
    price_minor: int | None = None
    watched_price_minor: int | None = None
    """What it cost when the customer began to wait for a lower price; None if they do not, or in another currency."""


class OrderReader:
    """Answers with what the order's events say at this moment."""

    def __init__(self, store: UnitOfWork) -> None:
        self._store = store

    async def read(self, enrolment_id: str) -> OrderReading:
        """Say how the enrolment's order stands.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN, or ENROLMENT_WITHOUT_ORDER.
        """

        def look(tx: Transaction) -> OrderReading:
            enrolment = _known(tx, enrolment_id)
            if enrolment.order_id is None:
                raise PermanentFailure("ENROLMENT_WITHOUT_ORDER", enrolment_id)
            order = tx.orders.get(enrolment.order_id)
            if order is None:
                return OrderReading()
            orders = tx.orders.of_customer(enrolment.customer_id) if enrolment.customer_id is not None else [order]
            counted = [each.order_id for each in orders if each.counts]
            return OrderReading(
                state=order.state,
                total_minor=order.total_minor,
                item_count=sum(item.quantity for item in order.items),
                is_first=counted[:1] == [order.order_id],
            )

        return await self._store.read(look)


class ProductReader:
    """Answers with what the product's events say at this moment."""

    def __init__(self, store: UnitOfWork) -> None:
        self._store = store

    async def read(self, enrolment_id: str) -> ProductReading:
        """Say how the enrolment's product stands; one that nobody told of counts as available.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN, or ENROLMENT_WITHOUT_PRODUCT.
        """

        def look(tx: Transaction) -> ProductReading:
            enrolment = _known(tx, enrolment_id)
            if enrolment.sku is None:
                raise PermanentFailure("ENROLMENT_WITHOUT_PRODUCT", enrolment_id)
            product = tx.products.get(enrolment.sku)
            if product is None:
                return ProductReading(watched_price_minor=enrolment.watched_price_minor)
            comparable = product.currency is None or product.currency == enrolment.watched_currency
            return ProductReading(
                in_stock=product.available,
                stock_quantity=product.quantity,
                price_minor=product.price_minor,
                watched_price_minor=enrolment.watched_price_minor if comparable else None,
            )

        return await self._store.read(look)


def _known(tx: Transaction, enrolment_id: str) -> Enrolment:
    enrolment = tx.enrolments.get(enrolment_id)
    if enrolment is None:
        raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
    return enrolment
