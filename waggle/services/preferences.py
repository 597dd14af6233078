"""The page on which somebody sees what is held about them, and decides about it, by the link in a mail; no log-in."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from waggle.domain.customer import Customer
from waggle.domain.privacy import Right
from waggle.domain.telling import standing
from waggle.errors import Rejected
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.consent_texts import ConsentTextBook, Purpose
from waggle.services.consents import has_consent, objects, restricted
from waggle.services.exporting import held
from waggle.services.field_rules import rule_for
from waggle.services.intake import Intake
from waggle.services.keys import OWN_SOURCE
from waggle.services.normalising import email_address
from waggle.services.personal_links import PREFERENCES_FOR, signed_message
from waggle.services.privacy_map import PrivacyMap
from waggle.services.privacy_requests import open_request

MECHANISM: Final = "preference_centre"

_APPLIED_WITHIN_S: Final = 2.0
_LOOK_EVERY_S: Final = 0.05
_DETAILS: Final = ("first_name", "language", "time_zone")


@dataclass(frozen=True, slots=True)
class Choice:
    """One purpose on one channel, and whether it is on."""

    purpose: str
    channel: str
    label: Mapping[str, str]
    explanation: Mapping[str, str]
    wording: Mapping[str, str]
    """By language: what a yes agrees to; empty for what happens until a no."""
    on: bool


@dataclass(frozen=True, slots=True)
class Held:
    """One kind of thing that is held."""

    title: str
    purpose: str
    count: int


@dataclass(frozen=True, slots=True)
class Wish:
    """A request that was made before."""

    right: str
    state: str
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Preferences:
    """All that the page shows; the address only as far as its owner knows it again."""

    shop_name: str
    masked_email: str
    first_name: str
    language: str
    time_zone: str
    choices: Sequence[Choice]
    held: Sequence[Held]
    wishes: Sequence[Wish]
    restricted: bool


class PreferenceCentre:
    """Shows and changes; what is changed goes through the inbox, and the page waits until it holds."""

    def __init__(  # noqa: PLR0913 -- what the page is made of
        self,
        store: UnitOfWork,
        intake: Intake,
        clock: Clock,
        *,
        shop_name: str,
        purposes: Mapping[str, Purpose],
        texts: ConsentTextBook,
        privacy_map: PrivacyMap,
    ) -> None:
        self._store = store
        self._intake = intake
        self._clock = clock
        self._shop_name = shop_name
        self._purposes = purposes
        self._texts = texts
        self._map = privacy_map

    async def view(self, token: str) -> Preferences | None:
        """Return what the page shows; None if the token leads to nobody, any more or ever."""

        def look(tx: Transaction) -> Preferences | None:
            customer = self._owner(tx, token)
            return None if customer is None else self._page(tx, customer)

        return await self._store.read(look)

    async def choose(self, token: str, wanted: frozenset[tuple[str, str]], language: str) -> bool:
        """Let exactly *wanted* (purpose, channel) be on; False if the token leads to nobody."""

        def changes(tx: Transaction) -> tuple[str, list[dict[str, Any]]] | None:
            customer = self._owner(tx, token)
            if customer is None:
                return None
            switched = [
                each for each in self._choices(tx, customer) if ((each.purpose, each.channel) in wanted) != each.on
            ]
            return customer.customer_id, [self._switch(each, language, on=not each.on) for each in switched]

        found = await self._store.read(changes)
        if found is None:
            return False
        customer_id, said = found
        await self._tell(customer_id, [(each.pop("type"), each) for each in said])
        return True

    async def correct(self, token: str, details: Mapping[str, str]) -> bool:
        """Put right first name, language and time zone where *details* has other ones; False: nobody's token.

        Raises:
            Rejected: FIELD_INVALID; the message names the field.
        """
        customer = await self._store.read(lambda tx: self._owner(tx, token))
        if customer is None:
            return False
        said = {}
        for name in _DETAILS:
            value = details.get(name, "").strip()
            if not value or value == (getattr(customer, name) or ""):
                continue
            if rule_for(type(None), name)(value) is not None:
                raise Rejected("FIELD_INVALID", name)
            said[name] = value
        if said:
            await self._tell(customer.customer_id, [("customer-identified", said)])
        return True

    async def change_email(self, token: str, address: str) -> bool:
        """Have the new address asked by mail whether it may be used; False: nobody's token.

        Raises:
            Rejected: FIELD_INVALID.
        """
        try:
            normal = email_address(address.strip())
        except ValueError:
            raise Rejected("FIELD_INVALID", "email") from None

        def ask(tx: Transaction) -> bool:
            customer = self._owner(tx, token)
            if customer is None:
                return False
            if normal != customer.email:
                payload = msgspec.json.encode({"email": normal}).decode()
                self._open(tx, "rectification", customer, confirmed=False, payload=payload)
            return True

        return await self._store.run(ask)

    async def wish(self, token: str, right: Right) -> bool:
        """Open a request; an erasure is asked for once more by mail. False: nobody's token."""

        def wish(tx: Transaction) -> bool:
            customer = self._owner(tx, token)
            if customer is None:
                return False
            self._open(tx, right, customer, confirmed=right != "erasure")
            return True

        return await self._store.run(wish)

    async def restrict(self, token: str, *, on: bool) -> bool:
        """Have nothing used of what is held, or let it be used again, at once. False: nobody's token."""
        customer = await self._store.read(lambda tx: self._owner(tx, token))
        if customer is None:
            return False
        await self._tell(customer.customer_id, [("customer-restricted" if on else "customer-unrestricted", {})])
        return True

    def _owner(self, tx: Transaction, token: str) -> Customer | None:
        """Return whose page it is: the customer of the message, as long as the mail is not old or went elsewhere."""
        message_id = signed_message(tx, token)
        message = tx.messages.by_id(message_id) if message_id is not None else None
        if message is None or message.customer_id is None or message.handed_over_at is None:
            return None
        if self._clock.now() >= message.handed_over_at + PREFERENCES_FOR:
            return None
        customer = tx.customers.get(message.customer_id)
        if customer is None or customer.erased or customer.email is None:
            return None
        told = standing(customer.told, "email")
        # Who read the earlier address is not shown what is held of the owner of this one.
        return customer if told is not None and told.at <= message.handed_over_at else None

    def _page(self, tx: Transaction, customer: Customer) -> Preferences:
        categories = held(tx, self._map, customer.customer_id)
        return Preferences(
            shop_name=self._shop_name,
            masked_email=masked(customer.email or ""),
            first_name=customer.first_name or "",
            language=customer.language or "",
            time_zone=customer.time_zone or "",
            choices=self._choices(tx, customer),
            held=[Held(each.title, each.purpose, len(each.rows)) for each in categories],
            wishes=[Wish(w.right, w.state, w.opened_at) for w in tx.privacy_requests.of_customer(customer.customer_id)],
            restricted=restricted(tx, customer.customer_id),
        )

    def _choices(self, tx: Transaction, customer: Customer) -> list[Choice]:
        now = self._clock.now()
        found = []
        for name, purpose in self._purposes.items():
            for channel in purpose.channels:
                if purpose.kind == "opt-in":
                    on = has_consent(tx, customer.customer_id, name, channel, now)
                else:
                    on = not objects(tx, customer.customer_id, name)
                found.append(Choice(name, channel, purpose.label, purpose.explanation, self._wording(purpose), on))
        return found

    def _wording(self, purpose: Purpose) -> dict[str, str]:
        if purpose.text is None:
            return {}
        return {each.language: each.text for each in self._texts.all() if each.version == purpose.text}

    def _switch(self, choice: Choice, language: str, *, on: bool) -> dict[str, Any]:
        said = {"purpose": choice.purpose, "channel": choice.channel, "mechanism": MECHANISM}
        if not on:
            return {"type": "consent-withdrawn", **said}
        version = self._purposes[choice.purpose].text
        if version is not None:
            said["text_version"] = self._texts.exact(version, language)
        return {"type": "consent-given", **said}

    def _open(
        self, tx: Transaction, right: Right, customer: Customer, *, confirmed: bool, payload: str | None = None
    ) -> None:
        now = self._clock.now()
        open_request(tx, right, customer.customer_id, MECHANISM, now, confirmed=confirmed, payload=payload)

    async def _tell(self, customer_id: str, facts: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        at = self._clock.now().isoformat()
        items = [
            {
                "specversion": "1.0",
                "id": str(uuid.uuid4()),
                "source": OWN_SOURCE,
                "type": event_type,
                "subject": customer_id,
                "time": at,
                "data": {"customer_id": customer_id, **data},
            }
            for event_type, data in facts
        ]
        receipts = await self._intake.accept(OWN_SOURCE, items) if items else []
        for receipt in receipts:
            if receipt.status != "accepted":
                raise AssertionError(f"our own fact was {receipt.status}: {receipt.problem}")
        # It is durable; that the page shows it at once is only a courtesy.
        try:
            async with asyncio.timeout(_APPLIED_WITHIN_S):
                while await self._store.read(lambda tx: tx.events.any_pending([customer_id])):  # noqa: ASYNC110 -- nobody tells
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            return


def masked(address: str) -> str:
    """Return an address as its owner knows it again and nobody else learns it: `a•••@e•••.com`."""
    local, _, domain = address.rpartition("@")
    name, _, top = domain.rpartition(".")
    return f"{local[:1]}•••@{name[:1]}•••.{top}" if local and name else "•••"
