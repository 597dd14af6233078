"""A helpdesk that takes its tickets by e-mail, as nearly all of them do."""

from datetime import timedelta
from html import escape

from waggle.ports.email import Email, EmailSender
from waggle.ports.helpdesk import Ticket


class MailedTickets:
    """A Helpdesk; the mail holds references of the shop and nothing else about a customer."""

    def __init__(self, sender: EmailSender, *, address: str, written_by: str, domain: str) -> None:
        """Write to *address*, as *written_by*; *domain* ends the Message-ID, by which a repeat is known."""
        self._sender = sender
        self._address = address
        self._written_by = written_by
        self._domain = domain

    @property
    def knows_repeats(self) -> bool:
        """Whether the mail's provider takes a repeat for the same mail."""
        return self._sender.repeat_safe_for > timedelta(0)

    async def open(self, ticket: Ticket) -> str | None:
        """Write the mail; see `waggle.ports.helpdesk`."""
        await self._sender.send(self._email(ticket), before_data=_nothing_more_to_ask)
        return None

    def _email(self, ticket: Ticket) -> Email:
        lines = _lines(ticket)
        rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in lines)
        about = f" about order {ticket.order_ref}" if ticket.order_ref is not None else ""
        return Email(
            to=self._address,
            sender=self._written_by,
            subject=f"[{ticket.priority}] {ticket.topic}{about}",
            text="\n".join(f"{name}: {value}" for name, value in lines) + "\n",
            html=f'<!doctype html><html lang="en"><body><table cellpadding="6">{rows}</table></body></html>',
            message_id=f"<{ticket.ticket_id}@{self._domain}>",
            unsubscribe_url=None,
            list_id=None,
        )


def _lines(ticket: Ticket) -> list[tuple[str, str]]:
    said = [
        ("Topic", ticket.topic),
        ("Priority", ticket.priority),
        ("Score", f"{ticket.score} of 10" if ticket.score is not None else None),
        ("Order", ticket.order_ref),
        ("Customer", ticket.customer_ref),
        ("Journey", ticket.journey),
        ("Ticket", ticket.ticket_id),
    ]
    return [(name, value) for name, value in said if value is not None]


async def _nothing_more_to_ask() -> None:
    """Be asked before the content leaves: that it may was decided when the effect was handed over."""
