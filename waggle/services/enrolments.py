"""The journey's side of an enrolment: claimed by its first task, ended by its last."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from waggle.domain.enrolment import Enrolment
from waggle.errors import PermanentFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.journey_engine import Scalar
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.coupons import give_back
from waggle.services.journeys import JourneyBook
from waggle.services.message_closing import close

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a journey begins with; `proceed` is false for an enrolment that ended before its journey came."""

    proceed: bool
    cart_id: str | None
    customer_id: str | None
    order_id: str | None
    sku: str | None
    settings: Mapping[str, Scalar]


class Enrolments:
    """Opens and ends enrolments."""

    def __init__(self, store: UnitOfWork, journeys: JourneyBook, clock: Clock) -> None:
        self._store = store
        self._journeys = journeys
        self._clock = clock

    async def open(self, enrolment_id: str, instance_key: int, version: int | None = None) -> Opened:
        """Claim the enrolment for its journey; an enrolment that runs already answers the same again.

        *instance_key* and *version* are noted for people; after a crash of the engine the newest ones count.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN.
        """

        def claim(tx: Transaction) -> Opened:
            enrolment = _known(tx, enrolment_id)
            if enrolment.state == "entering":
                enrolment = replace(enrolment, state="running", started_at=self._clock.now())
            if enrolment.live and enrolment.instance_key != instance_key:
                enrolment = replace(enrolment, instance_key=instance_key, process_version=version)
                tx.enrolments.save(enrolment)
            settings = self._journeys.of(enrolment.journey).settings
            return Opened(
                proceed=enrolment.live,
                cart_id=enrolment.cart_id,
                customer_id=enrolment.customer_id,
                order_id=enrolment.order_id,
                sku=enrolment.sku,
                settings=settings,
            )

        return await self._store.run(claim)

    async def end(self, enrolment_id: str, outcome: str, reason: str) -> None:
        """Record how the journey ended, once; what it had planned and not sent ends with it.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN.
        """

        def end(tx: Transaction) -> None:
            now = self._clock.now()
            enrolment = _known(tx, enrolment_id)
            if not enrolment.live:
                return
            tx.enrolments.save(replace(enrolment, state="ended", ended_at=now, outcome=outcome, outcome_reason=reason))
            # Of those that are open alone: a campaign has one message for each of its recipients.
            for message in tx.messages.open_of_enrolment(enrolment_id):
                # A claimed one is at the mail server's door and asks once more before it goes through.
                if message.state == "planned":
                    close(tx, message, "suppressed", outcome, now)
            under_way = any(m.state in {"claimed", "handed_over"} for m in tx.messages.open_of_enrolment(enrolment_id))
            for coupon in tx.coupons.of_enrolment(enrolment_id):
                if not under_way:
                    give_back(tx, coupon.coupon_id, now)
            for question in tx.approvals.waiting_of(enrolment_id):
                tx.approvals.save(replace(question, state="lapsed", decided_at=now))

        await self._store.run(end)
        log.info("journey ended", enrolment_id=enrolment_id, outcome=outcome, reason=reason)


def _known(tx: Transaction, enrolment_id: str) -> Enrolment:
    enrolment = tx.enrolments.get(enrolment_id)
    if enrolment is None:
        raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
    return enrolment
