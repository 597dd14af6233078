"""Ask a WooCommerce shop for what has changed: REST API v3.

Made after excerpts of the vendor's documentation (November 2026); not run against a real shop.

Products and orders. The API cannot tell which accounts have changed: customers come with their orders and by webhook.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.woocommerce import WooCommerceSettings
from connectors.woocommerce.facts import Items, order_items, product_items
from waggle.domain.foreign import NotUnderstood, Record
from waggle.errors import PermanentFailure
from waggle.fetching import Fetcher, refuse_plaintext
from waggle.ports.sources import Item, Page, Unread

_OVERLAP = timedelta(minutes=5)
_ONE_SECOND = timedelta(seconds=1)
_PAGE_SIZE = 100
_TOPICS = {"products": "product.updated", "orders": "order.updated"}
"""What is asked for, in this order, and the webhook that brings the same object."""
_RESOURCES = tuple(_TOPICS)


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where in the shop to go on; as JSON the cursor."""

    since: str | None = None
    """Where this round begins, for every resource."""
    began_at: str | None = None
    resource: int = 0
    after: str | None = None
    """Time of change of the last object read in this resource."""
    page: int = 1


class WooCommerceFeed:
    """An EventFeed; its items are those that the shop's webhooks bring, under the same ids."""

    def __init__(self, settings: WooCommerceSettings, now: Callable[[], datetime] = _now) -> None:
        refuse_plaintext(settings.url, "url")
        self._settings = settings
        self._now = now
        secret = settings.consumer_secret.reveal() if settings.consumer_secret is not None else ""
        self._fetcher = Fetcher("WOOCOMMERCE", basic=(settings.consumer_key, secret))

    async def pull(self, cursor: str | None, since: datetime | None) -> Page:
        """Return the next page; see `waggle.ports.sources`.

        Raises:
            TemporaryFailure: WOOCOMMERCE_UNAVAILABLE, WOOCOMMERCE_BUSY.
            PermanentFailure: WOOCOMMERCE_LOGIN_REFUSED, WOOCOMMERCE_REFUSED, WOOCOMMERCE_UNREADABLE ...
        """
        place = _Place(**json.loads(cursor)) if cursor else _Place(since=since.isoformat() if since else None)
        place = replace(place, began_at=place.began_at or self._now().isoformat())
        resource = _RESOURCES[place.resource]
        fetched = await self._fetcher.get(
            f"{self._settings.url.rstrip('/')}/wp-json/wc/v3/{resource}", _parameters(place)
        )
        if not isinstance(fetched.said, list):
            raise PermanentFailure("WOOCOMMERCE_UNREADABLE", f"the answer is no list of {resource}")
        records = [Record(each if isinstance(each, dict) else {}) for each in fetched.said]
        items, unread = self._read(resource, records)
        following = _following(place, records)
        return Page(
            items=items, unread=unread, cursor=json.dumps(asdict(following)), more=following.began_at is not None
        )

    async def close(self) -> None:
        """End the connections that are kept open."""
        await self._fetcher.close()

    def _read(self, resource: str, records: list[Record]) -> tuple[list[Item], list[Unread]]:
        items: list[Item] = []
        unread = []
        for record in records:
            try:
                items += self._items(resource, record)
            except NotUnderstood as error:
                raw = json.dumps(record.values, default=str).encode()
                unread.append(Unread(raw=raw, code="PAYLOAD_UNREADABLE", where=error.where, topic=_TOPICS[resource]))
        return items, unread

    def _items(self, resource: str, record: Record) -> Items:
        if resource == "products":
            return product_items(record, self._settings.currency)
        return order_items(record, self._settings.consent_key)


def _parameters(place: _Place) -> dict[str, str]:
    sent: dict[str, Any] = {"per_page": _PAGE_SIZE, "page": place.page, "orderby": "modified", "order": "asc"}
    after = place.after or place.since
    if after is not None:
        moment = datetime.fromisoformat(after).astimezone(UTC)
        sent |= {"modified_after": moment.strftime("%Y-%m-%dT%H:%M:%S"), "dates_are_gmt": "true"}
    return {name: str(value) for name, value in sent.items()}


def _following(place: _Place, records: list[Record]) -> _Place:
    """Return where to go on, counted by time of change.

    Counted by page, an object that changes meanwhile would move to the end and let another one slip from the next page
    to the last one, unseen.
    """
    if len(records) >= _PAGE_SIZE:
        times = [each.at("date_modified_gmt", in_utc=True) for each in records]
        newest = max((each for each in times if each is not None), default=None)
        if newest is None:
            return replace(place, page=place.page + 1)
        # "After" leaves out that second itself, in which more may have changed than a page holds.
        after = (newest - _ONE_SECOND).isoformat()
        return replace(place, page=place.page + 1) if after == place.after else replace(place, after=after, page=1)
    if place.resource + 1 < len(_RESOURCES):
        return replace(place, resource=place.resource + 1, after=None, page=1)
    return _Place(since=(datetime.fromisoformat(str(place.began_at)) - _OVERLAP).isoformat())
