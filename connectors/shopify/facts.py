"""What Shopify's objects say in our words (Admin API and webhook payloads, version 2025-10, as known in November 2026).

The same object gives the same items whether a webhook or the Admin API (REST) brings it.
"""

from datetime import datetime
from typing import Any

from waggle.domain.foreign import Record, envelope

Items = list[dict[str, Any]]

_PAID = frozenset({"paid", "partially_refunded", "refunded"})
_CONSENT = {"subscribed": "consent-given", "pending": "consent-requested", "unsubscribed": "consent-withdrawn"}
_NO_VARIANT = "Default Title"


def order_items(order: Record) -> Items:
    """Return who ordered, what, and how far the order has come, as far as it has.

    Shopify does not say when an order was paid: the time at which it was processed is taken.

    Raises:
        NotUnderstood: it is no order.
    """
    order_id = order.need_id("id")
    currency = order.currency("currency")
    placed_at = order.at("created_at")
    customer_id, items = _buyer(order, order_id)
    discounts = order.records("discount_codes")
    items.append(
        envelope(
            "order-placed",
            placed_at,
            {
                "order_id": order_id,
                "currency": currency,
                "total_minor": order.need_minor("total_price", currency),
                "items": _lines(order, currency),
                "customer_id": customer_id,
                "cart_id": _token(order, "cart_token"),
                "checkout_id": _token(order, "checkout_token"),
                "coupon_code": discounts[0].text("code") if discounts else None,
            },
        )
    )
    whose = {"order_id": order_id, "customer_id": customer_id}
    if order.text("financial_status") in _PAID:
        items.append(envelope("order-paid", order.at("processed_at") or placed_at, whose))
    items += _shipments(order, whose)
    cancelled_at = order.at("cancelled_at")
    if cancelled_at is not None:
        items.append(envelope("order-cancelled", cancelled_at, whose))
    for refund in order.records("refunds"):
        items += refund_items(refund, customer_id=customer_id)
    return items


def fulfilment_items(fulfilment: Record) -> Items:
    """Return that an order was delivered, once the carrier has said so.

    Raises:
        NotUnderstood: it names no order.
    """
    order_id = fulfilment.need_id("order_id")
    if fulfilment.text("shipment_status") != "delivered":
        return []
    return [envelope("order-delivered", fulfilment.at("updated_at"), {"order_id": order_id})]


def refund_items(refund: Record, *, customer_id: str | None = None) -> Items:
    """Return what came back: goods, money, or both.

    Raises:
        NotUnderstood: it names no order, or an amount is none.
    """
    order_id, at = refund.need_id("order_id"), refund.at("created_at")
    paid_back = [
        each
        for each in refund.records("transactions")
        if each.text("kind") == "refund" and each.text("status") == "success"
    ]
    items: Items = []
    total_minor = 0
    for each in paid_back:
        currency = each.currency("currency")
        amount_minor = each.need_minor("amount", currency)
        total_minor += amount_minor
        items.append(
            envelope(
                "payment-refunded",
                each.at("processed_at") or each.at("created_at") or at,
                {
                    "payment_id": each.id("parent_id") or each.need_id("id"),
                    "amount_minor": amount_minor,
                    "currency": currency,
                    "order_id": order_id,
                    "customer_id": customer_id,
                },
            )
        )
    if refund.records("refund_line_items"):
        refund_minor = total_minor if paid_back else None
        returned = {"order_id": order_id, "refund_minor": refund_minor, "customer_id": customer_id}
        items.insert(0, envelope("order-returned", at, returned))
    return items


def cart_items(cart: Record, currency: str) -> Items:
    """Return the cart as it is; *currency* is that of an empty one, which names none.

    Raises:
        NotUnderstood: it is no cart.
    """
    cart_id = _token(cart, "token") or cart.need_id("id")
    for line in cart.records("line_items"):
        currency = line.record("price_set", "shop_money").currency("currency_code", currency)
    told = {"cart_id": cart_id, "currency": currency, "items": _lines(cart, currency)}
    return [envelope("cart-updated", cart.at("updated_at") or cart.at("created_at"), told)]


def checkout_items(checkout: Record) -> Items:
    """Return who is about to pay, their cart, and the checkout; nothing of one that has become an order.

    Raises:
        NotUnderstood: it is no checkout.
    """
    checkout_id = _token(checkout, "token") or checkout.need_id("id")
    if checkout.at("completed_at") is not None:
        return []
    currency = checkout.currency("currency")
    at = checkout.at("updated_at") or checkout.at("created_at")
    cart_id = _token(checkout, "cart_token")
    customer_id, items = _buyer(checkout, checkout_id)
    told = {
        "currency": currency,
        "items": _lines(checkout, currency),
        "customer_id": customer_id,
        "cart_id": cart_id,
        "url": checkout.text("abandoned_checkout_url"),
    }
    if cart_id is not None:
        items.append(envelope("cart-updated", at, told))
    total_minor = checkout.need_minor("total_price", currency)
    items.append(envelope("checkout-started", at, {**told, "checkout_id": checkout_id, "total_minor": total_minor}))
    return items


