"""Put customers into advertising audiences outside, if their data may be passed on, and take them out again."""

import asyncio
from dataclasses import dataclass, replace
from functools import partial

from waggle.domain.audience import Membership
from waggle.domain.consent import SALE_SHARE
from waggle.domain.enrolment import Enrolment
from waggle.errors import PermanentFailure, Rejected, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.audience import AudienceKeeper
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services import transfers
from waggle.services.consents import may_transfer
from waggle.services.effects import Effects

log = get_logger(__name__)

REMOVAL = "audience-removal"
"""The purpose under which taking somebody out stands in the register of transfers."""

_LEFT_BEHIND_AT_ONCE = 100
_SWEEP_EVERY_S = 600.0


@dataclass(frozen=True, slots=True)
class Joined:
    """Whether somebody is in the audience now, and if not why."""

    added: bool
    reason: str


class Audiences:
    """The one way into an audience and out of it."""

    def __init__(self, store: UnitOfWork, effects: Effects, keeper: AudienceKeeper | None, clock: Clock) -> None:
        """*keeper* is None where nobody is set up who keeps audiences: then nobody is added."""
        self._store = store
        self._effects = effects
        self._keeper = keeper
        self._clock = clock

    async def add(self, *, enrolment_id: str, step: str, audience: str) -> Joined:
        """Add the enrolment's customer unless something speaks against it.

        A journey that ended meanwhile leaves nobody behind: whom it could not take out any more is taken out here.

        Raises:
            TemporaryFailure: nothing is known to have happened; try again later.
            PermanentFailure: ENROLMENT_UNKNOWN.
        """
        keeper = self._keeper
        if keeper is None:
            return Joined(added=False, reason="no_keeper")

        async def act(key: str) -> None:
            customer_id, email = await self._store.read(lambda tx: self._allowed(tx, enrolment_id))
            member = await keeper.add(audience, email, key=key)

            def note_added(tx: Transaction) -> None:
                self._note_added(tx, keeper.name, enrolment_id, customer_id, audience, member)

            await self._store.run(note_added)

        # Added twice is added once: what is in doubt is simply done again.
        carried = await self._effects.carry_out(
            enrolment_id=enrolment_id, step=step, kind="add-to-audience", act=act, repeatable=True
        )
        if carried.outcome == "done" and not await self._store.read(lambda tx: _known(tx, enrolment_id).live):
            await self.remove(enrolment_id)
        return Joined(added=carried.outcome == "done", reason=carried.reason.lower())

    async def remove(self, enrolment_id: str) -> bool:
        """Take the enrolment's customer out and say whether they were in; out already, nothing happens.

        Raises:
            TemporaryFailure: not known to be done; try again later.
            PermanentFailure: NO_KEEPER, or the other side refuses.
        """
        membership = await self._store.read(lambda tx: tx.audiences.get(enrolment_id))
        if membership is None or membership.removed_at is not None or membership.member is None:
            return False
        if self._keeper is None or self._keeper.name != membership.keeper:
            raise PermanentFailure("NO_KEEPER", f"set up {membership.keeper} again to take {enrolment_id} out")
        await self._keeper.remove(membership.audience, membership.member, key=f"{enrolment_id}:removal")
        await self._store.run(partial(self._note_removed, membership=membership))
        log.info("audience left", enrolment_id=enrolment_id, audience=membership.audience)
        return True

    async def watch(self, stop: asyncio.Event) -> None:
        """Sweep every ten minutes; what cannot be done is said and tried again."""
        while not stop.is_set():
            try:
                await self.sweep()
            except (TemporaryFailure, PermanentFailure) as failure:
                log.warning("audience members wait to be taken out", code=failure.code)
            try:
                await asyncio.wait_for(stop.wait(), _SWEEP_EVERY_S)
            except TimeoutError:
                continue

    async def sweep(self) -> int:
        """Take out whom an ended journey left in: it was cut off while they were being added. Return how many.

        Raises:
            TemporaryFailure: the other side is away; the next sweep goes on.
            PermanentFailure: it refuses.
        """
        left = await self._store.read(lambda tx: tx.audiences.left_behind(_LEFT_BEHIND_AT_ONCE))
        removed = [await self.remove(each.enrolment_id) for each in left]
        return sum(removed)

    def _allowed(self, tx: Transaction, enrolment_id: str) -> tuple[str, str]:
        """Return the id and the address of whom data may be passed on.

        Raises:
            Rejected: HOLDOUT, NO_ADDRESS, OBJECTS_TO_SHARING, JOURNEY_ENDED.
            PermanentFailure: ENROLMENT_UNKNOWN.
        """
        enrolment = _known(tx, enrolment_id)
        customer = tx.customers.get(enrolment.customer_id) if enrolment.customer_id is not None else None
        if not enrolment.live:
            raise Rejected("JOURNEY_ENDED", enrolment_id)
        if enrolment.held_out:
            raise Rejected("HOLDOUT", enrolment_id)
        if customer is None or customer.email is None:
            raise Rejected("NO_ADDRESS", enrolment_id)
        if not may_transfer(tx, customer.customer_id, SALE_SHARE, self._clock.now()):
            raise Rejected("OBJECTS_TO_SHARING", enrolment_id)
        return customer.customer_id, customer.email

    def _note_added(  # noqa: PLR0913, PLR0917 -- what a membership is made of
        self, tx: Transaction, keeper: str, enrolment_id: str, customer_id: str, audience: str, member: str
    ) -> None:
        now = self._clock.now()
        tx.audiences.save(
            Membership(
                enrolment_id=enrolment_id,
                customer_id=customer_id,
                audience=audience,
                keeper=keeper,
                member=member,
                added_at=now,
            )
        )
        transfers.note(tx, keeper, SALE_SHARE, 1, now)

    def _note_removed(self, tx: Transaction, membership: Membership) -> None:
        now = self._clock.now()
        tx.audiences.save(replace(membership, member=None, removed_at=now))
        transfers.note(tx, membership.keeper, REMOVAL, 1, now)


def _known(tx: Transaction, enrolment_id: str) -> Enrolment:
    enrolment = tx.enrolments.get(enrolment_id)
    if enrolment is None:
        raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
    return enrolment
