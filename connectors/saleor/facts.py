"""What Saleor's objects say in our words, as the query in README.md asks for them (3.22, as known in November 2026)."""

from datetime import datetime
from typing import Any

from waggle.domain.foreign import Record, envelope

Items = list[dict[str, Any]]

_TICKED = frozenset({"1", "yes", "on", "true"})


def checkout_items(checkout: Record, at: datetime | None, consent_key: str) -> Items:
    """Return who fills a cart, and the cart: Saleor calls it a checkout from the first product on.

    Raises:
        NotUnderstood: it is no checkout.
    """
    checkout_id = checkout.need_id("id")
    total = checkout.record("totalPrice", "gross")
    currency = total.currency("currency")
    customer_id, items = _buyer(checkout, "email", checkout_id, consent_key)
    told = {
        "cart_id": checkout_id,
        "currency": currency,
        "items": _lines(checkout, currency),
        "customer_id": customer_id,
    }
    return [*items, envelope("cart-updated", checkout.at("updatedAt") or at, told)]


def order_items(order: Record, at: datetime | None, consent_key: str, event: str) -> Items:
    """Return what *event* tells of an order.

    Raises:
        NotUnderstood: it is no order.
    """
    order_id = order.need_id("id")
    total = order.record("total", "gross")
    currency = total.currency("currency")
    customer_id, items = _buyer(order, "userEmail", order_id, consent_key)
    whose = {"order_id": order_id, "customer_id": customer_id}
    match event:
        case "OrderCreated":
            placed = {
                **whose,
                "currency": currency,
                "total_minor": total.need_minor("amount", currency),
                "items": _lines(order, currency),
                "cart_id": order.id("checkoutId"),
                "coupon_code": order.text("voucherCode"),
            }
            return [*items, envelope("order-placed", order.at("created") or at, placed)]
        case "OrderFullyPaid":
            return [envelope("order-paid", at, whose)]
        case "OrderFulfilled":
            return [envelope("order-shipped", at, whose)]
        case "OrderCancelled" | "OrderExpired":
            return [envelope("order-cancelled", at, whose)]
        case "OrderRefunded" | "OrderFullyRefunded":
            refund_minor = order.record("totalRefunded").minor("amount", currency)
            return [envelope("order-returned", at, {**whose, "refund_minor": refund_minor})]
    return []


def customer_items(customer: Record, at: datetime | None, consent_key: str) -> Items:
    """Return who somebody with an account is, and their tick for marketing.

    Raises:
        NotUnderstood: it is no customer.
    """
    customer_id, changed_at = customer.need_id("id"), customer.at("updatedAt") or at
    language = customer.text("languageCode")
    told = {
        "customer_id": customer_id,
        "email": customer.text("email"),
        "first_name": customer.text("firstName"),
        "last_name": customer.text("lastName"),
        "language": language.lower().replace("_", "-") if language else None,
    }
    items = [envelope("customer-identified", changed_at, told)]
    ticks = [
        each.text("value") for each in customer.records("metadata") if consent_key and each.text("key") == consent_key
    ]
    if ticks and (ticks[0] or "").lower() in _TICKED:
        agreed = {"customer_id": customer_id, "purpose": "marketing", "channel": "email", "mechanism": "import"}
        items.append(envelope("consent-given", changed_at, agreed))
    return items


def variant_items(variant: Record, at: datetime | None, event: str, shop_url: str) -> Items:
    """Return what a variant is and costs, or how many there are.

    Raises:
        NotUnderstood: it is no variant.
    """
    sku = variant.text("sku") or variant.need_id("id")
    if event == "ProductVariantOutOfStock":
        return [envelope("stock-changed", at, {"sku": sku, "quantity": 0})]
    items: Items = []
    price, product = variant.record("pricing", "price", "gross"), variant.record("product")
    name = product.text("name")
    if price and name:
        currency, slug = price.currency("currency"), product.text("slug")
        told = {
            "sku": sku,
            "name": name,
            "price_minor": price.need_minor("amount", currency),
            "currency": currency,
            "url": f"{shop_url.rstrip('/')}/products/{slug}" if shop_url and slug else None,
            "image_url": product.record("thumbnail").text("url"),
        }
        items.append(envelope("product-updated", variant.at("updatedAt") or at, told))
    quantity = variant.whole("quantityAvailable")
    if quantity is not None:
        items.append(envelope("stock-changed", at, {"sku": sku, "quantity": max(0, quantity)}))
    return items


def _buyer(sale: Record, address: str, sale_id: str, consent_key: str) -> tuple[str | None, Items]:
    """Return who a sale is of; a guest who left an address is named after the sale."""
    user, email = sale.record("user"), sale.text(address)
    if user.id("id") is not None:
        return user.need_id("id"), customer_items(user, sale.at("updatedAt"), consent_key)
    if email is None:
        return None, []
    told = {"customer_id": f"guest-{sale_id}", "email": email}
    return told["customer_id"], [envelope("customer-identified", sale.at("updatedAt") or sale.at("created"), told)]


def _lines(sale: Record, currency: str) -> list[dict[str, object]]:
    lines: list[dict[str, object]] = []
    for line in sale.records("lines"):
        variant = line.record("variant")
        sku = variant.text("sku") or line.text("productSku") or variant.id("id")
        quantity = line.whole("quantity")
        if sku is None or not quantity or quantity < 0:
            continue
        told: dict[str, object] = {"sku": sku, "quantity": quantity}
        told["unit_price_minor"] = line.record("unitPrice", "gross").need_minor("amount", currency)
        name = line.text("productName") or variant.record("product").text("name")
        lines.append({**told, "name": name} if name else told)
    return lines