def customer_items(customer: Record, *, language: str | None = None) -> Items:
    """Return who somebody is and what they agreed to.

    Raises:
        NotUnderstood: it is no customer.
    """
    customer_id = customer.need_id("id")
    told = {
        "customer_id": customer_id,
        "email": customer.text("email"),
        "phone": _phone(customer.text("phone")),
        "first_name": customer.text("first_name"),
        "last_name": customer.text("last_name"),
        "language": language,
        "country": customer.record("default_address").text("country_code"),
    }
    items = [envelope("customer-identified", customer.at("updated_at") or customer.at("created_at"), told)]
    # Without a date of its own it counts as said on the first day, so that whatever was said since outweighs it.
    since = customer.at("created_at")
    for name, channel in (("email_marketing_consent", "email"), ("sms_marketing_consent", "sms")):
        items += consent_items(customer.record(name), customer_id, channel, since)
    return items


def consent_items(consent: Record, customer_id: str, channel: str, since: datetime | None) -> Items:
    """Return what the shop holds as the customer's word on *channel*; nothing if they were never asked.

    Shopify keeps neither text nor page, so these facts are no better proof than an import.
    """
    event_type = _CONSENT.get(consent.text("state") or "")
    if event_type is None:
        return []
    told = {"customer_id": customer_id, "purpose": "marketing", "channel": channel, "mechanism": "import"}
    if event_type == "consent-given" and consent.text("opt_in_level") == "confirmed_opt_in":
        told["mechanism"] = "double_opt_in"
    return [envelope(event_type, consent.at("consent_updated_at") or since, told)]


def product_items(product: Record, currency: str, shop_url: str) -> Items:
    """Return each variant: what it is, what it costs in *currency*, how many there are.

    Raises:
        NotUnderstood: it is no product, or a price is no amount.
    """
    product.need_id("id")
    at, title, handle = product.at("updated_at"), product.need_text("title"), product.text("handle")
    items: Items = []
    for variant in product.records("variants"):
        sku, kind = _sku(variant, "id"), variant.text("title")
        price_minor = variant.minor("price", currency)
        if sku is None or price_minor is None:
            continue
        told = {
            "sku": sku,
            "name": title if kind in {None, _NO_VARIANT} else f"{title}, {kind}",
            "price_minor": price_minor,
            "currency": currency,
            "url": f"{shop_url.rstrip('/')}/products/{handle}" if shop_url and handle else None,
            "image_url": product.record("image").text("src"),
        }
        items.append(envelope("product-updated", at, told))
        quantity = variant.whole("inventory_quantity")
        if quantity is not None and variant.text("inventory_management") is not None:
            # Below zero: sold though none was left.
            items.append(envelope("stock-changed", at, {"sku": sku, "quantity": max(0, quantity)}))
    return items


def _buyer(sale: Record, sale_id: str) -> tuple[str | None, Items]:
    """Return who an order or a checkout is of; a guest who left an address is named after the sale."""
    customer, locale = sale.record("customer"), sale.text("customer_locale")
    language = locale.replace("_", "-") if locale else None
    agreed = sale.flag("buyer_accepts_marketing")
    customer_id = customer.id("id")
    if customer_id is not None:
        items = customer_items(customer, language=language)
        # What the shop holds now outweighs the tick: it may wait for a confirmation.
        state = customer.record("email_marketing_consent").text("state")
        agreed = agreed and state in {None, "subscribed"}
    else:
        address = customer.text("email") or sale.text("email") or sale.text("contact_email")
        phone = _phone(sale.text("phone"))
        if address is None and phone is None:
            return None, []
        customer_id = f"guest-{sale_id}"
        invoiced = sale.record("billing_address")
        told = {
            "customer_id": customer_id,
            "email": address,
            "phone": phone,
            "first_name": invoiced.text("first_name"),
            "last_name": invoiced.text("last_name"),
            "language": language,
            "country": invoiced.text("country_code"),
        }
        items = [envelope("customer-identified", sale.at("updated_at") or sale.at("created_at"), told)]
    if agreed:
        told = {"customer_id": customer_id, "purpose": "marketing", "channel": "email", "mechanism": "checkout"}
        items.append(envelope("consent-given", sale.at("created_at"), told))
    return customer_id, items


def _shipments(order: Record, whose: dict[str, str | None]) -> Items:
    fulfilments = [each for each in order.records("fulfillments") if each.text("status") == "success"]
    items: Items = []
    if order.text("fulfillment_status") == "fulfilled" and fulfilments:
        items.append(envelope("order-shipped", fulfilments[-1].at("created_at"), whose))
    if fulfilments and all(each.text("shipment_status") == "delivered" for each in fulfilments):
        items.append(envelope("order-delivered", fulfilments[-1].at("updated_at"), whose))
    return items


def _lines(sale: Record, currency: str) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for line in sale.records("line_items"):
        sku, quantity = _sku(line, "variant_id"), line.whole("quantity")
        if sku is None or not quantity or quantity < 0:
            # A tip, or a line that was taken off the order again.
            continue
        told: dict[str, object] = {"sku": sku, "quantity": quantity}
        told["unit_price_minor"] = line.need_minor("price", currency)
        name = line.text("title") or line.text("name")
        lines.append({**told, "name": name} if name else told)
    return lines


def _sku(line: Record, variant: str) -> str | None:
    """Return the stock-keeping unit; for a variant that the merchant gave none, Shopify's own number."""
    found = line.id(variant)
    return line.text("sku") or (f"variant-{found}" if found else None)


def _token(record: Record, name: str) -> str | None:
    """Return a token without the secret key that newer carts carry behind it."""
    found = record.id(name)
    return found.partition("?")[0] or None if found else None


def _phone(text: str | None) -> str | None:
    """Return a number that names its country; others cannot be dialled from here."""
    return text if text is not None and text.startswith("+") else None
