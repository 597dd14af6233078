"""Any SMTP server: RFC 5321, with STARTTLS (RFC 3207), AUTH (RFC 4954) and one-click unsubscribe (RFC 8058)."""

from dataclasses import dataclass
from typing import Literal

from waggle.connector import Connector
from waggle.domain.loopback import is_loopback
from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.ports.email import EmailSender


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpSettings:
    """How to reach the server. Certificates are checked against the system's authorities (or SSL_CERT_FILE).

    Raises:
        BadSettings: SMTP_LOGIN_UNENCRYPTED, PLAINTEXT_REFUSED.
    """

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    """`starttls` (usually port 587), `tls` (usually port 465), or `none`: everybody on the way can read along."""
    username: str | None = None
    password: Secret | None = None
    timeout_s: float = 10.0
    """For connecting and for each answer."""
    allow_plaintext: bool = False
    """Whether `security = "none"` may be said of another machine."""
    hello_name: str | None = None
    """The name given in EHLO; without one, this machine's."""
    connections: int = 4
    """How many are kept open, and so how many messages leave at a time."""

    def __post_init__(self) -> None:
        if self.security == "none" and self.username is not None:
            raise BadSettings(
                "SMTP_LOGIN_UNENCRYPTED",
                'smtp.username is set but smtp.security is "none", so that the password would travel readable: '
                'use "starttls" or "tls"',
            )
        if self.security == "none" and not self.allow_plaintext and not is_loopback(self.host):
            raise BadSettings(
                "PLAINTEXT_REFUSED",
                'smtp.security is "none" and smtp.host is another machine, so that everybody on the way reads along: '
                'use "starttls" or "tls", or allow_plaintext = true',
            )


CONNECTOR = Connector(
    name="smtp",
    title="SMTP",
    docs="https://www.rfc-editor.org/rfc/rfc5321",
    settings=SmtpSettings,
    provides={EmailSender: "connectors.smtp.client:SmtpSender"},
)
