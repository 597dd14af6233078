"""What WooCommerce's objects say in our words (REST API v3, which webhooks send too; as known in November 2026).

The same object gives the same items whether a webhook or the REST API brings it.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from waggle.domain.foreign import Record, envelope

Items = list[dict[str, Any]]

CART_KEY = "_waggle_cart_id"
"""The order's meta key in which the shop's page notes the cart that waggle.js told of."""

_CANCELLED = frozenset({"cancelled", "trash"})
_UNFINISHED = frozenset({"checkout-draft", "auto-draft"})
_TICKED = frozenset({"1", "yes", "on", "true"})


def order_items(order: Record, consent_key: str = "") -> Items:
    """Return who ordered, what, and how far the order has come, as far as it has.

    WooCommerce has no word for "shipped": a completed order was sent or handed over. *consent_key*: the meta key under
    which a plug-in keeps the tick for marketing.

    Raises:
        NotUnderstood: it is no order.
    """
    order_id, status = order.need_id("id"), order.text("status")
    if status in _UNFINISHED:
        return []
    currency = order.currency("currency")
    placed_at = order.at("date_created_gmt", in_utc=True)
    customer_id, items = _buyer(order, order_id)
    if customer_id is not None:
        items += _consent(order, customer_id, consent_key, placed_at, "checkout")
    coupons = order.records("coupon_lines")
    items.append(
        envelope(
            "order-placed",
            placed_at,
            {
                "order_id": order_id,
                "currency": currency,
                "total_minor": order.need_minor("total", currency),
                "items": _lines(order, currency),
                "customer_id": customer_id,
                # WooCommerce's own `cart_hash` is one of the content: two shoppers may have the same.
                "cart_id": _meta(order, CART_KEY),
                "coupon_code": coupons[0].text("code") if coupons else None,
            },
        )
    )
    whose = {"order_id": order_id, "customer_id": customer_id}
    paid_at = order.at("date_paid_gmt", in_utc=True)
    if paid_at is not None:
        items.append(envelope("order-paid", paid_at, whose))
    completed_at = order.at("date_completed_gmt", in_utc=True)
    if status == "completed" and completed_at is not None:
        items.append(envelope("order-shipped", completed_at, whose))
    changed_at = order.at("date_modified_gmt", in_utc=True)
    if status in _CANCELLED:
        items.append(envelope("order-cancelled", changed_at, whose))
    if status == "refunded" or order.records("refunds"):
        refund_minor = _refunded_minor(order, currency)
        items.append(envelope("order-returned", changed_at, {**whose, "refund_minor": refund_minor}))
    return items


def customer_items(customer: Record, consent_key: str = "") -> Items:
    """Return who somebody with an account is.

    Raises:
        NotUnderstood: it is no customer.
    """
    customer_id, invoiced = customer.need_id("id"), customer.record("billing")
    changed_at = customer.at("date_modified_gmt", in_utc=True) or customer.at("date_created_gmt", in_utc=True)
    told = {
        "customer_id": customer_id,
        # What is no customer has none here: the topic is not signed, so that this is all that tells.
        "email": customer.need_text("email"),
        "phone": _phone(invoiced.text("phone")),
        "first_name": customer.text("first_name") or invoiced.text("first_name"),
        "last_name": customer.text("last_name") or invoiced.text("last_name"),
        "country": invoiced.text("country"),
    }
    items = [envelope("customer-identified", changed_at, told)]
    return items + _consent(customer, customer_id, consent_key, changed_at, "import")


def product_items(product: Record, currency: str) -> Items:
    """Return what a product is, what it costs in *currency*, how many there are.

    Raises:
        NotUnderstood: it is no product, or a price is no amount.
    """
    sku = product.text("sku") or f"product-{product.need_id('id')}"
    at, name = product.at("date_modified_gmt", in_utc=True), product.need_text("name")
    images = product.records("images")
    items: Items = []
    price_minor = product.minor("price", currency)
    if price_minor is not None:
        told = {
            "sku": sku,
            "name": name,
            "price_minor": price_minor,
            "currency": currency,
            "url": product.text("permalink"),
            "image_url": images[0].text("src") if images else None,
        }
        items.append(envelope("product-updated", at, told))
    quantity = product.whole("stock_quantity")
    if product.flag("manage_stock") and quantity is not None:
        items.append(envelope("stock-changed", at, {"sku": sku, "quantity": max(0, quantity)}))
    elif product.text("stock_status") == "outofstock":
        items.append(envelope("stock-changed", at, {"sku": sku, "quantity": 0}))
    return items


def _buyer(order: Record, order_id: str) -> tuple[str | None, Items]:
    """Return who an order is of; a guest is named after the order."""
    invoiced = order.record("billing")
    address, phone = invoiced.text("email"), _phone(invoiced.text("phone"))
    customer_id = order.id("customer_id") or (f"guest-{order_id}" if address or phone else None)
    if customer_id is None:
        return None, []
    told = {
        "customer_id": customer_id,
        "email": address,
        "phone": phone,
        "first_name": invoiced.text("first_name"),
        "last_name": invoiced.text("last_name"),
        "country": invoiced.text("country"),
    }
    changed_at = order.at("date_modified_gmt", in_utc=True) or order.at("date_created_gmt", in_utc=True)
    return customer_id, [envelope("customer-identified", changed_at, told)]


def _consent(record: Record, customer_id: str, key: str, at: datetime | None, mechanism: str) -> Items:
    """Return the tick for marketing; one that is not set says nothing, since it may never have been shown."""
    ticked = key and (_meta(record, key) or "").lower() in _TICKED
    told = {"customer_id": customer_id, "purpose": "marketing", "channel": "email", "mechanism": mechanism}
    return [envelope("consent-given", at, told)] if ticked else []


def _lines(order: Record, currency: str) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for line in order.records("line_items"):
        product = line.id("variation_id") or line.id("product_id")
        sku = line.text("sku") or (f"product-{product}" if product else None)
        quantity = line.whole("quantity")
        if sku is None or not quantity or quantity < 0:
            continue
        # `price` is a quotient with many decimals; a line's sum without it is the older form.
        unit_minor = line.minor("price", currency)
        if unit_minor is None:
            unit_minor = round(Decimal(line.need_minor("subtotal", currency)) / quantity)
        told: dict[str, object] = {"sku": sku, "quantity": quantity, "unit_price_minor": unit_minor}
        name = line.text("name")
        lines.append({**told, "name": name} if name else told)
    return lines


def _refunded_minor(order: Record, currency: str) -> int | None:
    amounts = [refund.minor("total", currency) for refund in order.records("refunds")]
    known = [abs(amount) for amount in amounts if amount is not None]
    return sum(known) if known else None


def _meta(record: Record, key: str) -> str | None:
    for each in record.records("meta_data"):
        if each.text("key") == key:
            value = each.values.get("value")
            return "yes" if value is True else each.id("value")
    return None


def _phone(text: str | None) -> str | None:
    """Return a number that names its country; others cannot be dialled from here."""
    return text if text is not None and text.startswith("+") else None
