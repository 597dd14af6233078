"""What the module in this folder tells, in our words. It sends its own names, so that it need not change with ours."""

from datetime import datetime
from typing import Any

from waggle.domain.foreign import NotUnderstood, Record, envelope

Items = list[dict[str, Any]]

_STEPS = {
    "paid": "order-paid",
    "shipped": "order-shipped",
    "delivered": "order-delivered",
    "cancelled": "order-cancelled",
    "refunded": "order-returned",
}


def cart_items(cart: Record, at: datetime | None) -> Items:
    """Return who fills a cart, as far as PrestaShop knows, and the cart.

    Raises:
        NotUnderstood: it is no cart.
    """
    cart_id, currency = cart.need_id("cart_id"), cart.currency("currency")
    customer = cart.record("customer")
    items = customer_items(customer, at) if customer.id("customer_id") else []
    told = {
        "cart_id": cart_id,
        "currency": currency,
        "items": _lines(cart, currency),
        "customer_id": customer.id("customer_id"),
        "url": cart.text("url"),
    }
    return [*items, envelope("cart-updated", at, told)]


def order_items(order: Record, at: datetime | None) -> Items:
    """Return who ordered, and what.

    Raises:
        NotUnderstood: it is no order.
    """
    currency, customer = order.currency("currency"), order.record("customer")
    placed = {
        "order_id": order.need_id("order_id"),
        "currency": currency,
        "total_minor": order.need_minor("total", currency),
        "items": _lines(order, currency),
        "customer_id": customer.id("customer_id"),
        "cart_id": order.id("cart_id"),
        "coupon_code": order.text("coupon_code"),
    }
    items = customer_items(customer, at) if customer.id("customer_id") else []
    items.append(envelope("order-placed", at, placed))
    return items + step_items(order, at) if order.text("step") else items


def step_items(order: Record, at: datetime | None) -> Items:
    """Return how far an order has come; nothing for the steps that only a warehouse cares for.

    Raises:
        NotUnderstood: it names no order.
    """
    event_type = _STEPS.get(order.text("step") or "")
    customer_id = order.record("customer").id("customer_id") or order.id("customer_id")
    whose = {"order_id": order.need_id("order_id"), "customer_id": customer_id}
    return [envelope(event_type, at, whose)] if event_type is not None else []


def customer_items(customer: Record, at: datetime | None) -> Items:
    """Return who somebody is, and what they said about the newsletter.

    Raises:
        NotUnderstood: it is no customer.
    """
    customer_id = customer.need_id("customer_id")
    told = {
        "customer_id": customer_id,
        "email": customer.text("email"),
        "first_name": customer.text("first_name"),
        "last_name": customer.text("last_name"),
        "language": customer.text("language"),
        "country": customer.text("country"),
    }
    items = [envelope("customer-identified", customer.at("updated_at") or at, told)]
    agreed_at = customer.at("newsletter_at")
    if customer.flag("newsletter") and agreed_at is not None:
        consent: dict[str, Any] = {"customer_id": customer_id, "purpose": "marketing", "channel": "email"}
        consent |= {"mechanism": "web_form", "ip": customer.text("newsletter_ip")}
        items.append(envelope("consent-given", agreed_at, consent))
    return items


def read(topic: str, record: Record) -> Items:
    """Return what the module tells under *topic*.

    Raises:
        NotUnderstood: it is not what the module sends.
    """
    at, told = record.at("timestamp"), record.record("data")
    match topic:
        case "cart-saved":
            return cart_items(told, at)
        case "order-validated":
            return order_items(told, at)
        case "order-step":
            return step_items(told, at)
        case "customer-saved":
            return customer_items(told, at)
        case "ping":
            return []
    raise NotUnderstood("$.type", "the module of another version sends this: use the one in connectors/prestashop")


def _lines(sale: Record, currency: str) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for line in sale.records("lines"):
        sku, quantity = line.text("sku"), line.whole("quantity")
        if sku is None or not quantity or quantity < 0:
            continue
        told: dict[str, object] = {"sku": sku, "quantity": quantity}
        told["unit_price_minor"] = line.need_minor("unit_price", currency)
        name = line.text("name")
        lines.append({**told, "name": name} if name else told)
    return lines
