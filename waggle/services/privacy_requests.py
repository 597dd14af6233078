"""What people ask of the shop about their data: opened here, worked on by a journey each, closed with an outcome."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, cast

from waggle.domain.event import Event, PrivacyRequestConfirmed, PrivacyRequestOpened
from waggle.domain.privacy import ANSWER_WITHIN, PrivacyRequest, RequestState, Right
from waggle.errors import PermanentFailure, Rejected
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.own_facts import tell

_OPENED: Final = "privacy-request-opened"
_CONFIRMED: Final = "privacy-request-confirmed"

_MOST_LISTED = 500
NOBODY_HAS_THIS_ID = (
    "the shop told of nobody under this id; `waggle customer show` finds the id of who is known by another, "
    "or by e-mail address"
)


def open_request(  # noqa: PLR0913 -- what a request is made of
    tx: Transaction,
    right: Right,
    customer_ref: str,
    source: str,
    at: datetime,
    *,
    by: str = "",
    confirmed: bool = True,
    payload: str | None = None,
) -> PrivacyRequest:
    """Store a wish of the customer and tell the journey that grants it; the same wish while one is open is that one.

    *source* says through what it came, *by* who brought it; without *confirmed* nothing is done before somebody who
    reads the customer's mail has followed the link there. *payload* says what is to be corrected.
    """
    for known in tx.privacy_requests.of_customer(customer_ref):
        if known.right == right and not known.closed and payload is None:
            if confirmed and known.state == "unconfirmed":
                confirm(tx, known.request_id, at)
            return known
    request = PrivacyRequest(
        request_id=str(uuid.uuid4()),
        right=right,
        customer_id=customer_ref,
        source=source,
        opened_by=by or source,
        state="open" if confirmed else "unconfirmed",
        opened_at=at,
        due_at=at + ANSWER_WITHIN,
        confirmed_at=at if confirmed else None,
        payload=payload,
    )
    tx.privacy_requests.add(request)
    _note(tx, request, "privacy-request-opened", by or source, f"{right}, through {source}", at)
    data = {"request_id": request.request_id, "customer_id": customer_ref, "right": right}
    tell(tx, _OPENED, f"{request.request_id}:opened", data, at)
    return request


def confirm(tx: Transaction, request_id: str, at: datetime) -> None:
    """Let the journey of an unconfirmed request go on; one that is confirmed or closed stays as it is."""
    request = tx.privacy_requests.get(request_id)
    if request is None or request.state != "unconfirmed":
        return
    tx.privacy_requests.save(replace(request, state="open", confirmed_at=at))
    data = {"request_id": request_id, "customer_id": request.customer_id}
    tell(tx, _CONFIRMED, f"{request_id}:confirmed", data, at)


def close(  # noqa: PLR0913 -- what there is to say of an end
    tx: Transaction, request_id: str, outcome: str, by: str, at: datetime, *, why: str = ""
) -> PrivacyRequest:
    """Store how a request ended, once; what it was to correct is forgotten.

    Raises:
        PermanentFailure: PRIVACY_REQUEST_UNKNOWN.
    """
    request = known(tx, request_id)
    if request.closed:
        return request
    state: RequestState = "refused" if outcome in {"refused", "unconfirmed"} else "done"
    closed = replace(request, state=state, done_at=at, done_by=by, outcome=outcome, payload=None)
    tx.privacy_requests.save(closed)
    _note(tx, closed, "privacy-request-closed", by, why or outcome, at)
    return closed


def is_held(tx: Transaction, customer_id: str) -> bool:
    """Say whether a law wants the data kept under any id of this person: they are all forgotten together."""
    return any(tx.legal_holds.is_held(each) for each in tx.identities.all_of(customer_id))


def known(tx: Transaction, request_id: str) -> PrivacyRequest:
    """Return the request of this id.

    Raises:
        PermanentFailure: PRIVACY_REQUEST_UNKNOWN.
    """
    request = tx.privacy_requests.get(request_id)
    if request is None:
        raise PermanentFailure("PRIVACY_REQUEST_UNKNOWN", f"there is no request {request_id!r}")
    return request


def apply(tx: Transaction, fact: PrivacyRequestOpened | PrivacyRequestConfirmed, event: Event) -> None:
    """Take in what a source says of a request; one that was opened here is known already."""
    request = tx.privacy_requests.get(fact.request_id)
    if isinstance(fact, PrivacyRequestConfirmed):
        if request is not None and request.state == "unconfirmed":
            tx.privacy_requests.save(replace(request, state="open", confirmed_at=event.time))
    elif request is None:
        opened = PrivacyRequest(
            request_id=fact.request_id,
            right=cast("Right", fact.right),
            customer_id=fact.customer_id,
            source=event.source,
            opened_by=event.source,
            state="open",
            opened_at=event.time,
            due_at=event.time + ANSWER_WITHIN,
            confirmed_at=event.time,
        )
        tx.privacy_requests.add(opened)


def _note(  # noqa: PLR0913, PLR0917 -- what an entry says
    tx: Transaction, request: PrivacyRequest, action: str, by: str, why: str, at: datetime
) -> None:
    detail: Mapping[str, str] = {"right": request.right, "customer_id": request.customer_id}
    tx.audit.add(AuditEntry(at=at, actor=by, action=action, subject=request.request_id, why=why, detail=detail))


@dataclass(frozen=True, slots=True)
class RequestLine:
    """A request as it is listed: ids and dates, nothing of the person."""

    request_id: str
    right: str
    customer_id: str
    source: str
    state: str
    opened_at: datetime
    due_at: datetime
    done_at: datetime | None
    outcome: str | None
    overdue: bool


class PrivacyRequestBook:
    """Opens, lists and closes requests for the people of the house."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def open(self, right: Right, customer_ref: str, *, source: str, by: str) -> RequestLine:
        """Open a request on behalf of a customer whose identity *by* has checked.

        Raises:
            Rejected: CUSTOMER_UNKNOWN.
        """

        def opening(tx: Transaction) -> RequestLine:
            if tx.customers.get(customer_ref) is None:
                raise Rejected("CUSTOMER_UNKNOWN", NOBODY_HAS_THIS_ID)
            now = self._clock.now()
            return _line(open_request(tx, right, customer_ref, source, now, by=by), now)

        return await self._store.run(opening)

    async def list(self, *, all_states: bool = False) -> list[RequestLine]:
        """Return what is to be done, the most urgent first, or all."""

        def listing(tx: Transaction) -> list[RequestLine]:
            now = self._clock.now()
            return [_line(each, now) for each in tx.privacy_requests.newest(_MOST_LISTED, all_states=all_states)]

        return await self._store.read(listing)

    async def show(self, request_id: str) -> RequestLine | None:
        """Return one request."""

        def showing(tx: Transaction) -> RequestLine | None:
            request = tx.privacy_requests.get(request_id)
            return None if request is None else _line(request, self._clock.now())

        return await self._store.read(showing)

    async def done(self, request_id: str, *, outcome: str, by: str, why: str) -> RequestLine:
        """Close a request that a person has answered.

        Raises:
            PermanentFailure: PRIVACY_REQUEST_UNKNOWN.
        """

        def closing(tx: Transaction) -> RequestLine:
            now = self._clock.now()
            return _line(close(tx, request_id, outcome, by, now, why=why), now)

        return await self._store.run(closing)


def _line(request: PrivacyRequest, now: datetime) -> RequestLine:
    return RequestLine(
        request_id=request.request_id,
        right=request.right,
        customer_id=request.customer_id,
        source=request.source,
        state=request.state,
        opened_at=request.opened_at,
        due_at=request.due_at,
        done_at=request.done_at,
        outcome=request.outcome,
        overdue=not request.closed and now > request.due_at,
    )
