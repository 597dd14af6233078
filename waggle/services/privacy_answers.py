"""What the journeys of privacy requests do, step by step; each step done again changes nothing."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

import msgspec

from waggle.domain.consent import PROFILING, SALE_SHARE
from waggle.domain.privacy import PrivacyRequest
from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.own_facts import tell
from waggle.services.privacy_requests import close, is_held, known

_log = get_logger(__name__)

_BY: Final = "journey"
_APPLIED_SOON_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class RequestFound:
    """How a request stands when its journey looks."""

    state: str
    right: str
    due_at: datetime
    legal_hold: bool
    has_content: bool
    """Whether it says itself what is to be corrected."""


class PrivacyAnswers:
    """Answers requests."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def read(self, request_id: str) -> RequestFound:
        """Return how the request stands.

        Raises:
            PermanentFailure: PRIVACY_REQUEST_UNKNOWN.
        """

        def read(tx: Transaction) -> RequestFound:
            request = known(tx, request_id)
            held = is_held(tx, request.customer_id)
            return RequestFound(request.state, request.right, request.due_at, held, request.payload is not None)

        return await self._store.read(read)

    async def apply(self, request_id: str) -> None:
        """Tell what a confirmed request asks for, as facts, and return once they are applied.

        Raises:
            PermanentFailure: PRIVACY_REQUEST_UNKNOWN; or NOT_FOR_A_MACHINE, a person has to do what it asks for.
            TemporaryFailure: FACTS_PENDING.
        """

        def do(tx: Transaction) -> bool:
            request = known(tx, request_id)
            if request.closed:
                return True
            if request.state == "unconfirmed":
                raise PermanentFailure("NOT_FOR_A_MACHINE", request_id)
            at = request.confirmed_at or request.opened_at
            for number, (event_type, data) in enumerate(_facts(request)):
                said = {"customer_id": request.customer_id, **data}
                tell(tx, event_type, f"{request_id}:{number}", said, at)
            return not tx.events.any_pending([request.customer_id])

        if not await self._store.run(do):
            raise TemporaryFailure("FACTS_PENDING", request_id, retry_after_s=_APPLIED_SOON_S)

    async def close(self, request_id: str) -> str:
        """Close the request as what became of it, and return that.

        Raises:
            PermanentFailure: PRIVACY_REQUEST_UNKNOWN.
        """
        return await self._store.run(partial(self._close, request_id=request_id))

    def _close(self, tx: Transaction, request_id: str) -> str:
        request = known(tx, request_id)
        outcome = _outcome(tx, request)
        if request.right == "erasure" and outcome == "refused" and not request.closed:
            # A legal hold stood against it: told all the same, it waits until that is lifted.
            at = request.confirmed_at or request.opened_at
            tell(tx, "customer-erased", f"{request_id}:erased", {"customer_id": request.customer_id}, at)
        closed = close(tx, request_id, outcome, _BY, self._clock.now())
        return closed.outcome or ""

    async def report(self, request_id: str) -> bool:
        """Say where people on duty see it that a request waits for one of them; False if it is closed meanwhile.

        Raises:
            PermanentFailure: PRIVACY_REQUEST_UNKNOWN.
        """

        def note(tx: Transaction) -> PrivacyRequest:
            request = known(tx, request_id)
            if not request.closed and not _is_reported(tx, request_id):
                tx.audit.add(
                    AuditEntry(
                        at=self._clock.now(),
                        actor=_BY,
                        action="privacy-request-escalated",
                        subject=request_id,
                        why="a person has to look",
                        detail={"right": request.right, "due_at": request.due_at.isoformat()},
                    )
                )
            return request

        request = await self._store.run(note)
        if request.closed:
            return False
        _log.warning(
            "privacy request waits for a person",
            request_id=request_id,
            right=request.right,
            due_at=request.due_at.isoformat(),
        )
        return True

    async def lapse(self, enrolment_id: str) -> None:
        """Tell that a subscription was not confirmed in time, which forgets that it was asked for.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN.
        """

        def lapse(tx: Transaction) -> None:
            enrolment = tx.enrolments.get(enrolment_id)
            if enrolment is None:
                raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
            customer_id, purpose, channel = subscription_of(enrolment.business_key)
            data = {"customer_id": customer_id, "purpose": purpose, "channel": channel}
            tell(tx, "consent-lapsed", f"{enrolment_id}:lapsed", data, self._clock.now())

        await self._store.run(lapse)


def subscription_of(business_key: str) -> tuple[str, str, str]:
    """Return customer, purpose and channel of a double opt-in; only a customer's id may hold a colon."""
    customer_id, purpose, channel = business_key.rsplit(":", 2)
    return customer_id, purpose, channel


def _facts(request: PrivacyRequest) -> list[tuple[str, dict[str, Any]]]:
    match request.right:
        case "restriction":
            return [("customer-restricted", {})]
        case "objection":
            said = {"channel": "email", "mechanism": "privacy_request"}
            return [
                ("consent-withdrawn", {"purpose": purpose, **said}) for purpose in ("marketing", PROFILING, SALE_SHARE)
            ]
        case "rectification" if request.payload is not None:
            return [("customer-identified", msgspec.json.decode(request.payload))]
    raise PermanentFailure("NOT_FOR_A_MACHINE", request.request_id)


def _outcome(tx: Transaction, request: PrivacyRequest) -> str:
    if request.state == "unconfirmed":
        return "unconfirmed"
    if request.right == "erasure":
        customer = tx.customers.profile(request.customer_id)
        at = request.confirmed_at or request.opened_at
        erased = customer is not None and customer.erased_at is not None and customer.erased_at >= at
        return "erased" if erased else "refused"
    if request.right in {"access", "portability"}:
        return "delivered"
    return "applied"


def _is_reported(tx: Transaction, request_id: str) -> bool:
    return any(each.action == "privacy-request-escalated" for each in tx.audit.of_subject(request_id))
