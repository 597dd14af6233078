"""Bring a message to its final state, and its coupon with it."""

from dataclasses import replace
from datetime import datetime
from typing import Literal

from waggle.domain.message import Message
from waggle.ports.unit_of_work import Transaction
from waggle.services.coupons import give_back, hand_out

FinalState = Literal["suppressed", "failed", "in_doubt", "sent"]


def close(tx: Transaction, message: Message, state: FinalState, reason: str, now: datetime) -> Message:
    """Store *message* as final and return it; a coupon that may have been read is issued, any other goes back.

    In doubt, the message keeps its token: an answer that still comes is known by it as belonging to this hand-over.
    """
    token = message.token if state == "in_doubt" else None
    closed = replace(message, state=state, reason=reason, settled_at=now, token=token, lease_until=None)
    tx.messages.save(closed)
    if state in {"sent", "in_doubt"}:
        hand_out(tx, message.coupon_id, now)
    else:
        give_back(tx, message.coupon_id, now)
    return closed
