"""Task `open-ticket`: have somebody at the helpdesk look at it."""

from dataclasses import dataclass

from waggle.ports.helpdesk import Priority
from waggle.services.effects import EffectOutcome
from waggle.services.tickets import Tickets
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTicket:
    enrolment_id: str
    step: str
    """Names the effect: unique in the journey, so that a repeated job opens no second ticket."""
    topic: str
    """What it is about, in one line; nothing about a person."""
    priority: Priority = "normal"
    """low, normal or high."""
    score: int | None = None
    """What the customer answered, 0 to 10, if that is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketOpened:
    ticket_outcome: EffectOutcome
    """done, failed (the helpdesk refused it), or in_doubt (nobody knows; it is listed for an operator)."""


@task("open-ticket", timeout_s=90, side_effect=True, in_doubt="listed")
async def open_ticket(job: OpenTicket, tickets: Tickets) -> TicketOpened:
    """Open one ticket; the agent gets the shop's references to customer and order, no name and no address.

    Raises:
        TemporaryFailure: nothing was opened; the engine tries again.
        PermanentFailure: ENROLMENT_UNKNOWN or TOPIC_REFUSED.
    """
    opened = await tickets.open(
        enrolment_id=job.enrolment_id, step=job.step, topic=job.topic, priority=job.priority, score=job.score
    )
    return TicketOpened(ticket_outcome=opened.outcome)
