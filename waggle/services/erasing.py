"""What goes with a person who is forgotten, beside what their key opened."""

from datetime import datetime

from waggle.domain.consent import ConsentFact
from waggle.errors import PermanentFailure, TemporaryFailure
from waggle.ports.clock import Clock
from waggle.ports.privacy import Way
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.own_facts import tell
from waggle.services.privacy_requests import is_held, known

ERASED = "erased"
"""Reason of an address that is kept as a hash only because its person was forgotten."""

_APPLIED_SOON_S = 2.0
_LINKS = Way("links", "message_id", Way("messages", "customer_id"))


def let_go(tx: Transaction, customer_id: str, at: datetime) -> list[ConsentFact]:
    """Remove what hangs on this id of a person; to be called while its key still opens what was told.

    Returns what was stated after *at* and has to be sealed anew once the key is destroyed.

    Of their address stays a keyed hash: it must not be written to because of a list that somebody imports again.
    Orders stay as orders of nobody; consents stay as facts about an opaque id, without what the key sealed.
    """
    customer = tx.customers.profile(customer_id)
    if customer is not None and customer.email is not None:
        kept = tx.suppressions.of_customer(customer_id)
        tx.suppressions.keep_address(customer.email, "email", kept.get("email", (ERASED, at))[0], at)
    tx.suppressions.forget(customer_id)
    tx.one_time_links.drop_of(customer_id)
    tx.exports.drop_of(customer_id)
    tx.personal_data.drop(_LINKS, [customer_id])
    return tx.consents.forget(customer_id, at)


class Erasing:
    """Forgets people on request."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def erase(self, request_id: str) -> None:
        """Tell that the request's customer is to be forgotten, and return once they are.

        Raises:
            PermanentFailure: PRIVACY_REQUEST_UNKNOWN; LEGAL_HOLD, their data may not go yet; NOT_CONFIRMED, nobody has
                said that the wish is theirs.
            TemporaryFailure: ERASURE_UNDER_WAY, it is told and not yet applied.
        """

        def order(tx: Transaction) -> bool:
            request = known(tx, request_id)
            if request.right != "erasure" or request.state == "unconfirmed":
                raise PermanentFailure("NOT_CONFIRMED", request_id)
            if is_held(tx, request.customer_id):
                raise PermanentFailure("LEGAL_HOLD", request_id)
            # At the time of the request: who comes back while it is worked on is somebody who came back.
            at = request.confirmed_at or request.opened_at
            tell(tx, "customer-erased", f"{request_id}:erased", {"customer_id": request.customer_id}, at)
            customer = tx.customers.profile(request.customer_id)
            return customer is not None and customer.erased_at is not None and customer.erased_at >= at

        if not await self._store.run(order):
            raise TemporaryFailure("ERASURE_UNDER_WAY", request_id, retry_after_s=_APPLIED_SOON_S)
