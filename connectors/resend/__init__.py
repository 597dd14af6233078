"""Resend's HTTP API for e-mail: a provider that knows a repeat by its key, so that no answer stays lost."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from waggle.connector import Connector
from waggle.domain.loopback import is_loopback
from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.ports.email import EmailSender


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendSettings:
    """Which account to use.

    Raises:
        BadSettings: PLAINTEXT_REFUSED.
    """

    api_key: Secret
    url: str = "https://api.resend.com"
    timeout_s: float = 20.0
    """For connecting and for the answer."""
    connections: int = 4
    """How many messages leave at a time; the vendor allows few requests a second unless asked for more."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
            raise BadSettings("PLAINTEXT_REFUSED", "resend.url must begin with https://: it carries the key")


CONNECTOR = Connector(
    name="resend",
    title="Resend",
    docs="https://resend.com/docs/api-reference/emails/send-email",
    settings=ResendSettings,
    provides={EmailSender: "connectors.resend.client:ResendSender"},
)
