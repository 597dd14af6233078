"""Task `read-cart`: what has become of the cart."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from waggle.domain.cart import CartState
from waggle.services.cart_reading import CartReader
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCart:
    cart_id: str
    cart_idle: timedelta
    """How long without activity makes a cart abandoned; ISO 8601 in the diagram."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CartRead:
    cart_state: CartState
    cart_idle_at: datetime
    """When the cart counts as abandoned if nothing more happens: the date of the diagram's timer."""
    cart_value_minor: int


@task("read-cart", concurrency=16)
async def read_cart(job: ReadCart, carts: CartReader) -> CartRead:
    """Read the cart anew each time the journey wakes; its activity meanwhile cost the engine nothing.

    Raises:
        PermanentFailure: CART_UNKNOWN.
    """
    cart = await carts.read(job.cart_id, job.cart_idle)
    return CartRead(cart_state=cart.state, cart_idle_at=cart.idle_at, cart_value_minor=cart.value_minor)
