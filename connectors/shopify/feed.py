"""Ask a Shopify shop for what has changed: Admin REST API, version 2025-10.

Made after excerpts of the vendor's documentation (November 2026); not run against a real shop.

The vendor calls this interface legacy since October 2024; it is kept for apps made for one shop, such as this one.
Needs the scopes read_customers, read_products and read_orders; orders older than 60 days also read_all_orders.
Checkouts that were not completed are the carts of Shopify that can be asked for; carts before that come by webhook.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.shopify import ShopifySettings
from connectors.shopify.facts import Items, checkout_items, customer_items, order_items, product_items
from waggle.domain.foreign import NotUnderstood, Record
from waggle.errors import PermanentFailure
from waggle.fetching import Fetched, Fetcher, same_place
from waggle.ports.sources import Item, Page, Unread

_OVERLAP = timedelta(minutes=5)
"""Of two rounds: what the shop stores late is found by the next one."""
_PAGE_SIZE = "250"
_TOPICS = {
    "customers": "customers/update",
    "products": "products/update",
    "checkouts": "checkouts/update",
    "orders": "orders/updated",
}
"""What is asked for, in this order (who before what), and the webhook that brings the same object."""
_RESOURCES = tuple(_TOPICS)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where in the shop to go on; as JSON the cursor."""

    since: str | None = None
    began_at: str | None = None
    resource: int = 0
    link: str | None = None


class ShopifyFeed:
    """An EventFeed; its items are those that the shop's webhooks bring, under the same ids."""

    def __init__(
        self, settings: ShopifySettings, now: Callable[[], datetime] = _now, *, address: str | None = None
    ) -> None:
        """*address*: of a shop that stands somewhere else, for tests."""
        self._settings = settings
        self._now = now
        self._address = f"{address or f'https://{settings.domain}'}/admin/api/{settings.api_version}"
        token = settings.access_token.reveal() if settings.access_token is not None else ""
        self._fetcher = Fetcher("SHOPIFY", headers={"X-Shopify-Access-Token": token})

    async def pull(self, cursor: str | None, since: datetime | None) -> Page:
        """Return the next page; see `waggle.ports.sources`.

        Raises:
            TemporaryFailure: SHOPIFY_UNAVAILABLE, SHOPIFY_BUSY.
            PermanentFailure: SHOPIFY_LOGIN_REFUSED (or a scope is missing), SHOPIFY_REFUSED, SHOPIFY_UNREADABLE ...
        """
        place = _Place(**json.loads(cursor)) if cursor else _Place(since=since.isoformat() if since else None)
        place = replace(place, began_at=place.began_at or self._now().isoformat())
        resource = _RESOURCES[place.resource]
        fetched = await self._fetched(place, resource)
        records = fetched.said.get(resource) if isinstance(fetched.said, dict) else None
        if not isinstance(records, list):
            raise PermanentFailure("SHOPIFY_UNREADABLE", f"no {resource} in the answer")
        items, unread = self._read(resource, records)
        following = self._following(place, fetched)
        return Page(
            items=items, unread=unread, cursor=json.dumps(asdict(following)), more=following.began_at is not None
        )

    async def close(self) -> None:
        """End the connections that are kept open."""
        await self._fetcher.close()

    async def _fetched(self, place: _Place, resource: str) -> Fetched:
        if place.link is not None:
            return await self._fetcher.get(place.link)
        # A checkout or an order is closed some day, and still changes.
        parameters = {"limit": _PAGE_SIZE} | ({"status": "any"} if resource == "orders" else {})
        if place.since is not None:
            parameters["updated_at_min"] = place.since
        return await self._fetcher.get(f"{self._address}/{resource}.json", parameters)

    def _read(self, resource: str, records: list[Any]) -> tuple[list[Item], list[Unread]]:
        items: list[Item] = []
        unread = []
        for record in records:
            try:
                items += self._items(resource, Record(record if isinstance(record, dict) else {}))
            except NotUnderstood as error:
                raw = json.dumps(record, default=str).encode()
                unread.append(Unread(raw=raw, code="PAYLOAD_UNREADABLE", where=error.where, topic=_TOPICS[resource]))
        return items, unread

    def _items(self, resource: str, record: Record) -> Items:
        match resource:
            case "customers":
                return customer_items(record)
            case "products":
                return product_items(record, self._settings.currency, self._settings.shop_url)
            case "checkouts":
                return checkout_items(record)
        return order_items(record)

    def _following(self, place: _Place, fetched: Fetched) -> _Place:
        if fetched.next_url is not None:
            if not same_place(fetched.next_url, self._address):
                raise PermanentFailure("SHOPIFY_NEXT_ELSEWHERE", "the next page lies on another host")
            return replace(place, link=fetched.next_url)
        if place.resource + 1 < len(_RESOURCES):
            return replace(place, resource=place.resource + 1, link=None)
        began_at = datetime.fromisoformat(str(place.began_at))
        return _Place(since=(began_at - _OVERLAP).isoformat())
