"""What the product asks of any e-mail system."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Email:
    """One message to one person, ready to leave."""

    to: str
    sender: str
    """Address with or without display name, for example `Hive & Honey <shop@example.com>`."""
    subject: str
    text: str
    html: str
    message_id: str
    """RFC 5322 Message-ID with its angle brackets; the same for every try of the same message."""
    unsubscribe_url: str | None
    """Makes List-Unsubscribe and List-Unsubscribe-Post (RFC 8058); none on mails that are not marketing."""
    list_id: str | None
    """RFC 2919 identifier without brackets; None for a mail that goes to us and not to a shopper."""


class EmailSender(Protocol):
    """Hands one e-mail over to whoever delivers it."""

    @property
    def name(self) -> str:
        """Which provider it is, as the vendor names itself."""
        ...

    @property
    def repeat_safe_for(self) -> timedelta:
        """How long after a first hand-over the provider takes a second with the same `message_id` for the same mail.

        Zero where it never does, as with SMTP. Within this time a lost answer is resolved by handing over again.
        """
        ...

    async def send(self, email: Email, *, before_data: Callable[[], Awaitable[None]]) -> str:
        """Hand *email* over and return the other side's id or answer for it, free of personal data.

        *before_data* is awaited once, after everything that can be refused without the content leaving, and right
        before its first byte leaves. If it raises, nothing leaves and its error is passed on.

        Raises:
            TemporaryFailure: surely not accepted; may be tried again (421, 4xx, no connection).
            PermanentFailure: refused for good (5xx). Code ADDRESS_REFUSED if it was the address.
            OutcomeUnknown: it may have been accepted: the connection ended after the first byte of content.
        """
        ...
