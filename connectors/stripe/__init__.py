"""Stripe: payments that were authorised, failed or refunded."""

from dataclasses import dataclass

from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.ports.sources import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeSettings:
    """One webhook endpoint. The keys of metadata are those under which the shop notes its own ids when it pays."""

    secret: Secret
    """Of the endpoint, beginning with whsec_."""
    previous_secret: Secret | None = None
    """Good as well, while the secret is being rolled."""
    order_key: str = "order_id"
    cart_key: str = "cart_id"
    customer_key: str = "customer_id"


CONNECTOR = Connector(
    name="stripe",
    title="Stripe",
    docs="https://docs.stripe.com/webhooks",
    settings=StripeSettings,
    provides={Webhook: "connectors.stripe.webhook:StripeWebhook"},
)
