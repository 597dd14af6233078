"""What Adobe Commerce's models say in our words (2.4, as known in November 2026); its times are UTC without a zone.

An order comes with each save, and most steps have no time of their own: such a fact carries none, so that it is the
same fact each time, and counts from when it was first heard of.
"""

from typing import Any

from waggle.domain.foreign import Record, envelope

Items = list[dict[str, Any]]

_SUBSCRIBED, _UNSUBSCRIBED, _UNCONFIRMED = 1, 3, 4
_NOT_SIMPLE = frozenset({"bundle", "configurable", "grouped"})


def order_items(order: Record) -> Items:
    """Return who ordered, what, and how far the order has come, as far as it has.

    Raises:
        NotUnderstood: it is no order.
    """
    order_id = order.id("entity_id") or order.need_id("increment_id")
    currency = order.currency("order_currency_code")
    placed_at = order.at("created_at", in_utc=True)
    customer_id, items = _buyer(order, order_id, "customer_")
    total_minor = order.need_minor("grand_total", currency)
    placed = {
        "order_id": order_id,
        "currency": currency,
        "total_minor": total_minor,
        "items": _lines(order, "qty_ordered", currency),
        "customer_id": customer_id,
        "cart_id": order.id("quote_id"),
        "coupon_code": order.text("coupon_code"),
    }
    items.append(envelope("order-placed", placed_at, placed))
    whose = {"order_id": order_id, "customer_id": customer_id}
    paid_minor, due_minor = order.minor("total_paid", currency), order.minor("total_due", currency)
    if paid_minor and (due_minor == 0 or paid_minor >= total_minor):
        items.append(envelope("order-paid", None, whose))
    state = order.text("state")
    if state == "complete":
        items.append(envelope("order-shipped", None, whose))
    if state == "canceled":
        items.append(envelope("order-cancelled", None, whose))
    refunded_minor = order.minor("total_refunded", currency)
    if refunded_minor:
        items.append(envelope("order-returned", None, {**whose, "refund_minor": refunded_minor}))
    return items


def cart_items(quote: Record) -> Items:
    """Return who fills a cart, and the cart; nothing of one that has become an order.

    Raises:
        NotUnderstood: it is no cart.
    """
    cart_id = quote.id("entity_id") or quote.need_id("id")
    if quote.whole("is_active") == 0 or quote.values.get("is_active") is False:
        return []
    currency = quote.currency("quote_currency_code")
    customer_id, items = _buyer(quote, cart_id, "customer_")
    at = quote.at("updated_at", in_utc=True) or quote.at("created_at", in_utc=True)
    told = {
        "cart_id": cart_id,
        "currency": currency,
        "items": _lines(quote, "qty", currency),
        "customer_id": customer_id,
    }
    return [*items, envelope("cart-updated", at, told)]


def customer_items(customer: Record) -> Items:
    """Return who somebody with an account is.

    Raises:
        NotUnderstood: it is no customer.
    """
    told = {
        "customer_id": customer.id("entity_id") or customer.need_id("id"),
        "email": customer.need_text("email"),
        "first_name": customer.text("firstname"),
        "last_name": customer.text("lastname"),
    }
    at = customer.at("updated_at", in_utc=True) or customer.at("created_at", in_utc=True)
    return [envelope("customer-identified", at, told)]


def subscriber_items(subscriber: Record) -> Items:
    """Return what somebody with an account said about the newsletter; a guest's address is nobody's yet.

    Raises:
        NotUnderstood: it is no subscription.
    """
    subscriber.need_id("subscriber_id")
    customer_id, status = subscriber.id("customer_id"), subscriber.whole("subscriber_status")
    said = {_SUBSCRIBED: "consent-given", _UNSUBSCRIBED: "consent-withdrawn", _UNCONFIRMED: "consent-requested"}
    if customer_id is None or status not in said:
        return []
    told = {"customer_id": customer_id, "purpose": "marketing", "channel": "email", "mechanism": "import"}
    return [envelope(said[status], subscriber.at("change_status_at", in_utc=True), told)]


def product_items(product: Record, currency: str, shop_url: str) -> Items:
    """Return what a product is, what it costs in *currency*, how many there are.

    Raises:
        NotUnderstood: it is no product, or its price is no amount.
    """
    sku, at = product.need_id("sku"), product.at("updated_at", in_utc=True)
    name, price_minor, path = product.text("name"), product.minor("price", currency), product.text("url_key")
    items: Items = []
    if name is not None and price_minor is not None and product.text("type_id") not in _NOT_SIMPLE:
        url = f"{shop_url.rstrip('/')}/{path}.html" if shop_url and path else None
        told = {"sku": sku, "name": name, "price_minor": price_minor, "currency": currency, "url": url}
        items.append(envelope("product-updated", at, told))
    stock = product.record("stock_data")
    quantity = stock.whole("qty")
    if quantity is not None:
        items.append(envelope("stock-changed", at, {"sku": sku, "quantity": max(0, quantity)}))
    return items


def _buyer(sale: Record, sale_id: str, prefix: str) -> tuple[str | None, Items]:
    """Return who a sale is of; a guest who left an address is named after the sale."""
    email = sale.text(f"{prefix}email")
    customer_id = sale.id(f"{prefix}id") or (f"guest-{sale_id}" if email else None)
    if customer_id is None or email is None:
        return customer_id, []
    told = {
        "customer_id": customer_id,
        "email": email,
        "first_name": sale.text(f"{prefix}firstname"),
        "last_name": sale.text(f"{prefix}lastname"),
    }
    at = sale.at("updated_at", in_utc=True) or sale.at("created_at", in_utc=True)
    return customer_id, [envelope("customer-identified", at, told)]


def _lines(sale: Record, quantity_name: str, currency: str) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for line in sale.records("items"):
        # What was configured or bundled comes twice: as what was bought, and as what is taken from the shelf.
        sku, quantity = line.text("sku"), line.whole(quantity_name)
        if sku is None or not quantity or quantity < 0 or line.id("parent_item_id") is not None:
            continue
        told: dict[str, object] = {"sku": sku, "quantity": quantity}
        told["unit_price_minor"] = line.need_minor("price", currency)
        name = line.text("name")
        lines.append({**told, "name": name} if name else told)
    return lines
