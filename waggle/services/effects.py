"""Do something outside once for a step of a journey: claim, hand over, settle, each its own transaction."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

import stamina

from waggle.domain.effect import Effect
from waggle.errors import OutcomeUnknown, PermanentFailure, Rejected, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.own_words import refuse_personal

log = get_logger(__name__)

EffectOutcome = Literal["done", "failed", "in_doubt"]

_LEASE = timedelta(minutes=3)
"""Longer than a task may take: over, it means a process that is gone."""
_UNDER_WAY_RETRY_S = 15.0
_SETTLE_WITHIN_S = 30.0
ANSWER_LOST = "answer_lost"
SETTLED_BY_HAND = "settled_by_hand"


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of an effect: final, and the same for each call."""

    outcome: EffectOutcome
    reason: str
    result: str | None
    """What the outside system calls it."""


Act = Callable[[str], Awaitable[str | None]]
"""Does the thing under a key by which the outside system may know a repeat; returns what it calls it, an opaque id."""


class Effects:
    """The one way by which journeys act outside, but for messages and coupons."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def carry_out(
        self, *, enrolment_id: str, step: str, kind: str, act: Act, repeatable: bool = False
    ) -> Carried:
        """Do it unless it was done, and say what became of it.

        *act* runs after it is durable that it is about to run. *repeatable*: the outside system knows the key again, so
        that what is in doubt is simply done once more.

        Raises:
            TemporaryFailure: nothing is known to have happened; try again later. EFFECT_UNDER_WAY: another process is
                at it. Any other code is that of the outside system.
            PermanentFailure: ENROLMENT_UNKNOWN.
        """

        def claim(tx: Transaction) -> Effect | Carried:
            return self._claim(tx, enrolment_id, step, kind, repeatable=repeatable)

        claimed = await self._store.run(claim)
        if isinstance(claimed, Carried):
            return claimed
        await self._hand_over(claimed)
        try:
            result = await act(claimed.effect_id)
        except TemporaryFailure as failure:
            await self._settle(claimed, "planned", failure.code)
            raise
        except (Rejected, PermanentFailure) as failure:
            return await self._settle(claimed, "failed", failure.code)
        except OutcomeUnknown as unknown:
            if repeatable:
                await self._settle(claimed, "planned", unknown.code)
                raise TemporaryFailure(unknown.code, claimed.effect_id, retry_after_s=_UNDER_WAY_RETRY_S) from unknown
            return await self._settle(claimed, "in_doubt", unknown.code)
        return await self._settle(claimed, "done", "ok", result)

    async def in_doubt(self) -> list[Effect]:
        """Return the effects of which nobody knows whether they happened, the one begun first at the top."""
        return await self._store.read(lambda tx: tx.effects.in_doubt())

    async def settle(self, effect_id: str, verdict: Literal["done", "failed"], *, by: str, why: str) -> None:
        """Say once what became of an effect in doubt; the audit log remembers who said it.

        Raises:
            Rejected: EFFECT_UNKNOWN; EFFECT_NOT_IN_DOUBT; WORDS_REFUSED: *by* or *why* is empty, too long, or holds
                what looks like an address or a phone number.
        """
        for name, words in (("by", by), ("why", why)):
            refuse_personal(name, words)

        def settle_by_hand(tx: Transaction) -> None:
            now = self._clock.now()
            effect = tx.effects.by_id(effect_id)
            if effect is None:
                raise Rejected("EFFECT_UNKNOWN", f"there is no effect {effect_id}")
            if effect.state != "in_doubt":
                raise Rejected("EFFECT_NOT_IN_DOUBT", f"{effect_id} is {effect.state} ({effect.reason})")
            tx.effects.save(replace(effect, state=verdict, reason=SETTLED_BY_HAND, settled_at=now))
            detail = {"from": "in_doubt", "to": verdict, "reason": effect.reason, "kind": effect.kind}
            tx.audit.add(
                AuditEntry(at=now, actor=by, action="effect-settled", subject=effect_id, why=why, detail=detail)
            )

        await self._store.run(settle_by_hand)

    def _claim(self, tx: Transaction, enrolment_id: str, step: str, kind: str, *, repeatable: bool) -> Effect | Carried:
        now = self._clock.now()
        enrolment = tx.enrolments.get(enrolment_id)
        if enrolment is None:
            raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
        effect = tx.effects.get(enrolment_id, step) or Effect(
            effect_id=str(uuid.uuid4()),
            enrolment_id=enrolment_id,
            step=step,
            kind=kind,
            customer_id=enrolment.customer_id,
            state="planned",
            reason="",
            planned_at=now,
        )
        if effect.final:
            return _carried(effect)
        if effect.lease_until is not None and now < effect.lease_until:
            raise TemporaryFailure("EFFECT_UNDER_WAY", effect.effect_id, retry_after_s=_UNDER_WAY_RETRY_S)
        if effect.state == "handed_over" and not repeatable:
            doubtful = _ended(effect, "in_doubt", ANSWER_LOST, None, now)
            tx.effects.save(doubtful)
            return _carried(doubtful)
        claimed = replace(
            effect,
            customer_id=enrolment.customer_id,
            state="claimed",
            token=str(uuid.uuid4()),
            lease_until=now + _LEASE,
            attempts=effect.attempts + 1,
        )
        tx.effects.save(claimed)
        return claimed

    async def _hand_over(self, claimed: Effect) -> None:
        """Commit that it happens now.

        Raises:
            TemporaryFailure: CLAIM_LOST, somebody took this process for dead.
        """

        def hand_over(tx: Transaction) -> None:
            now = self._clock.now()
            effect = tx.effects.by_id(claimed.effect_id)
            if effect is None or effect.state != "claimed" or effect.token != claimed.token:
                raise TemporaryFailure("CLAIM_LOST", claimed.effect_id, retry_after_s=_UNDER_WAY_RETRY_S)
            tx.effects.save(replace(effect, state="handed_over", handed_over_at=now, lease_until=now + _LEASE))

        await self._store.run(hand_over)

    async def _settle(
        self,
        claimed: Effect,
        state: Literal["planned", "done", "failed", "in_doubt"],
        reason: str,
        result: str | None = None,
    ) -> Carried:
        def settle(tx: Transaction) -> Effect:
            now = self._clock.now()
            found = tx.effects.by_id(claimed.effect_id)
            if found is None:
                raise PermanentFailure("EFFECT_UNKNOWN", claimed.effect_id)
            # That it was done is true, whoever has taken it up meanwhile; anything else is said of this try alone.
            if (found.state == "done") or (state != "done" and found.token != claimed.token):
                return found
            ended = _ended(found, state, reason, result, now)
            tx.effects.save(ended)
            return ended

        # What the outside system said is known only here: a database that is away for a moment must not lose it.
        async for attempt in stamina.retry_context(on=TemporaryFailure, attempts=None, timeout=_SETTLE_WITHIN_S):
            with attempt:
                settled = await self._store.run(settle)
        log.info("effect stands", effect_id=settled.effect_id, kind=settled.kind, state=settled.state, reason=reason)
        return _carried(settled)


def _ended(
    effect: Effect,
    state: Literal["planned", "done", "failed", "in_doubt"],
    reason: str,
    result: str | None,
    now: datetime,
) -> Effect:
    return replace(
        effect,
        state=state,
        reason=reason,
        result=result if result is not None else effect.result,
        token=None,
        lease_until=None,
        settled_at=now if state != "planned" else None,
    )


def _carried(effect: Effect) -> Carried:
    outcome: EffectOutcome = "done" if effect.state == "done" else "failed" if effect.state == "failed" else "in_doubt"
    return Carried(outcome, effect.reason, effect.result)
