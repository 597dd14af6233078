"""Engine messages that the engine refused, and the people who send them again."""

from waggle.errors import Rejected
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import AuditEntry, RefusedMessage, Transaction, UnitOfWork
from waggle.services.own_words import refuse_personal

_AT_ONCE = 200


class RefusedMessages:
    """Lists them and queues them again; the audit log remembers who did."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def refused(self) -> list[RefusedMessage]:
        """Return the 200 refused first."""
        return await self._store.read(lambda tx: tx.engine_messages.refused(_AT_ONCE))

    async def send_again(self, queue_ids: list[int] | None, *, by: str, why: str) -> int:
        """Queue these again, or all that were refused, and return how many.

        Raises:
            Rejected: ENGINE_MESSAGE_UNKNOWN, one of them was not refused; WORDS_REFUSED.
        """
        refuse_personal("by", by)
        refuse_personal("why", why)

        def send(tx: Transaction) -> int:
            now = self._clock.now()
            wanted = queue_ids
            if wanted is None:
                wanted = [each.queue_id for each in tx.engine_messages.refused(_AT_ONCE)]
            for queue_id in wanted:
                if not tx.engine_messages.send_again(queue_id, now):
                    raise Rejected(
                        "ENGINE_MESSAGE_UNKNOWN",
                        f"{queue_id} was not refused; `waggle engine-messages list` shows them",
                    )
                tx.audit.add(
                    AuditEntry(at=now, actor=by, action="engine-message-sent-again", subject=str(queue_id), why=why)
                )
            return len(wanted)

        return await self._store.run(send)
