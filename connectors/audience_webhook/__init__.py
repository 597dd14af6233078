"""Whoever keeps advertising audiences, told by signed calls: a hash of the address goes there, never the address."""

from dataclasses import dataclass

from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.ports.audience import AudienceKeeper


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceWebhookSettings:
    """Where calls go to, and with which secret they are signed."""

    url: str
    """An address of your own that passes members on to the platform, or of a service that does."""
    secret: Secret
    """As the receiver knows it: `whsec_` and base64."""
    keeper: str = "audience_webhook"
    """How the receiver is called in the register of transfers."""
    allow_private: bool = False
    """True: the receiver may have an address that the internet does not reach."""
    timeout_s: float = 15.0
    """For connecting and for the answer."""


CONNECTOR = Connector(
    name="audience_webhook",
    title="Audience by webhook",
    docs="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
    settings=AudienceWebhookSettings,
    provides={AudienceKeeper: "connectors.audience_webhook.client:AudienceWebhook"},
)
