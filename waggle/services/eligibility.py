"""Whether a journey's customer may be written to at all, asked before anything is spent on them."""

from dataclasses import dataclass

from waggle.domain.message import Message
from waggle.errors import PermanentFailure
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.message_checks import SendingPolicy, check


@dataclass(frozen=True, slots=True)
class Eligible:
    """`reason` is `eligible`, or the first rule that says no."""

    eligible: bool
    reason: str


class Eligibility:
    """Asks the same rules as sending does, for a marketing message that does not exist yet."""

    def __init__(self, store: UnitOfWork, policy: SendingPolicy, clock: Clock) -> None:
        self._store = store
        self._policy = policy
        self._clock = clock

    async def check(self, enrolment_id: str) -> Eligible:
        """Say whether a marketing e-mail to this enrolment's customer may be sent; quiet hours only put one off.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN.
        """

        def ask(tx: Transaction) -> Eligible:
            now = self._clock.now()
            enrolment = tx.enrolments.get(enrolment_id)
            if enrolment is None:
                raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
            imagined = Message(
                message_id="",
                enrolment_id=enrolment_id,
                step="",
                customer_id=enrolment.customer_id,
                cart_id=enrolment.cart_id,
                order_id=enrolment.order_id,
                # Not the product: whoever waits for it to come back, or to cost less, is told when it does.
                channel="email",
                purpose="marketing",
                template="",
                coupon_id=None,
                state="planned",
                reason="",
                planned_at=now,
                not_before_at=now,
                expires_at=now + self._policy.message_valid_for,
            )
            verdict = check(tx, imagined, self._policy, now)
            if verdict.clear or verdict.hold_until is not None:
                return Eligible(eligible=True, reason="eligible")
            return Eligible(eligible=False, reason=verdict.reason)

        return await self._store.read(ask)
