"""Any receiver of Standard Webhooks: each event is posted, signed, and repeated until it was taken."""

from dataclasses import dataclass

from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.ports.sources import EventStream


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedWebhookSettings:
    """Where events are posted to, and with which secret they are signed."""

    url: str
    secret: Secret
    """As the receiver knows it: `whsec_` and base64."""
    allow_private: bool = False
    """True: the receiver may have an address that the internet does not reach."""
    allow_plaintext: bool = False
    """True: http:// to another machine; everybody on the way can read along."""
    batch: int = 1
    """How many events a call holds. 1: one CloudEvent; more: a JSON array of them (cloudevents-batch)."""
    timeout_s: float = 15.0
    """For connecting and for the answer."""


CONNECTOR = Connector(
    name="signed_webhook",
    title="Signed webhook",
    docs="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
    settings=SignedWebhookSettings,
    provides={EventStream: "connectors.signed_webhook.stream:SignedWebhookStream"},
)
