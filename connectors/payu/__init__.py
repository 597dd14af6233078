"""PayU (Europe, REST API 2.1): payments that were authorised, failed or refunded."""

from dataclasses import dataclass

from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.ports.sources import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class PayuSettings:
    """One point of sale."""

    second_key: Secret
    """Shown in PayU's panel as "second key (MD5)", whichever algorithm signs."""
    pos_id: str = ""
    """The point of sale: notifications of others are refused; empty: any that the key signs."""


CONNECTOR = Connector(
    name="payu",
    title="PayU",
    docs="https://developers.payu.com/europe/docs/payment-flows/lifecycle/",
    settings=PayuSettings,
    provides={Webhook: "connectors.payu.webhook:PayuWebhook"},
)
