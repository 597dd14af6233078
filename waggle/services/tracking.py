"""What the links in messages do: lead to the shop, and let a shopper leave."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Link, Transaction, UnitOfWork
from waggle.services.intake import Intake
from waggle.services.write_keys import OWN_SOURCE


class Tracking:
    """Counts clicks."""

    def __init__(self, store: UnitOfWork, intake: Intake, clock: Clock) -> None:
        self._store = store
        self._intake = intake
        self._clock = clock

    async def click(self, token: str) -> str | None:
        """Record a click and return where it leads; None if there is no such link."""
        link = await self._store.read(lambda tx: tx.links.get(token))
        if link is None or link.kind != "click" or link.url is None:
            return None
        await _record(self._intake, self._clock, "message-clicked", link.message_id, {"message_id": link.message_id})
        return link.url


@dataclass(frozen=True, slots=True)
class Unsubscription:
    """What an unsubscribe page tells before anything happens."""

    shop_name: str


class Unsubscribing:
    """Takes consent back by the link in a message, which needs no log-in (RFC 8058)."""

    def __init__(self, store: UnitOfWork, intake: Intake, clock: Clock, shop_name: str) -> None:
        self._store = store
        self._intake = intake
        self._clock = clock
        self._shop_name = shop_name

    async def describe(self, token: str) -> Unsubscription | None:
        """Return what the link would do, having done nothing; None if there is no such link."""
        link = await self._store.read(lambda tx: tx.links.get(token))
        return Unsubscription(self._shop_name) if _unsubscribes(link) else None

    async def unsubscribe(self, token: str) -> bool:
        """Withdraw the consent under which the message was sent, durably; False if there is no such link.

        Every call withdraws anew: somebody may have agreed again since.
        """

        def who(tx: Transaction) -> tuple[str, str, str] | None:
            link = tx.links.get(token)
            message = tx.messages.by_id(link.message_id) if link is not None and _unsubscribes(link) else None
            if message is None or message.customer_id is None:
                return None
            return message.customer_id, message.purpose, message.channel

        found = await self._store.read(who)
        if found is None:
            return False
        customer_id, purpose, channel = found
        data = {"customer_id": customer_id, "purpose": purpose, "channel": channel, "mechanism": "one_click"}
        await _record(self._intake, self._clock, "consent-withdrawn", customer_id, data)
        return True


def _unsubscribes(link: Link | None) -> bool:
    return link is not None and link.kind == "unsubscribe"


async def _record(intake: Intake, clock: Clock, event_type: str, subject: str, data: Mapping[str, object]) -> None:
    event = {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),
        "source": OWN_SOURCE,
        "type": event_type,
        "subject": subject,
        "time": clock.now().isoformat(),
        "data": dict(data),
    }
    [receipt] = await intake.accept(OWN_SOURCE, [event])
    if receipt.status != "accepted":
        raise AssertionError(f"our own {event_type} was {receipt.status}: {receipt.problem}")
