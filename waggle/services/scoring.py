"""Rate a customer by the orders that are known of them."""

from waggle.domain.consent import PROFILING
from waggle.domain.score import Score, ScoreBounds, score
from waggle.errors import PermanentFailure
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.consents import objects, restricted


class Scoring:
    """Recency, frequency and value; a learned model can take its place without a journey noticing."""

    def __init__(self, store: UnitOfWork, bounds: ScoreBounds, clock: Clock) -> None:
        self._store = store
        self._bounds = bounds
        self._clock = clock

    async def score(self, enrolment_id: str) -> Score:
        """Rate the enrolment's customer; one who is not known, or objects to it, is `new`.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN.
        """

        def rate(tx: Transaction) -> Score:
            enrolment = tx.enrolments.get(enrolment_id)
            if enrolment is None:
                raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
            customer_id = enrolment.customer_id
            # Who objects to being looked at is rated like somebody who is not known (GDPR Art. 21).
            unrated = customer_id is None or objects(tx, customer_id, PROFILING) or restricted(tx, customer_id)
            placed = tx.orders.of_customer(customer_id) if customer_id is not None and not unrated else []
            orders = [order for order in placed if order.counts]
            return score(orders, self._bounds, self._clock.now())

        return await self._store.read(rate)
