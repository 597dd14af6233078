"""Lay out one e-mail as it travels: RFC 5322 headers, plain text and HTML as alternatives, seven-bit throughout."""

import re
from datetime import UTC, datetime
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy, Policy
from email.utils import format_datetime

from waggle.errors import PermanentFailure
from waggle.ports.email import Email


def parse_recipient(to: str) -> Address:
    """Return the one address that *to* is.

    Raises:
        PermanentFailure: ADDRESS_REFUSED if it is none, is several, or brings anything else along.
    """
    try:
        # Address refuses what a header would read as two recipients: `"a" <a@b.example>, c@d.example`.
        found = Address(addr_spec=to)
        domain = found.domain.encode("idna").decode("ascii")
    except Exception:  # noqa: BLE001 -- the parser answers bad input with IndexError, ValueError and its own kinds
        raise PermanentFailure("ADDRESS_REFUSED", "the recipient is not one plain e-mail address") from None
    if not _LOCAL_PART.fullmatch(found.username) or not _DOMAIN.fullmatch(domain):
        raise PermanentFailure("ADDRESS_REFUSED", "the recipient is not one plain e-mail address")
    return Address(username=found.username, domain=domain)


def parse_sender(sender: str) -> Address:
    """Return the one address, with its display name, that *sender* is.

    Raises:
        PermanentFailure: SENDER_REFUSED if it is not exactly one.
    """
    try:
        header = _POLICY.header_factory("from", sender)
    except Exception:  # noqa: BLE001 -- as above
        raise PermanentFailure("SENDER_REFUSED", _NO_SENDER) from None
    if header.defects or len(header.addresses) != 1:
        raise PermanentFailure("SENDER_REFUSED", _NO_SENDER)
    found: Address = header.addresses[0]
    if not _LOCAL_PART.fullmatch(found.username) or not _DOMAIN.fullmatch(found.domain):
        raise PermanentFailure("SENDER_REFUSED", _NO_SENDER)
    return found


def lay_out(email: Email, sender: Address, to: Address) -> bytes:
    """Return *email* as bytes with CRLF line ends.

    Raises:
        PermanentFailure: MESSAGE_REFUSED if a field would break out of its header or is no text.
    """
    message = EmailMessage(policy=_POLICY)
    try:
        message["From"] = sender
        message["To"] = to
        message["Subject"] = email.subject
        message["Date"] = format_datetime(datetime.now(UTC))
        message["Message-ID"] = _enclosed(email.message_id[1:-1], email.message_id)
        if email.list_id is not None:
            message["List-ID"] = _enclosed(email.list_id)
        if email.unsubscribe_url is not None:
            message["List-Unsubscribe"] = _enclosed(email.unsubscribe_url)
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(email.text)
        message.add_alternative(email.html, subtype="html")
        return message.as_bytes()
    except ValueError:
        raise PermanentFailure("MESSAGE_REFUSED", "a field holds characters that do not belong there") from None


class _UnfoldedHeader:
    """A header that is one long token; the standard library would break it into encoded words that nobody reads."""

    max_count = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, object]) -> None:
        """Take *value* as it is; called by the standard library."""
        kwds["decoded"] = value
        kwds["parse_tree"] = None

    def fold(self, *, policy: Policy) -> str:
        """Return the header's line."""
        return f"{self.name}: {self}{policy.linesep}"  # type: ignore[attr-defined]


def _policy() -> "EmailPolicy[EmailMessage]":
    headers = HeaderRegistry()
    for name in ("list-unsubscribe", "list-id", "message-id"):
        headers.map_to_type(name, _UnfoldedHeader)  # type: ignore[arg-type]  # mixed into one by the registry
    return SMTP.clone(cte_type="7bit", header_factory=headers)


def _enclosed(token: str, whole: str | None = None) -> str:
    """Return *token* between angle brackets, and see that *whole*, if given, is just that."""
    enclosed = f"<{token}>"
    if not _TOKEN.fullmatch(token) or (whole is not None and whole != enclosed):
        raise ValueError(enclosed)
    return enclosed


# RFC 5322 dot-atom; a quoted local part is legal and used by nobody but attackers.
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
# Printable ASCII without space and angle brackets; RFC 5322 allows 998 characters a line.
_TOKEN = re.compile(r"[!-;=?-~]{1,900}")
_POLICY = _policy()
_NO_SENDER = "the sender is not one e-mail address: write `Name <address>`"
