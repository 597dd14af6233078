"""What was told about each cart, and what follows from it: read from the history, from nothing of Waggle's own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain

from waggle.testing.chaos.history import Told, ToldEvent


@dataclass(slots=True)
class CartStory:
    """One cart and its customer."""

    cart_id: str
    updates: list[ToldEvent] = field(default_factory=list)
    orders: list[ToldEvent] = field(default_factory=list)
    identified: list[ToldEvent] = field(default_factory=list)
    consents: list[ToldEvent] = field(default_factory=list)
    withdrawals: list[ToldEvent] = field(default_factory=list)

    @property
    def filled(self) -> Sequence[ToldEvent]:
        """Return the accepted pictures of the cart that had something in it."""
        return [event for event in self.updates if event.data["items"] and event.acknowledged_at is not None]

    @property
    def newest_update(self) -> ToldEvent | None:
        """Return how the cart looked last, by the shop's clock."""
        return max(self.updates, key=lambda event: event.time, default=None)

    @property
    def against(self) -> Sequence[ToldEvent]:
        """Return everything that was said against writing to the customer about this cart."""
        newest = self.newest_update
        emptied = [newest] if newest is not None and not newest.data["items"] else []
        return [*self.orders, *self.withdrawals, *emptied]

    @property
    def agreed(self) -> bool:
        """Whether the customer ever agreed to be written to."""
        return bool(self.consents)

    @property
    def must_enter(self) -> ToldEvent | None:
        """Return a picture of the cart that enters the journey for certain: nothing could have come before it."""
        for event in self.filled:
            newer = [other for other in self.updates if other is not event and other.time > event.time]
            if all(event.before(other) for other in chain(self.orders, newer)):
                return event
        return None

    @property
    def is_due(self) -> bool:
        """Whether the mails of the journey must leave: all agreed, nothing said against it."""
        if self.must_enter is None or self.against:
            return False
        first = min(self.filled, key=lambda event: event.first_sent_at)
        known = any(event.before(first) for event in self.identified)
        return known and any(event.before(first) for event in self.consents)


def stories(told: Told) -> dict[str, CartStory]:
    """Return the story of every cart that was told of."""
    found: dict[str, CartStory] = {}
    of_customer: dict[str, list[CartStory]] = {}
    for event in told.events.values():
        cart_id = event.data.get("cart_id")
        if cart_id is None:
            continue
        story = found.setdefault(cart_id, CartStory(cart_id))
        customer_id = event.data.get("customer_id")
        if customer_id is not None and story not in of_customer.setdefault(customer_id, []):
            of_customer[customer_id].append(story)
        if event.type == "cart-updated":
            story.updates.append(event)
    for event in told.events.values():
        for story in of_customer.get(str(event.data.get("customer_id")), ()):
            _take(story, event)
    return found


def _take(story: CartStory, event: ToldEvent) -> None:
    match event.type:
        case "customer-identified":
            story.identified.append(event)
        case "consent-given":
            story.consents.append(event)
        case "consent-withdrawn":
            story.withdrawals.append(event)
        case "order-placed":
            # An order ends the journeys of all carts of its customer.
            story.orders.append(event)
