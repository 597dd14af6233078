"""Adobe Commerce (Magento): orders, carts, customers and products, by its webhooks or by Adobe I/O Events."""

from dataclasses import dataclass

from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.ports.sources import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class AdobeCommerceSettings:
    """One shop.

    Raises:
        BadSettings: ADOBE_SIGNING.
    """

    currency: str
    """The base currency, in which products are priced: ISO 4217."""
    public_key: Secret | None = None
    """PEM, of Stores, Configuration, Adobe Services, Webhooks. Public, and whoever changes it may forge calls."""
    events_public_keys: Secret | None = None
    """The two PEM keys of Adobe I/O Events, one after the other in one file."""
    client_id: str = ""
    """Of the Adobe Developer Console project that I/O Events are sent for."""
    shop_url: str = ""
    """Where shoppers see the shop, for links to products; empty: none."""

    def __post_init__(self) -> None:
        if self.public_key is None and self.events_public_keys is None:
            raise BadSettings("ADOBE_SIGNING", "set public_key_file (webhooks) or events_public_keys_file (I/O Events)")
        if self.events_public_keys is not None and not self.client_id:
            # Adobe signs for all its customers with the same keys: this id alone says that an event is meant for us.
            raise BadSettings("ADOBE_SIGNING", "I/O Events need client_id, too")


CONNECTOR = Connector(
    name="adobe_commerce",
    title="Adobe Commerce",
    docs="https://developer.adobe.com/commerce/extensibility/webhooks/signature-verification/",
    settings=AdobeCommerceSettings,
    provides={Webhook: "connectors.adobe_commerce.webhook:AdobeCommerceWebhook"},
)
