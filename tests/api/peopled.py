"""A house with somebody in it, so that questions about people and things have answers."""

import re
from dataclasses import dataclass
from datetime import timedelta

from waggle.domain.privacy import OneTimeLink
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.personal_links import token_hash
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine


@dataclass(frozen=True)
class Peopled:
    """What is known there, by the names that the description of the API gives to parts of its paths."""

    known: dict[str, str]
    """`token` is not among it: each route has another."""
    tokens: dict[str, str]
    """First part of the path -> a token that opens it."""

    def path(self, template: str) -> dict[str, str]:
        """Return values for the path *template* that lead somewhere."""
        names = re.findall(r"\{(\w+)}", template)
        there = {**self.known, "token": self.tokens.get(template.split("/")[1], "")}
        return {name: there[name] for name in names if there.get(name)}


async def peopled(store: UnitOfWork, clock: HandClock) -> Peopled:
    """Put a customer with a cart, an order, a coupon and a mail in; *clock* is moved by twenty minutes."""
    shop = facts.shop(store, clock, RememberingEngine())
    await shop.customer("c-1", last_name="Lovelace", language="en")
    await shop.cart()
    await shop.tell("product-updated", {"sku": "honey", "name": "Honey", "price_minor": 650, "currency": "EUR"})
    await shop.tell("stock-changed", {"sku": "honey", "quantity": 3})
    enrolment_id = (await shop.enrolment()).enrolment_id
    await store.run(lambda tx: tx.coupons.save(facts.coupon(enrolment_id, clock.now())))
    mail = await _mail(shop, store, clock, enrolment_id)
    for number in range(3):
        await shop.order(f"o-{number}", customer_id="c-1")
    await store.run(lambda tx: _one_time_link(tx, clock))
    opened = {kind: re.findall(rf"https://go\.shop\.example/{kind}/([\w.~-]+)", mail)[0] for kind in ("c", "u", "p")}
    return Peopled(
        {
            "ref": "c-1",
            "order_id": "o-1",
            "cart_id": "cart-1",
            "sku": "honey",
            "code": "AAAA-BBBB-CCCC",
            "source": "shop-main",
        },
        {**opened, "o": _ONCE},
    )


_ONCE = "a-token-that-nobody-guessed"


async def _mail(shop: Shop, store: UnitOfWork, clock: HandClock, enrolment_id: str) -> str:
    sender = RecordingSender()
    clock.advance(timedelta(minutes=20))
    await facts.sending(store, clock, sender).send(
        enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
    )
    [email] = sender.delivered
    return email.text


def _one_time_link(tx: Transaction, clock: HandClock) -> None:
    tx.one_time_links.add(
        OneTimeLink(
            token_sha256=token_hash(_ONCE),
            kind="answer-survey",
            customer_id="c-1",
            subject="o-1",
            payload="c-1@example.com",
            made_at=clock.now(),
            expires_at=clock.now() + timedelta(days=30),
        )
    )
