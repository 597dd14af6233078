"""Put together what one message says, from what is true in this transaction."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from waggle.domain.cart import Cart
from waggle.domain.coupon import Coupon
from waggle.domain.message import TRANSACTIONAL, Message
from waggle.domain.money import Money
from waggle.domain.product import Product
from waggle.errors import PermanentFailure
from waggle.ports.email import Email
from waggle.ports.unit_of_work import Link, Transaction
from waggle.services.personal_links import action_link, preferences_token
from waggle.services.rendering import MessageContext, MessageCoupon, MessageItem, MessageTemplates

_TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who writes, and where links lead."""

    shop_name: str
    sender: str
    list_id: str
    postal_address: str
    shop_url: str
    public_url: str
    default_time_zone: str


class Composer:
    """Renders messages; keeps the links in them."""

    def __init__(self, templates: MessageTemplates, sender: Sender) -> None:
        self._templates = templates
        self._sender = sender

    def purpose(self, template: str) -> str:
        """Return the consent that *template* needs.

        Raises:
            PermanentFailure: MESSAGE_TEMPLATE_UNKNOWN.
        """
        return self._templates.declaration(template).purpose

    def compose(self, tx: Transaction, message: Message) -> Email:
        """Return *message* ready to leave, and store what its links stand for.

        Raises:
            PermanentFailure: there is nobody to write to, or the template cannot be filled.
        """
        customer = tx.customers.get(message.customer_id) if message.customer_id is not None else None
        cart = tx.carts.get(message.cart_id) if message.cart_id is not None else None
        transactional = message.purpose == TRANSACTIONAL
        if customer is None or customer.email is None or (cart is None and not transactional):
            raise PermanentFailure("MESSAGE_WITHOUT_SUBJECT", message.message_id)
        coupon = tx.coupons.get(message.coupon_id) if message.coupon_id is not None else None
        # The receipt of an order may have no cart; its links lead to the shop and nobody can unsubscribe from it.
        cart_url = self._link(tx, message, "click", (cart and cart.url) or self._sender.shop_url)
        unsubscribe_url = None if transactional else self._link(tx, message, "unsubscribe", None)
        items = _items(tx, cart, cart_url) if cart is not None else []
        declaration = self._templates.declaration(message.template)
        to, action_url = customer.email, ""
        if declaration.action is not None:
            link = action_link(tx, message, declaration.action, customer.email)
            to, action_url = link.address, f"{self._sender.public_url}/o/{link.token}"
        context = MessageContext(
            shop_name=self._sender.shop_name,
            shop_address=self._sender.postal_address,
            first_name=customer.first_name,
            items=tuple(items),
            total=_total(items, cart.currency) if cart is not None else "",
            currency=cart.currency if cart is not None else "",
            cart_url=cart_url,
            coupon=self._coupon(coupon, customer.time_zone),
            unsubscribe_url=unsubscribe_url or "",
            language=customer.language or "en",
            preferences_url=f"{self._sender.public_url}/p/{preferences_token(tx, message.message_id)}",
            action_url=action_url,
        )
        rendered = self._templates.render(message.template, context)
        return Email(
            to=to,
            sender=declaration.sender or self._sender.sender,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            message_id=f"<{message.message_id}@{self._sender.list_id}>",
            unsubscribe_url=unsubscribe_url,
            list_id=self._sender.list_id,
        )

    def _link(self, tx: Transaction, message: Message, kind: Literal["click", "unsubscribe"], url: str | None) -> str:
        """Return a link of ours; a repeat has those of the first try, so that a provider sees the same mail again."""
        known = tx.links.of_message(message.message_id) if message.attempts > 1 else []
        token = next((link.token for link in known if (link.kind, link.url) == (kind, url)), None)
        if token is None:
            token = secrets.token_urlsafe(_TOKEN_BYTES)
            tx.links.add(Link(token, message.message_id, kind, url))
        return f"{self._sender.public_url}/{'c' if kind == 'click' else 'u'}/{token}"

    def _coupon(self, coupon: Coupon | None, time_zone: str | None) -> MessageCoupon | None:
        if coupon is None:
            return None
        zone = ZoneInfo(time_zone or self._sender.default_time_zone)
        return MessageCoupon(coupon.code, coupon.percent, _day(coupon.expires_at.astimezone(zone)))


def _items(tx: Transaction, cart: Cart, cart_url: str) -> list[MessageItem]:
    """Return the lines that can be bought now, at the prices of now."""
    lines = []
    for item in cart.items:
        product = tx.products.get(item.sku) or Product(sku=item.sku)
        if not product.available:
            continue
        same_currency = product.price_minor is not None and product.currency == cart.currency
        price_minor = (
            product.price_minor if same_currency and product.price_minor is not None else item.unit_price_minor
        )
        lines.append(
            MessageItem(
                name=product.name or item.name or item.sku,
                quantity=item.quantity,
                unit_price_minor=price_minor,
                price=str(Money.from_minor(item.quantity * price_minor, cart.currency)),
                image_url=product.image_url,
                url=cart_url,
            )
        )
    return lines


def _total(items: list[MessageItem], currency: str) -> str:
    return str(Money.from_minor(sum(item.quantity * item.unit_price_minor for item in items), currency))


def _day(local: datetime) -> str:
    return f"{local.day} {local:%B %Y}"
