"""Task `send-order-message`: send a customer what belongs to their order."""

from dataclasses import dataclass

from waggle.domain.message import ORDER
from waggle.services.sending import Sending
from waggle.task import task
from workers.send_message import MessageSent


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOrderMessage:
    enrolment_id: str
    step: str
    """Names the effect: unique in the journey, so that a repeated job sends nothing more."""
    template: str
    """A folder of config/messages whose message.toml says `purpose = "transactional"`."""


@task("send-order-message", timeout_s=90, side_effect=True, in_doubt=ORDER.in_doubt)
async def send_order_message(job: SendOrderMessage, sending: Sending) -> MessageSent:
    """Send it whatever was agreed about advertising and whatever the hour; a second copy is better than none.

    If an answer is lost it is sent again under the same Message-ID, twice at most, and counted.

    Raises:
        TemporaryFailure: nothing is known to have left; the engine tries again.
        PermanentFailure: ENROLMENT_UNKNOWN, MESSAGE_TEMPLATE_UNKNOWN, or TEMPLATE_OF_ANOTHER_KIND for advertising.
    """
    sent = await sending.send(
        enrolment_id=job.enrolment_id, step=job.step, template=job.template, coupon_id=None, kind=ORDER
    )
    return MessageSent(message_outcome=sent.outcome, message_reason=sent.reason, send_at=sent.next_at)
