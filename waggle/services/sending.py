"""Send one message of a journey, once: claim, hand over, settle, each its own transaction."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import stamina

from waggle.domain.message import Message
from waggle.errors import OutcomeUnknown, PermanentFailure, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.email import Email, EmailSender
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.composing import Composer
from waggle.services.message_checks import SendingPolicy, check
from waggle.services.message_closing import close

log = get_logger(__name__)

SendOutcome = Literal["sent", "held", "suppressed", "failed", "in_doubt"]

CHANNEL = "email"
# Longer than the runtime lets a send last, so that a lease that is over means a process that is gone.
LEASE = timedelta(seconds=120)
_FIRST_RETRY_S = 15.0
_LONGEST_RETRY_S = 300.0
_MOST_DOUBLINGS = 10
_FACTS_PENDING_RETRY_S = 1.0
_SETTLE_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Sent:
    """How far the message has come, and why. `held`: try again at `next_at`; everything else is final."""

    outcome: SendOutcome
    reason: str
    next_at: datetime


@dataclass(frozen=True, slots=True)
class _Claim:
    message: Message
    email: Email


class _NoLongerWanted(Exception):
    """Not an error: it only carries the answer out of the mail server's session."""

    def __init__(self, answer: Sent) -> None:
        super().__init__()
        self.answer = answer


