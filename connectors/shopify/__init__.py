"""Shopify: carts, checkouts, orders, customers, products and privacy requests, by webhook and Admin API."""

from dataclasses import dataclass

from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.ports.sources import EventFeed, Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopifySettings:
    """One shop.

    Raises:
        BadSettings: SHOPIFY_DOMAIN, SHOPIFY_UNENCRYPTED.
    """

    domain: str
    """Such as hive-and-honey.myshopify.com: calls of other shops are refused."""
    currency: str
    """The shop's own, in which its products are priced: ISO 4217."""
    secret: Secret | None = None
    """What webhooks are signed with: the app's client secret, or the key shown under Settings, Notifications."""
    previous_secret: Secret | None = None
    """Good as well, while the secret is being changed."""
    shop_url: str = ""
    """Where shoppers see the shop, for links to products; empty: none."""
    access_token: Secret | None = None
    """Of the Admin API, for asking the shop what was missed."""
    api_version: str = "2025-10"

    def __post_init__(self) -> None:
        if not self.domain.endswith(".myshopify.com"):
            raise BadSettings("SHOPIFY_DOMAIN", "domain is the one that Shopify gave, such as honey.myshopify.com")
        if self.shop_url and not self.shop_url.startswith("https://"):
            raise BadSettings("SHOPIFY_UNENCRYPTED", "shop_url begins with https://")


CONNECTOR = Connector(
    name="shopify",
    title="Shopify",
    docs="https://shopify.dev/docs/apps/build/webhooks",
    settings=ShopifySettings,
    provides={
        Webhook: "connectors.shopify.webhook:ShopifyWebhook",
        EventFeed: "connectors.shopify.feed:ShopifyFeed",
    },
    only_with={Webhook: "secret", EventFeed: "access_token"},
)
