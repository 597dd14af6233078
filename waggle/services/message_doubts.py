"""Messages of which nobody knows whether they left, and the people who find out."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from waggle.domain.message import InDoubt, Message, MessageState
from waggle.errors import Rejected
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.message_closing import close
from waggle.services.own_words import refuse_personal

Verdict = Literal["sent", "failed"]

SETTLED_BY_HAND = "settled_by_hand"


@dataclass(frozen=True, slots=True)
class MessageLine:
    """One message for people on duty: opaque ids, never the person."""

    message_id: str
    journey: str
    step: str
    enrolment_id: str
    state: MessageState
    reason: str
    in_doubt: InDoubt
    doubts: int
    attempts: int
    provider: str | None
    """Whom to ask."""
    planned_at: datetime
    handed_over_at: datetime | None


class Doubts:
    """Lists messages and settles those in doubt."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def in_doubt(self) -> list[MessageLine]:
        """Return every message in doubt, the one handed over first at the top."""

        def find(tx: Transaction) -> list[MessageLine]:
            return [_line(tx, message) for message in tx.messages.in_doubt()]

        return await self._store.read(find)

    async def newest(self, limit: int) -> list[MessageLine]:
        """Return the messages planned last, in whatever state."""

        def find(tx: Transaction) -> list[MessageLine]:
            return [_line(tx, message) for message in tx.messages.newest(limit)]

        return await self._store.read(find)

    async def settle(self, message_id: str, verdict: Verdict, *, by: str, why: str) -> None:
        """Say once what became of a message in doubt; its coupon follows, and the audit log remembers who said it.

        Raises:
            Rejected: MESSAGE_UNKNOWN; MESSAGE_NOT_IN_DOUBT; COUPON_REDEEMED: whoever used the coupon got the message;
                WORDS_REFUSED: *by* or *why* is empty, too long, or holds what looks like an address or a phone number.
        """
        for name, words in (("by", by), ("why", why)):
            refuse_personal(name, words)

        def settle(tx: Transaction) -> None:
            _settle(tx, message_id, verdict, by, why, self._clock.now())

        await self._store.run(settle)


def _settle(  # noqa: PLR0913, PLR0917 -- who says what about which message, and when
    tx: Transaction, message_id: str, verdict: Verdict, by: str, why: str, now: datetime
) -> None:
    message = tx.messages.by_id(message_id)
    if message is None:
        raise Rejected("MESSAGE_UNKNOWN", f"there is no message {message_id}; `waggle messages --in-doubt` lists them")
    if message.state != "in_doubt":
        raise Rejected("MESSAGE_NOT_IN_DOUBT", f"{message_id} is {message.state} ({message.reason})")
    coupon = tx.coupons.get(message.coupon_id) if message.coupon_id is not None else None
    if verdict == "failed" and coupon is not None and coupon.state == "redeemed":
        raise Rejected(
            "COUPON_REDEEMED", f"the coupon of {message_id} was used, so the message arrived: settle as sent"
        )
    # That it was in doubt is what the person puts an end to; `close` would else keep it there.
    close(tx, replace(message, doubted_at=None), verdict, SETTLED_BY_HAND, now)
    detail = {"from": "in_doubt", "to": verdict, "reason": message.reason}
    tx.audit.add(AuditEntry(at=now, actor=by, action="message-settled", subject=message_id, why=why, detail=detail))


def _line(tx: Transaction, message: Message) -> MessageLine:
    enrolment = tx.enrolments.get(message.enrolment_id)
    return MessageLine(
        message_id=message.message_id,
        journey=enrolment.journey if enrolment is not None else "",
        step=message.step,
        enrolment_id=message.enrolment_id,
        state=message.state,
        reason=message.reason,
        in_doubt=message.in_doubt,
        doubts=message.doubts,
        attempts=message.attempts,
        provider=message.provider,
        planned_at=message.planned_at,
        handed_over_at=message.handed_over_at,
    )
