"""WooCommerce: orders, customers and products, by webhook and REST API (version 3)."""

from dataclasses import dataclass

from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.ports.sources import EventFeed, Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class WooCommerceSettings:
    """One shop.

    Raises:
        BadSettings: WOOCOMMERCE_UNENCRYPTED.
    """

    url: str
    """Of the shop, such as https://shop.example."""
    currency: str
    """In which its products are priced: ISO 4217."""
    secret: Secret | None = None
    """The same as in each webhook under WooCommerce, Settings, Advanced, Webhooks."""
    previous_secret: Secret | None = None
    """Good as well, while the secret is being changed."""
    consent_key: str = ""
    """The order's or customer's meta key in which a plug-in keeps the tick for marketing; empty: none is read."""
    consumer_key: str = ""
    """Of the REST API, for asking the shop what was missed."""
    consumer_secret: Secret | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise BadSettings("WOOCOMMERCE_UNENCRYPTED", "url begins with https://: the key travels with each question")


CONNECTOR = Connector(
    name="woocommerce",
    title="WooCommerce",
    docs="https://woocommerce.com/document/webhooks/",
    settings=WooCommerceSettings,
    provides={
        Webhook: "connectors.woocommerce.webhook:WooCommerceWebhook",
        EventFeed: "connectors.woocommerce.feed:WooCommerceFeed",
    },
    only_with={Webhook: "secret", EventFeed: "consumer_secret"},
)
