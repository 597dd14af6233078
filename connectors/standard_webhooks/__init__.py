"""Any system that signs its calls as Standard Webhooks asks; a mapping says what its fields mean."""

from dataclasses import dataclass

from waggle.connector import Connector
from waggle.domain.mapping import RecordMapping
from waggle.domain.secret import Secret
from waggle.domain.signature import standard_secret
from waggle.errors import BadSettings
from waggle.ports.sources import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardWebhooksSettings:
    """One system.

    Raises:
        BadSettings: WEBHOOK_SECRET.
    """

    secret: Secret
    """`whsec_` and Base64, as the system shows it."""
    previous_secret: Secret | None = None
    """Good as well, while the secret is being changed."""
    mapping: RecordMapping | None = None
    """The name of a file in config/mappings; without one, bodies are CloudEvents of our own vocabulary."""

    def __post_init__(self) -> None:
        for name, secret in (("secret", self.secret), ("previous_secret", self.previous_secret)):
            try:
                standard_secret(secret.reveal() if secret is not None else "whsec_" + "A" * 32)
            except ValueError as error:
                raise BadSettings("WEBHOOK_SECRET", f"{name}: {error}") from None


CONNECTOR = Connector(
    name="standard_webhooks",
    title="Standard Webhooks",
    docs="https://www.standardwebhooks.com",
    settings=StandardWebhooksSettings,
    provides={Webhook: "connectors.standard_webhooks.webhook:StandardWebhook"},
)
