"""PrestaShop: carts, orders and customers, told by a small module of ours, since PrestaShop has no webhooks."""

from dataclasses import dataclass

from waggle.connector import Connector
from waggle.domain.secret import Secret
from waggle.domain.signature import standard_secret
from waggle.errors import BadSettings
from waggle.ports.sources import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class PrestaShopSettings:
    """One shop.

    Raises:
        BadSettings: WEBHOOK_SECRET.
    """

    secret: Secret
    """`whsec_` and Base64, as the module shows it."""
    previous_secret: Secret | None = None
    """Good as well, while the secret is being changed."""

    def __post_init__(self) -> None:
        for name, secret in (("secret", self.secret), ("previous_secret", self.previous_secret)):
            try:
                standard_secret(secret.reveal() if secret is not None else "whsec_" + "A" * 32)
            except ValueError as error:
                raise BadSettings("WEBHOOK_SECRET", f"{name}: {error}") from None


CONNECTOR = Connector(
    name="prestashop",
    title="PrestaShop",
    docs="https://devdocs.prestashop-project.org/9/modules/concepts/hooks/",
    settings=PrestaShopSettings,
    provides={Webhook: "connectors.prestashop.webhook:PrestaShopWebhook"},
)
