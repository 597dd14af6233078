"""Shoppers who fill carts and leave, buy, change their minds: each told to Waggle over HTTP, again until accepted."""

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from waggle.testing.chaos.history import History

Behaviour = str

_BEHAVIOURS: Mapping[Behaviour, float] = {
    "leaves": 0.45,
    "buys later": 0.15,
    "buys at once": 0.10,
    "withdraws consent": 0.10,
    "never agreed": 0.08,
    "empties the cart": 0.07,
    "bought before": 0.05,
}
"""What shoppers do with a cart, and how often."""

_PRICES_MINOR = (2000, 4000, 9000)
"""Without a coupon, with one of cart-5, with one of cart-10."""

_TOLD_TWICE = 0.1
_TOLD_LATE = 0.1
_ANSWER_WITHIN_S = 5.0
_AGAIN_AFTER_S = 0.2


class Shopfront:
    """The shop's way to Waggle: it notes what it sends, and sends it until it is accepted."""

    def __init__(self, client: httpx.AsyncClient, history: History) -> None:
        self._client = client
        self._history = history
        self.refused: list[str] = []
        """Answers that no repeat can mend; each is a fault of this harness or of Waggle."""

    async def tell(self, event: Mapping[str, Any]) -> None:
        """Send *event* until it is accepted."""
        self._history.sending(event)
        while not await self._is_accepted(event):  # noqa: ASYNC110 -- the answer tells
            await asyncio.sleep(_AGAIN_AFTER_S)
        self._history.acknowledged(event["id"])

    async def _is_accepted(self, event: Mapping[str, Any]) -> bool:
        try:
            answer = await self._client.post("/v1/events", json=event, timeout=_ANSWER_WITHIN_S)
        except httpx.TransportError:
            return False
        if answer.is_server_error:
            return False
        if not answer.is_success:
            self.refused.append(f"{event['type']}: {answer.status_code} {answer.text[:200]}")
        return True


class Shopper:
    """One person with one cart; all that is drawn comes from *seed* and *number*."""

    def __init__(
        self, front: Shopfront, seed: int, number: int, *, behaviour: Behaviour | None = None, patience: float = 1.0
    ) -> None:
        self._front = front
        self._drawn = random.Random(f"{seed}:{number}")  # noqa: S311 -- a run that can be had again
        chosen = self._drawn.choices(list(_BEHAVIOURS), list(_BEHAVIOURS.values()))[0]
        self._behaviour = behaviour or chosen
        self._patience = patience
        self._number = number
        self._customer_id = f"customer-{number}"
        self._cart_id = f"cart-{number}"
        self._price_minor = self._drawn.choice(_PRICES_MINOR)
        self._told = 0

    async def shop(self) -> None:
        """Do it all; returns once everything is accepted."""
        await self._tell("customer-identified", email=f"c{self._number}@example.com")
        if self._behaviour != "never agreed":
            await self._tell("consent-given")
        if self._behaviour == "bought before":
            await self._buy()
        before = datetime.now(UTC) - timedelta(seconds=1)
        await self._fill(1)
        if self._drawn.random() < _TOLD_LATE:
            await self._fill(3, at=before)
        match self._behaviour:
            case "buys at once":
                await self._buy()
            case "buys later":
                await self._hesitate(2.0, 9.0)
                await self._buy()
            case "withdraws consent":
                await self._hesitate(0.2, 7.0)
                await self._tell("consent-withdrawn")
            case "empties the cart":
                await self._hesitate(0.2, 4.0)
                await self._tell("cart-updated", cart_id=self._cart_id, currency="EUR", items=[])

    async def _fill(self, quantity: int, at: datetime | None = None) -> None:
        item = {"sku": "honey", "quantity": quantity, "unit_price_minor": self._price_minor}
        items = [item] if at is None else [item, {**item, "sku": "wax"}]
        await self._tell("cart-updated", at=at, cart_id=self._cart_id, currency="EUR", items=items)

    async def _buy(self) -> None:
        order_id = f"order-{self._number}"
        await self._tell(
            "order-placed",
            cart_id=self._cart_id,
            order_id=order_id,
            currency="EUR",
            total_minor=self._price_minor,
        )

    async def _hesitate(self, shortest_s: float, longest_s: float) -> None:
        await asyncio.sleep(self._patience * self._drawn.uniform(shortest_s, longest_s))

    async def _tell(self, event_type: str, *, at: datetime | None = None, **data: object) -> None:
        self._told += 1
        event = {
            "specversion": "1.0",
            "id": f"{self._number}-{self._told}",
            "type": event_type,
            "time": (at or datetime.now(UTC)).isoformat(),
            "data": {"customer_id": self._customer_id, **data},
        }
        copies = 2 if self._drawn.random() < _TOLD_TWICE else 1
        if copies == 1 or self._drawn.random() < 0.5:  # noqa: PLR2004 -- half of them one after another
            for _ in range(copies):
                await self._front.tell(event)
        else:
            await asyncio.gather(*(self._front.tell(event) for _ in range(copies)))


class Crowd:
    """Shoppers who come at a steady pace."""

    def __init__(self, shopper: Callable[[int], Shopper], per_s: float) -> None:
        self._shopper = shopper
        self._pause_s = 1 / per_s
        self._shopping: set[asyncio.Task[None]] = set()
        self._failed: list[BaseException] = []
        self.came = 0

    async def run(self, stop: asyncio.Event, at_most: int | None = None) -> None:
        """Let shoppers come until *stop* is set or *at_most* have come, and wait for the last of them to be done.

        Raises:
            Exception: what a shopper met that was not foreseen.
        """
        while not stop.is_set() and (at_most is None or self.came < at_most):
            self.came += 1
            shopping = asyncio.create_task(self._shopper(self.came).shop())
            self._shopping.add(shopping)
            shopping.add_done_callback(self._done)
            try:
                async with asyncio.timeout(self._pause_s):
                    await stop.wait()
            except TimeoutError:
                pass
        if self._shopping:
            await asyncio.wait(self._shopping)
        for error in self._failed:
            raise error

    def cancel(self) -> None:
        """Send everybody home."""
        for shopping in self._shopping:
            shopping.cancel()

    def _done(self, shopping: asyncio.Task[None]) -> None:
        self._shopping.discard(shopping)
        if not shopping.cancelled() and (error := shopping.exception()) is not None:
            self._failed.append(error)
