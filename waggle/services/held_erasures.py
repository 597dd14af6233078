"""Erasures that a legal hold stands against (GDPR Art. 17(3)): they wait, and their persons are let alone meanwhile."""

from datetime import datetime
from typing import Final

from waggle.domain.event import CustomerErased, Fact
from waggle.log import get_logger
from waggle.ports.unit_of_work import AuditEntry, StoredEvent, Transaction
from waggle.services.privacy_requests import is_held

_log = get_logger(__name__)

LEGAL_HOLD: Final = "LEGAL_HOLD"
"""Code of an erasure that is set aside: it can be applied, and may not yet."""

EVERY_CHANNEL: Final = "every"
"""In the place of a channel in a suppression."""

_ERASURE_WAITS: Final = "erasure_waits"


def hold_back(tx: Transaction, stored: StoredEvent, fact: Fact, now: datetime) -> bool:
    """Set an erasure aside that may not be carried out yet; False: *stored* is none, or it may.

    From now on nothing is done with what is known of its person (see `erasure_waits`).
    """
    if not isinstance(fact, CustomerErased) or not is_held(tx, fact.customer_id):
        return False
    # Of who was erased for that time already nothing is left to keep, as in an older database that was put back.
    destroyed_at = tx.person_keys.destroyed_at(fact.customer_id)
    if destroyed_at is not None and destroyed_at >= stored.event.time:
        return False
    tx.events.quarantine(stored.sequence, LEGAL_HOLD, now)
    if EVERY_CHANNEL not in tx.suppressions.of_customer(fact.customer_id):
        tx.suppressions.add(fact.customer_id, EVERY_CHANNEL, _ERASURE_WAITS, now)
        tx.audit.add(
            AuditEntry(
                at=now,
                actor=stored.event.source,
                action="erasure-held-back",
                subject=fact.customer_id,
                why="a legal hold",
                detail={"event_id": stored.event.id},
            )
        )
    _log.info("erasure waits for a legal hold to be lifted", sequence=stored.sequence)
    return True


def release(tx: Transaction, customer_id: str) -> int:
    """Have the erasures of a person carried out that waited, unless another hold is left; return how many there are.

    To be called after whatever may have ended a hold.
    """
    if is_held(tx, customer_id):
        return 0
    waiting = tx.events.set_aside_about(tx.identities.all_of(customer_id), LEGAL_HOLD)
    for sequence in waiting:
        tx.events.release(sequence)
    return len(waiting)


def erasure_waits(tx: Transaction, customer_id: str) -> bool:
    """Say whether the person is to be forgotten and a legal hold stands against it: no consent undoes that."""
    return tx.suppressions.reason(customer_id, EVERY_CHANNEL) is not None
