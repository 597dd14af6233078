"""Put together what one message says, from what is true in this transaction."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from waggle.domain.cart import Cart
from waggle.domain.coupon import Coupon
from waggle.domain.event import CartItem
from waggle.domain.loyalty import account_of
from waggle.domain.message import TRANSACTIONAL, Message
from waggle.domain.money import Money
from waggle.domain.order import Order
from waggle.domain.product import Product
from waggle.errors import PermanentFailure
from waggle.ports.email import Email
from waggle.ports.unit_of_work import Link, Transaction
from waggle.services.personal_links import action_link, preferences_token
from waggle.services.rendering import (
    MessageContext,
    MessageCoupon,
    MessageItem,
    MessageLoyalty,
    MessageOrder,
    MessageProduct,
    MessageTemplates,
)

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
        if customer is None or customer.email is None:
            raise PermanentFailure("MESSAGE_WITHOUT_SUBJECT", message.message_id)
        coupon = tx.coupons.get(message.coupon_id) if message.coupon_id is not None else None
        placed = tx.orders.get(message.order_id) if message.order_id is not None else None
        bought = tx.carts.get(placed.cart_id) if placed is not None and placed.cart_id is not None else None
        shopped = cart or bought
        # What has no cart leads to the shop; from what is no advertising nobody can unsubscribe.
        cart_url = self._link(tx, message, "click", (shopped and shopped.url) or self._sender.shop_url)
        unsubscribe_url = None if transactional else self._link(tx, message, "unsubscribe", None)
        items = _items(tx, cart, cart_url) if cart is not None else []
        order = self._order(tx, placed, cart_url, customer.time_zone) if placed is not None else None
        product = self._product(tx, message) if message.sku is not None else None
        loyalty = _loyalty(tx, customer.customer_id)
        declaration = self._templates.declaration(message.template)
        subjects = {"cart": cart, "order": order, "product": product, "loyalty": loyalty}
        if subjects.get(declaration.about or "", customer) is None:
            raise PermanentFailure("MESSAGE_WITHOUT_SUBJECT", message.message_id)
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
            order=order,
            product=product,
            loyalty=loyalty,
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
        return MessageCoupon(coupon.code, coupon.percent, self._day(coupon.expires_at, time_zone))

    def _day(self, at: datetime, time_zone: str | None) -> str:
        local = at.astimezone(ZoneInfo(time_zone or self._sender.default_time_zone))
        return f"{local.day} {local:%B %Y}"

    def _order(self, tx: Transaction, order: Order, url: str, time_zone: str | None) -> MessageOrder:
        return MessageOrder(
            number=order.order_id,
            items=tuple(_bought(tx, item, order.currency, url) for item in order.items),
            total=str(Money.from_minor(order.total_minor, order.currency)),
            placed_on=self._day(order.placed_at, time_zone),
            url=url,
        )

    def _product(self, tx: Transaction, message: Message) -> MessageProduct | None:
        """Return the product of *message* as it is now, with the price of before if its customer watches that."""
        if message.sku is None:
            return None
        product = tx.products.get(message.sku) or Product(sku=message.sku)
        enrolment = tx.enrolments.get(message.enrolment_id)
        watched = enrolment.watched_price if enrolment is not None else None
        return MessageProduct(
            name=product.name or product.sku,
            price=str(product.price) if product.price is not None else None,
            url=self._link(tx, message, "click", product.url or self._sender.shop_url),
            image_url=product.image_url,
            was_price=str(watched) if watched is not None and product.is_cheaper_than(watched) else None,
        )


def _loyalty(tx: Transaction, customer_id: str) -> MessageLoyalty | None:
    account = account_of(tx.loyalty.of_customer(customer_id))
    return MessageLoyalty(account.points, account.tier.capitalize()) if account.tier is not None else None


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


def _bought(tx: Transaction, item: CartItem, currency: str, url: str) -> MessageItem:
    """Return the line of an order as it was paid."""
    product = tx.products.get(item.sku)
    return MessageItem(
        name=(product.name if product is not None else None) or item.name or item.sku,
        quantity=item.quantity,
        unit_price_minor=item.unit_price_minor,
        price=str(Money.from_minor(item.quantity * item.unit_price_minor, currency)),
        image_url=product.image_url if product is not None else None,
        url=(product.url if product is not None else None) or url,
    )
