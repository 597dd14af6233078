"""Pause a journey, and let it go on."""

from waggle.errors import Rejected
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.ports.versions import Pause
from waggle.services.catalogue import Catalogue
from waggle.services.own_words import refuse_personal

_RIGHTS = "privacy-request-opened"
"""Journeys that this event enters answer to the law: nobody may be kept out of them."""


class Pausing:
    """While a journey is paused nobody enters it and its messages wait; its timers go on, and exits end it."""

    def __init__(self, store: UnitOfWork, catalogue: Catalogue, clock: Clock) -> None:
        self._store = store
        self._catalogue = catalogue
        self._clock = clock

    async def pause(self, journey: str, *, by: str, why: str) -> bool:
        """Pause *journey*, in force from the next transaction of any process on; False: it was paused before.

        Raises:
            Rejected: JOURNEY_UNKNOWN; JOURNEY_ANSWERS_THE_LAW, it may not be paused; WORDS_REFUSED.
        """
        refuse_personal("by", by)
        refuse_personal("reason", why)
        self._check(journey)

        def put(tx: Transaction) -> bool:
            if tx.pauses.of(journey) is not None:
                return False
            now = self._clock.now()
            tx.pauses.save(Pause(journey, now, by, why, 0))
            tx.audit.add(AuditEntry(at=now, actor=by, action="journey-paused", subject=journey, why=why))
            return True

        return await self._store.run(put)

    async def resume(self, journey: str, *, by: str, why: str) -> Pause | None:
        """Let *journey* go on and return the pause that is over, None if there was none.

        Messages that waited and still are valid leave at their next look, within a quarter of an hour.

        Raises:
            Rejected: JOURNEY_UNKNOWN, WORDS_REFUSED.
        """
        refuse_personal("by", by)
        refuse_personal("reason", why)

        def end(tx: Transaction) -> Pause | None:
            pause = tx.pauses.of(journey)
            if pause is None:
                # One that has lost its diagram meanwhile can still be resumed.
                self._known(journey)
                return None
            tx.pauses.end(journey)
            kept_out = {"kept_out": str(pause.kept_out)}
            now = self._clock.now()
            tx.audit.add(
                AuditEntry(at=now, actor=by, action="journey-resumed", subject=journey, why=why, detail=kept_out)
            )
            return pause

        return await self._store.run(end)

    def _check(self, journey: str) -> None:
        self._known(journey)
        for message in self._catalogue.messages.values():
            if message.event_type == _RIGHTS and any(entry.journey == journey for entry in message.starts):
                raise Rejected(
                    "JOURNEY_ANSWERS_THE_LAW",
                    f"{journey} answers people who use a right of theirs, and each of them has a day it is due",
                )

    def _known(self, journey: str) -> None:
        known = sorted({entry.journey for message in self._catalogue.messages.values() for entry in message.starts})
        if journey not in known:
            raise Rejected("JOURNEY_UNKNOWN", f"nothing starts a journey {journey!r}; there are: {', '.join(known)}")
