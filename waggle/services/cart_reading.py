"""Read a cart for a journey that waits for it to be left."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from waggle.domain.cart import CartState
from waggle.errors import PermanentFailure
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork


@dataclass(frozen=True, slots=True)
class CartReading:
    """The cart now; `idle_at` is when it counts as abandoned if nothing more happens."""

    state: CartState
    idle_at: datetime
    value_minor: int


class CartReader:
    """Answers with what the cart's events say at this moment."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def read(self, cart_id: str, idle_after: timedelta) -> CartReading:
        """Say how the cart stands.

        Raises:
            PermanentFailure: CART_UNKNOWN.
        """

        def look(tx: Transaction) -> CartReading:
            cart = tx.carts.get(cart_id)
            if cart is None:
                raise PermanentFailure("CART_UNKNOWN", cart_id)
            ordered = tx.orders.of_cart(cart_id) is not None
            state = cart.state(ordered=ordered, idle_after=idle_after, now=self._clock.now())
            return CartReading(state, cart.idle_at(idle_after), cart.value_minor)

        return await self._store.read(look)
