"""Task `send-message`: send one message of a journey to its customer."""

from dataclasses import dataclass
from datetime import datetime

from waggle.domain.message import MARKETING
from waggle.services.sending import Sending, SendOutcome
from waggle.task import task


@dataclass(frozen=True, slots=True, kw_only=True)
class SendMessage:
    enrolment_id: str
    step: str
    """Names the effect: unique in the journey, so that a repeated job sends nothing more."""
    template: str
    """A folder of config/messages."""
    coupon_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSent:
    message_outcome: SendOutcome
    message_reason: str
    send_at: datetime
    """When `held` (quiet hours): when to try again."""


@task("send-message", timeout_s=90, side_effect=True, in_doubt=MARKETING.in_doubt)
async def send_message(job: SendMessage, sending: Sending) -> MessageSent:
    """Send it unless something speaks against it at this moment; the same step always has the same outcome.

    Raises:
        TemporaryFailure: nothing left; the engine tries again.
        PermanentFailure: ENROLMENT_UNKNOWN, MESSAGE_TEMPLATE_UNKNOWN, or TEMPLATE_OF_ANOTHER_KIND for an order message.
    """
    sent = await sending.send(
        enrolment_id=job.enrolment_id, step=job.step, template=job.template, coupon_id=job.coupon_id, kind=MARKETING
    )
    return MessageSent(message_outcome=sent.outcome, message_reason=sent.reason, send_at=sent.next_at)
