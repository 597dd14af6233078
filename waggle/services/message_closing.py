"""Bring a message to its final state, and its coupon with it."""

from dataclasses import replace
from datetime import datetime
from typing import Literal

from waggle.domain.message import MOST_DOUBTS, Message
from waggle.ports.unit_of_work import Transaction
from waggle.services.coupons import give_back, hand_out, take_back

FinalState = Literal["suppressed", "failed", "in_doubt", "sent"]

ANSWER_LOST = "answer_lost"


def close(tx: Transaction, message: Message, state: FinalState, reason: str, now: datetime) -> Message:
    """Store *message* as final and return it; a coupon that may have been read is issued, any other goes back.

    What may have been accepted once is never said not to have been sent: it ends in doubt. There it keeps its token, so
    that an answer that still comes is known as belonging to this hand-over.
    """
    if message.doubted_at is not None and state in {"suppressed", "failed"}:
        state, reason = "in_doubt", ANSWER_LOST
    token = message.token if state == "in_doubt" else None
    closed = replace(message, state=state, reason=reason, settled_at=now, token=token, lease_until=None)
    tx.messages.save(closed)
    if state in {"sent", "in_doubt"}:
        hand_out(tx, message.coupon_id, now)
    elif message.state == "in_doubt":
        take_back(tx, message.coupon_id, now)
    else:
        give_back(tx, message.coupon_id, now)
    return closed


def doubt(tx: Transaction, message: Message, reason: str, now: datetime) -> Message:
    """Store that the answer to the last hand-over of *message* is lost, and return what becomes of it.

    Planned again where a repeat makes no second mail, or where a second mail is better than none and there were few
    doubts; else in doubt. The token stays: the answer may still come and save the repeat.
    """
    doubted = replace(message, doubted_at=message.doubted_at or message.handed_over_at or now)
    if message.provider is None or not message.repeat_is_safe(message.provider, now):
        doubted = replace(doubted, doubts=doubted.doubts + 1)
        if doubted.in_doubt == "listed" or doubted.doubts >= MOST_DOUBTS:
            return close(tx, doubted, "in_doubt", reason, now)
    waiting = replace(doubted, state="planned", reason=reason, lease_until=None)
    tx.messages.save(waiting)
    return waiting