class Sending:
    """The one way by which messages leave."""

    def __init__(
        self, store: UnitOfWork, sender: EmailSender, composer: Composer, policy: SendingPolicy, clock: Clock
    ) -> None:
        self._store = store
        self._sender = sender
        self._composer = composer
        self._policy = policy
        self._clock = clock

    async def send(self, *, enrolment_id: str, step: str, template: str, coupon_id: str | None) -> Sent:
        """Send the message of this *step* unless it was sent, and say how it stands.

        The same (enrolment_id, step) is one message for ever: once its state is final, each call gives one answer.

        Raises:
            TemporaryFailure: nothing left; try again later. SEND_UNDER_WAY: another process is at it. FACTS_PENDING:
                events about the customer are accepted but not yet applied, so that the answer could be wrong.
            PermanentFailure: ENROLMENT_UNKNOWN or MESSAGE_TEMPLATE_UNKNOWN.
        """
        sent = await self._send(enrolment_id, step, template, coupon_id)
        # Not inside a transaction, which may be run more than once.
        log.info("message stands", enrolment_id=enrolment_id, step=step, outcome=sent.outcome, reason=sent.reason)
        return sent

    async def _send(self, enrolment_id: str, step: str, template: str, coupon_id: str | None) -> Sent:
        def claim(tx: Transaction) -> _Claim | Sent:
            return self._claim(tx, enrolment_id, step, template, coupon_id)

        claimed = await self._store.run(claim)
        if isinstance(claimed, Sent):
            return claimed
        message = claimed.message

        async def before_data() -> None:
            refusal = await self._store.run(lambda tx: self._hand_over(tx, message))
            if refusal is not None:
                raise _NoLongerWanted(refusal)

        try:
            answer = await self._sender.send(claimed.email, before_data=before_data)
        except _NoLongerWanted as refused:
            return refused.answer
        except TemporaryFailure as failure:
            await self._settle(message, "planned", failure.code)
            pause_s = min(_FIRST_RETRY_S * 2 ** min(message.attempts - 1, _MOST_DOUBLINGS), _LONGEST_RETRY_S)
            raise TemporaryFailure(failure.code, message.message_id, retry_after_s=pause_s) from failure
        except PermanentFailure as failure:
            return await self._settle(message, "failed", failure.code)
        except OutcomeUnknown as unknown:
            return await self._settle(message, "in_doubt", unknown.code)
        return await self._settle(message, "sent", "ok", answer)

    def _claim(
        self, tx: Transaction, enrolment_id: str, step: str, template: str, coupon_id: str | None
    ) -> _Claim | Sent:
        now = self._clock.now()
        enrolment = tx.enrolments.get(enrolment_id)
        if enrolment is None:
            raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
        message = tx.messages.get(enrolment_id, step)
        if message is None:
            message = Message(
                message_id=str(uuid.uuid4()),
                enrolment_id=enrolment_id,
                step=step,
                customer_id=enrolment.customer_id,
                cart_id=enrolment.cart_id,
                channel=CHANNEL,
                purpose=self._composer.purpose(template),
                template=template,
                coupon_id=coupon_id,
                state="planned",
                reason="",
                planned_at=now,
                not_before_at=now,
                expires_at=now + self._policy.message_valid_for,
            )
        if message.final:
            return _answer(message, now)
        under_way = message.lease_until is not None and now < message.lease_until
        if message.state in {"claimed", "handed_over"} and under_way:
            raise TemporaryFailure("SEND_UNDER_WAY", message.message_id, retry_after_s=_FIRST_RETRY_S)
        if message.state == "handed_over":
            return _answer(close(tx, message, "in_doubt", "answer_lost", now), now)
        refusal = self._check(tx, message, now)
        if refusal is not None:
            return refusal
        claimed = replace(
            message,
            customer_id=enrolment.customer_id,
            state="claimed",
            reason="",
            token=str(uuid.uuid4()),
            lease_until=now + LEASE,
            attempts=message.attempts + 1,
        )
        tx.messages.save(claimed)
        return _Claim(claimed, self._composer.compose(tx, claimed))

    def _hand_over(self, tx: Transaction, claimed: Message) -> Sent | None:
        """Commit that the message leaves now; everything is asked once more, since the claim may be a minute old."""
        now = self._clock.now()
        message = tx.messages.by_id(claimed.message_id)
        if message is None or message.state != "claimed" or message.token != claimed.token:
            raise TemporaryFailure("CLAIM_LOST", claimed.message_id)
        enrolment = tx.enrolments.get(message.enrolment_id)
        if enrolment is None or enrolment.customer_id != message.customer_id:
            raise TemporaryFailure("CUSTOMER_CHANGED", claimed.message_id)
        refusal = self._check(tx, message, now)
        if refusal is not None:
            return refusal
        tx.messages.save(replace(message, state="handed_over", handed_over_at=now, lease_until=now + LEASE))
        return None

    def _check(self, tx: Transaction, message: Message, now: datetime) -> Sent | None:
        """Return why *message* may not leave now, having stored it; None if it may."""
        subjects = [subject for subject in (message.customer_id, message.cart_id) if subject is not None]
        if tx.events.any_pending(subjects):
            raise TemporaryFailure("FACTS_PENDING", message.message_id, retry_after_s=_FACTS_PENDING_RETRY_S)
        verdict = check(tx, message, self._policy, now)
        if verdict.clear:
            return None
        if verdict.hold_until is None:
            return _answer(close(tx, message, "suppressed", verdict.reason, now), now)
        held = replace(
            message,
            state="planned",
            reason=verdict.reason,
            not_before_at=verdict.hold_until,
            # Hours in which nobody may be written to do not use up the time in which a message makes sense.
            expires_at=max(message.expires_at, verdict.hold_until + self._policy.message_valid_for),
            token=None,
            lease_until=None,
        )
        tx.messages.save(held)
        return _answer(held, now)

    async def _settle(
        self,
        message: Message,
        state: Literal["planned", "failed", "in_doubt", "sent"],
        reason: str,
        provider_answer: str | None = None,
    ) -> Sent:
        def settle(tx: Transaction) -> Sent:
            now = self._clock.now()
            found = tx.messages.by_id(message.message_id)
            if found is None:
                raise PermanentFailure("MESSAGE_UNKNOWN", message.message_id)
            if found.token != message.token or (found.final and state == "planned"):
                # Somebody took this process for dead and went on: what stands there is theirs.
                return _answer(found, now)
            if state == "planned":
                waiting = replace(
                    found, state="planned", reason=reason, token=None, lease_until=None, handed_over_at=None
                )
                tx.messages.save(waiting)
                return _answer(waiting, now)
            if reason == "ADDRESS_REFUSED" and found.customer_id is not None:
                tx.suppressions.add(found.customer_id, found.channel, "address_refused", now)
            return _answer(close(tx, replace(found, provider_answer=provider_answer), state, reason, now), now)

        # What the mail server said is known only here: a database that is away for a moment must not put it in doubt.
        async for attempt in stamina.retry_context(on=TemporaryFailure, attempts=None, timeout=_SETTLE_WITHIN_S):
            with attempt:
                return await self._store.run(settle)
        raise AssertionError("unreachable")


def _answer(message: Message, now: datetime) -> Sent:
    match message.state:
        case "planned":
            return Sent("held", message.reason, max(message.not_before_at, now))
        case "sent" | "suppressed" | "failed" | "in_doubt":
            return Sent(message.state, message.reason, now)
        case "claimed" | "handed_over":
            raise TemporaryFailure("SEND_UNDER_WAY", message.message_id)
