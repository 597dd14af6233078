"""Links of one person: to the page with their data, and those that do one thing once; signed, so none is guessed."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec

from waggle.domain.message import Message
from waggle.domain.privacy import LinkKind, OneTimeLink
from waggle.errors import PermanentFailure
from waggle.ports.unit_of_work import Transaction

PREFERENCES_FOR: Final = timedelta(days=180)
"""How long the link in a mail leads to the page: mails are kept, passed on and found by others."""

TERMS: Final[dict[LinkKind, timedelta]] = {
    "confirm-subscription": timedelta(days=7),
    "keep-subscription": timedelta(days=90),
    "answer-survey": timedelta(days=30),
    "change-email": timedelta(days=2),
    "confirm-erasure": timedelta(days=7),
    "download": timedelta(hours=24),
}

_SIGNATURE_CHARS = 32


@dataclass(frozen=True, slots=True)
class ActionLink:
    """A token, and the address it goes to."""

    token: str
    address: str


def preferences_token(tx: Transaction, message_id: str) -> str:
    """Return what leads from a message to the page of its customer; nothing is stored for it."""
    return f"{message_id}.{_signature(tx, message_id)}"


def signed_message(tx: Transaction, token: str) -> str | None:
    """Return the message that a token of the page was made for; None if it is not of our making."""
    message_id, _, signature = token.partition(".")
    return message_id if hmac.compare_digest(signature.encode(), _signature(tx, message_id).encode()) else None


def _signature(tx: Transaction, message_id: str) -> str:
    return tx.one_time_links.signature(f"{message_id}:preferences")[:_SIGNATURE_CHARS]


def action_link(tx: Transaction, message: Message, kind: LinkKind, address: str) -> ActionLink:
    """Make the link of a message that does one thing; each try of the message has the same.

    It is bound to the address it goes to, and to what the journey is about: its business key.

    Raises:
        PermanentFailure: ENROLMENT_UNKNOWN; or NOTHING_TO_CONFIRM, the request it belongs to is closed.
    """
    enrolment = tx.enrolments.get(message.enrolment_id)
    if enrolment is None or enrolment.customer_id is None:
        raise PermanentFailure("ENROLMENT_UNKNOWN", message.enrolment_id)
    if kind == "change-email":
        request = tx.privacy_requests.get(enrolment.business_key)
        if request is None or request.payload is None:
            raise PermanentFailure("NOTHING_TO_CONFIRM", message.message_id)
        address = msgspec.json.decode(request.payload)["email"]
    token = tx.one_time_links.signature(f"{message.message_id}:{kind}")
    if tx.one_time_links.get(token_hash(token)) is None:
        tx.one_time_links.add(
            OneTimeLink(
                token_sha256=token_hash(token),
                kind=kind,
                customer_id=enrolment.customer_id,
                subject=enrolment.business_key,
                payload=address,
                made_at=message.planned_at,
                expires_at=message.planned_at + TERMS[kind],
            )
        )
    return ActionLink(token, address)


def token_hash(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def usable(tx: Transaction, token: str, now: datetime) -> OneTimeLink | None:
    """Return what a token stands for, if it still does; None also for one that nobody made."""
    link = tx.one_time_links.get(token_hash(token))
    return link if link is not None and link.usable(now) else None
