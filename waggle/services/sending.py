"""Send one message of a journey, once: claim, hand over, settle, each its own transaction."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import stamina

from waggle.domain.enrolment import Enrolment
from waggle.domain.message import MARKETING, TRANSACTIONAL, Message, MessageKind
from waggle.domain.sending_rules import PAUSED, TOO_STALE
from waggle.errors import OutcomeUnknown, PermanentFailure, TemporaryFailure, WaggleError
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.email import Email, EmailSender
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.breaker import CircuitBreaker, Passage
from waggle.services.composing import Composer
from waggle.services.freshness import Refresher
from waggle.services.message_checks import SendingPolicy, check
from waggle.services.message_closing import ANSWER_LOST, close, doubt
from waggle.services.message_reads import prepare_claims, prepare_hand_overs
from waggle.services.shared_works import SharedWorks

log = get_logger(__name__)

SendOutcome = Literal["sent", "held", "suppressed", "failed", "in_doubt"]

CHANNEL = "email"
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

    def written_by(self, sender: str | None) -> "_Claim":
        return self if sender is None else replace(self, email=replace(self.email, sender=sender))


class _StoppedAtTheDoor(Exception):
    """Carries our own word out of the provider's session, so that it is not taken for the provider's."""

    def __init__(self, word: Sent | WaggleError) -> None:
        super().__init__()
        self.word = word


class Sending:
    """The one way by which messages leave."""

    def __init__(  # noqa: PLR0913 -- each is one thing that sending needs
        self,
        store: UnitOfWork,
        sender: EmailSender,
        composer: Composer,
        policy: SendingPolicy,
        clock: Clock,
        *,
        lease: timedelta,
        refresher: Refresher | None = None,
        together: int = 32,
    ) -> None:
        """*lease* is longer than the runtime lets a send last: over, it means a process that is gone.

        At most so many are claimed, handed over or settled *together*, in one transaction.
        *refresher* asks sources whose facts are too old to send on.
        """
        self.breaker = CircuitBreaker(sender.name, clock)
        self._lease = lease
        self._refresher = refresher
        self._store = store
        self._sender = sender
        self._composer = composer
        self._policy = policy
        self._clock = clock
        self._claims = SharedWorks[tuple[str, str]](
            store, lambda tx, steps: prepare_claims(tx, steps, self._cap_begins_at()), together
        )
        self._hand_overs = SharedWorks[str](
            store, lambda tx, ids: prepare_hand_overs(tx, ids, self._cap_begins_at()), together
        )
        self._settlements = SharedWorks[str](store, _prepare_settlements, together)

    def purpose(self, template: str) -> str:
        """Return the consent that *template* needs.

        Raises:
            PermanentFailure: MESSAGE_TEMPLATE_UNKNOWN.
        """
        return self._composer.purpose(template)

    async def send(  # noqa: PLR0913 -- what names a message, and how it is to leave
        self,
        *,
        enrolment_id: str,
        step: str,
        template: str,
        coupon_id: str | None,
        kind: MessageKind = MARKETING,
        sender: str | None = None,
    ) -> Sent:
        """Send the message of this *step* unless it was sent, and say how it stands.

        *sender*, `Name <address>`, takes the place of the template's and the shop's own.

        The same (enrolment_id, step) is one message for ever: once its state is final, each call gives one answer.

        Raises:
            TemporaryFailure: nothing left; try again later. SEND_UNDER_WAY: another process is at it. FACTS_PENDING:
                events about the customer are accepted but not yet applied, so that the answer could be wrong.
                PROVIDER_RESTING: it failed too often lately; nothing was stored or counted. Any other code is that of
                the provider's refusal, or of an answer that was lost where the message may be handed over again.
            PermanentFailure: ENROLMENT_UNKNOWN, MESSAGE_TEMPLATE_UNKNOWN, or TEMPLATE_OF_ANOTHER_KIND: advertising
                may not leave as an order message, nor an order message under the rules for advertising.
        """
        with self.breaker.admit() as passage:
            sent = await self._send(passage, enrolment_id, step, template, coupon_id, kind, sender)
            if sent.outcome == "held" and sent.reason == TOO_STALE and await self._refreshed():
                sent = await self._send(passage, enrolment_id, step, template, coupon_id, kind, sender)
        # Not inside a transaction, which may be run more than once.
        log.info("message stands", enrolment_id=enrolment_id, step=step, outcome=sent.outcome, reason=sent.reason)
        return sent

    async def _refreshed(self) -> bool:
        """Ask the sources whose facts are too old and say whether one was asked."""
        limits = self._policy.freshness.limits.limits
        return self._refresher is not None and await self._refresher.refresh(limits)

    async def _send(  # noqa: PLR0913, PLR0917 -- what names a message, and the way through
        self,
        passage: Passage,
        enrolment_id: str,
        step: str,
        template: str,
        coupon_id: str | None,
        kind: MessageKind,
        sender: str | None,
    ) -> Sent:
        def claim(tx: Transaction) -> _Claim | Sent:
            return self._claim(tx, enrolment_id, step, template, coupon_id, kind)

        claimed = await self._claims.run((enrolment_id, step), claim)
        if isinstance(claimed, Sent):
            return claimed
        message, claimed = claimed.message, claimed.written_by(sender)
        try:
            answer = await self._deliver(passage, claimed)
        except _StoppedAtTheDoor as stopped:
            if isinstance(stopped.word, Sent):
                return stopped.word
            if isinstance(stopped.word, TemporaryFailure):
                await self._settle(message, "planned", stopped.word.code)
            raise stopped.word from None
        except TemporaryFailure as failure:
            await self._settle(message, "planned", failure.code)
            raise TemporaryFailure(failure.code, message.message_id, retry_after_s=_pause_s(message)) from failure
        except PermanentFailure as failure:
            return await self._settle(message, "failed", failure.code)
        except OutcomeUnknown as unknown:
            settled = await self._settle(message, "in_doubt", unknown.code)
            if settled.outcome == "held":
                raise TemporaryFailure(unknown.code, message.message_id, retry_after_s=_pause_s(message)) from unknown
            return settled
        return await self._settle(message, "sent", "ok", answer)

    async def _deliver(self, passage: Passage, claimed: _Claim) -> str:
        """Hand over, and tell the breaker what the provider said: only what it said, not what we did."""

        def hand_over(tx: Transaction) -> Sent | None:
            return self._hand_over(tx, claimed.message)

        async def before_data() -> None:
            try:
                refusal = await self._hand_overs.run(claimed.message.message_id, hand_over)
            except WaggleError as error:
                raise _StoppedAtTheDoor(error) from error
            if refusal is not None:
                raise _StoppedAtTheDoor(refusal)

        try:
            answer = await self._sender.send(claimed.email, before_data=before_data)
        except TemporaryFailure as failure:
            passage.failed(failure.retry_after_s)
            raise
        except OutcomeUnknown:
            passage.failed()
            raise
        except PermanentFailure:
            passage.answered()
            raise
        passage.answered()
        return answer

    def _claim(  # noqa: PLR0913, PLR0917 -- what names a message
        self,
        tx: Transaction,
        enrolment_id: str,
        step: str,
        template: str,
        coupon_id: str | None,
        kind: MessageKind,
    ) -> _Claim | Sent:
        now = self._clock.now()
        enrolment = tx.enrolments.get(enrolment_id)
        if enrolment is None:
            raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
        message = tx.messages.get(enrolment_id, step)
        if message is None:
            message = self._plan(enrolment, step, template, coupon_id, kind, now)
        if message.final:
            return _answer(message, now)
        under_way = message.lease_until is not None and now < message.lease_until
        if message.state in {"claimed", "handed_over"} and under_way:
            raise TemporaryFailure("SEND_UNDER_WAY", message.message_id, retry_after_s=_FIRST_RETRY_S)
        if message.state == "handed_over":
            message = doubt(tx, message, ANSWER_LOST, now)
            if message.final:
                return _answer(message, now)
        refusal = self._check(tx, message, now)
        if refusal is not None:
            return refusal
        claimed = replace(
            message,
            # The enrolment of a campaign is nobody's: each of its messages says whose it is.
            customer_id=enrolment.customer_id or message.customer_id,
            state="claimed",
            reason="",
            token=str(uuid.uuid4()),
            lease_until=now + self._lease,
            attempts=message.attempts + 1,
        )
        tx.messages.save(claimed)
        return _Claim(claimed, self._composer.compose(tx, claimed))

    def _plan(  # noqa: PLR0913, PLR0917 -- what names a message
        self,
        enrolment: Enrolment,
        step: str,
        template: str,
        coupon_id: str | None,
        kind: MessageKind,
        now: datetime,
    ) -> Message:
        purpose = self._composer.purpose(template)
        if (purpose == TRANSACTIONAL) != kind.transactional:
            raise PermanentFailure(
                "TEMPLATE_OF_ANOTHER_KIND",
                f"the purpose of {template} is {purpose}: it cannot be a {kind.name} message",
            )
        return Message(
            message_id=str(uuid.uuid4()),
            enrolment_id=enrolment.enrolment_id,
            step=step,
            customer_id=enrolment.customer_id,
            cart_id=enrolment.cart_id,
            order_id=enrolment.order_id,
            sku=enrolment.sku,
            channel=CHANNEL,
            purpose=purpose,
            template=template,
            coupon_id=coupon_id,
            state="planned",
            reason="",
            planned_at=now,
            not_before_at=now,
            expires_at=now + self._policy.message_valid_for,
            in_doubt=kind.in_doubt,
        )

    def _hand_over(self, tx: Transaction, claimed: Message) -> Sent | None:
        """Commit that the message leaves now; everything is asked once more, since the claim may be a minute old."""
        now = self._clock.now()
        message = tx.messages.by_id(claimed.message_id)
        if message is None or message.state != "claimed" or message.token != claimed.token:
            raise TemporaryFailure("CLAIM_LOST", claimed.message_id)
        enrolment = tx.enrolments.get(message.enrolment_id)
        if enrolment is None or enrolment.customer_id not in {None, message.customer_id}:
            raise TemporaryFailure("CUSTOMER_CHANGED", claimed.message_id)
        refusal = self._check(tx, message, now)
        if refusal is not None:
            return refusal
        handed_over = replace(
            message,
            state="handed_over",
            handed_over_at=now,
            lease_until=now + self._lease,
            provider=self._sender.name,
            repeat_safe_until=self._repeat_safe_until(message, now),
        )
        tx.messages.save(handed_over)
        return None

    def _repeat_safe_until(self, message: Message, now: datetime) -> datetime | None:
        """Return until when the provider knows *message* again; counted from the first hand-over that it remembers."""
        if message.repeat_is_safe(self._sender.name, now):
            return message.repeat_safe_until
        # A repeat takes up to a lease to arrive.
        remembered = self._sender.repeat_safe_for - self._lease
        return now + remembered if remembered > timedelta(0) else None

    def _check(self, tx: Transaction, message: Message, now: datetime) -> Sent | None:
        """Return why *message* may not leave now, having stored it; None if it may."""
        ids = tx.identities.all_of(message.customer_id) if message.customer_id is not None else ()
        subjects = [*ids, *(each for each in (message.cart_id, message.order_id, message.sku) if each is not None)]
        if message.cart_id is not None:
            subjects += self._policy.freshness.watched(tx.carts.get(message.cart_id))
        if tx.events.any_pending(subjects):
            raise TemporaryFailure("FACTS_PENDING", message.message_id, retry_after_s=_FACTS_PENDING_RETRY_S)
        may_repeat = message.in_doubt == "sent again" or message.repeat_is_safe(self._sender.name, now)
        if message.doubted_at is not None and not may_repeat:
            return _answer(close(tx, message, "in_doubt", ANSWER_LOST, now), now)
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
            expires_at=max(message.expires_at, verdict.hold_until + self._policy.message_valid_for)
            if verdict.reason not in {PAUSED, TOO_STALE}
            else message.expires_at,
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
        def settle(tx: Transaction) -> Message:
            found = tx.messages.by_id(message.message_id)
            if found is None:
                raise PermanentFailure("MESSAGE_UNKNOWN", message.message_id)
            return _settled(tx, found, message.token, state, reason, provider_answer, self._clock.now())

        # What the mail server said is known only here: a database that is away for a moment must not put it in doubt.
        async for attempt in stamina.retry_context(on=TemporaryFailure, attempts=None, timeout=_SETTLE_WITHIN_S):
            with attempt:
                settled = await self._settlements.run(message.message_id, settle)
        return _answer(settled, self._clock.now())

    def _cap_begins_at(self) -> datetime:
        return self._clock.now() - self._policy.cap_window


def _prepare_settlements(tx: Transaction, message_ids: Sequence[str]) -> None:
    tx.messages.prepare(message_ids)


def _settled(  # noqa: PLR0913, PLR0917 -- a row, and what one hand-over of it came to
    tx: Transaction,
    found: Message,
    token: str | None,
    state: Literal["planned", "failed", "in_doubt", "sent"],
    reason: str,
    provider_answer: str | None,
    now: datetime,
) -> Message:
    """Store what the hand-over under *token* came to, as far as it still says something about *found*."""
    if state == "sent":
        # Accepted is accepted, whoever has taken the message up meanwhile; what a person settled stands.
        if found.final and found.state != "in_doubt":
            return found
        return close(tx, replace(found, provider_answer=provider_answer), "sent", reason, now)
    if found.token != token or (found.final and state != "failed"):
        # Somebody took this process for dead and went on: what stands there is theirs.
        return found
    if state == "in_doubt":
        # Doubted by the sweeper already, it is not doubted twice.
        return doubt(tx, found, reason, now) if found.state == "handed_over" else found
    if found.state in {"planned", "in_doubt"} and found.doubted_at == found.handed_over_at:
        # Doubted meanwhile, for the first time: about this very hand-over, which is now known to have been refused.
        found = replace(found, doubted_at=None)
    if state == "planned":
        waiting = replace(
            found, state="planned", reason=reason, token=None, lease_until=None, handed_over_at=found.doubted_at
        )
        tx.messages.save(waiting)
        return waiting
    if reason == "ADDRESS_REFUSED" and found.customer_id is not None:
        tx.suppressions.add(found.customer_id, found.channel, "address_refused", now)
    return close(tx, replace(found, provider_answer=provider_answer), state, reason, now)


def _pause_s(message: Message) -> float:
    return min(_FIRST_RETRY_S * 2.0 ** min(message.attempts - 1, _MOST_DOUBLINGS), _LONGEST_RETRY_S)


def _answer(message: Message, now: datetime) -> Sent:
    match message.state:
        case "planned":
            return Sent("held", message.reason, max(message.not_before_at, now))
        case "sent" | "suppressed" | "failed" | "in_doubt":
            return Sent(message.state, message.reason, now)
        case "claimed" | "handed_over":
            raise TemporaryFailure("SEND_UNDER_WAY", message.message_id)
