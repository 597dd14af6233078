"""Saleor: checkouts, orders, customers, prices and stock, by asynchronous webhooks with a query of ours."""

from dataclasses import dataclass

from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.ports.sources import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleorSettings:
    """One shop; the query that says what it sends stands in README.md beside this file.

    Raises:
        BadSettings: SALEOR_SIGNING.
    """

    jwks: Secret | None = None
    """What the shop answers at /.well-known/jwks.json. Public, but whoever changes it here may forge calls."""
    secret: Secret | None = None
    """The webhook's own secret key, in shops older than the key set."""
    consent_key: str = ""
    """The customer's metadata key that holds the tick for marketing; empty: none is read."""
    shop_url: str = ""
    """Where shoppers see the shop, for links to products; empty: none."""

    def __post_init__(self) -> None:
        if (self.jwks is None) == (self.secret is None):
            raise BadSettings(
                "SALEOR_SIGNING", "set jwks_file (what /.well-known/jwks.json answers) or secret, not both"
            )


CONNECTOR = Connector(
    name="saleor",
    title="Saleor",
    docs="https://docs.saleor.io/developer/extending/webhooks/payload-signature",
    settings=SaleorSettings,
    provides={Webhook: "connectors.saleor.webhook:SaleorWebhook"},
)
