"""Ask people to look at something, once for a step of a journey."""

import re
from functools import partial

from waggle.errors import PermanentFailure
from waggle.ports.helpdesk import Helpdesk, Priority, Ticket
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.effects import Carried, Effects

KIND = "open-ticket"
_TOPIC = re.compile(r"[^\W_][^@\r\n\t]{0,99}")


class Tickets:
    """Opens tickets through the effects: never two for one step, and what is in doubt is listed."""

    def __init__(self, store: UnitOfWork, effects: Effects, helpdesk: Helpdesk) -> None:
        self._store = store
        self._effects = effects
        self._helpdesk = helpdesk

    async def open(
        self, *, enrolment_id: str, step: str, topic: str, priority: Priority, score: int | None = None
    ) -> Carried:
        """Open one and say what became of it; the same step always has the same ticket.

        Raises:
            TemporaryFailure: as of `Effects.carry_out`.
            PermanentFailure: ENROLMENT_UNKNOWN; or TOPIC_REFUSED, *topic* is not one short line, or looks like an
                address.
        """
        if not _TOPIC.fullmatch(topic):
            raise PermanentFailure("TOPIC_REFUSED", "the topic must be one line of at most 100 characters")

        async def act(ticket_id: str) -> str | None:
            draft = partial(_ticket, enrolment_id=enrolment_id, topic=topic, priority=priority, score=score)
            return await self._helpdesk.open(await self._store.read(partial(draft, ticket_id=ticket_id)))

        return await self._effects.carry_out(
            enrolment_id=enrolment_id, step=step, kind=KIND, act=act, repeatable=self._helpdesk.knows_repeats
        )


def _ticket(  # noqa: PLR0913 -- what a ticket says
    tx: Transaction, *, ticket_id: str, enrolment_id: str, topic: str, priority: Priority, score: int | None
) -> Ticket:
    enrolment = tx.enrolments.get(enrolment_id)
    if enrolment is None:
        raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
    return Ticket(
        ticket_id=ticket_id,
        topic=topic,
        priority=priority,
        customer_ref=enrolment.customer_id,
        order_ref=enrolment.order_id,
        score=score,
        journey=enrolment.journey,
    )
