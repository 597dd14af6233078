"""Write no more advertising to those who do not care for it, until they show that they do."""

from typing import Final

from waggle.domain.consent import ConsentFact
from waggle.errors import PermanentFailure
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork

UNENGAGED: Final = "unengaged"
"""Reason of a suppression that a journey set and may lift; bounces, complaints and refusals are not its own."""

_CHANNEL: Final = "email"


class Suppressing:
    """Keeps customers out of marketing messages and lets them in again; mails about their orders go on."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def suppress(self, enrolment_id: str) -> bool:
        """Keep the enrolment's customer out; False if another reason does so already, which then stays.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN.
        """

        def keep_out(tx: Transaction) -> bool:
            customer_id = _customer_of(tx, enrolment_id)
            if customer_id is None:
                return False
            known = tx.suppressions.reason(customer_id, _CHANNEL)
            if known is None:
                tx.suppressions.add(customer_id, _CHANNEL, UNENGAGED, self._clock.now())
            return known in {None, UNENGAGED}

        return await self._store.run(keep_out)

    async def let_in(self, enrolment_id: str) -> bool:
        """Undo what `suppress` did; False if there was nothing of it to undo.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN.
        """

        def let_in(tx: Transaction) -> bool:
            customer_id = _customer_of(tx, enrolment_id)
            return customer_id is not None and tx.suppressions.lift(customer_id, _CHANNEL, UNENGAGED)

        return await self._store.run(let_in)


def standing_suppression(tx: Transaction, customer_id: str, channel: str, consent: list[ConsentFact]) -> str | None:
    """Return why nothing may be sent to the person; who agreed anew after not caring cares again."""
    if tx.suppressions.reason(customer_id, channel) is None:
        return None
    kept = [tx.suppressions.of_customer(each).get(channel) for each in tx.identities.all_of(customer_id)]
    for reason, since in filter(None, kept):
        if reason != UNENGAGED or not any(fact.given and fact.stated_at > since for fact in consent):
            return reason
    return None


def _customer_of(tx: Transaction, enrolment_id: str) -> str | None:
    enrolment = tx.enrolments.get(enrolment_id)
    if enrolment is None:
        raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
    return enrolment.customer_id
