"""The shop's till: an order that follows a mail, with the coupon in it."""

import re
from datetime import datetime
from typing import Any

from waggle.demo.goods import CURRENCY
from waggle.demo.scenario import Mail, Shopper

_PERCENT = re.compile(r"\b(\d{1,2})% off\b")


def order_after_mail(shopper: Shopper, mail: Mail, at: datetime) -> dict[str, Any]:
    """Return the event of the order of the shopper's cart, less what the coupon in *mail* takes off."""
    cart = shopper.carts[0]
    code, percent = next(iter(mail.codes), None), _PERCENT.search(mail.text)
    discount_minor = cart.value_minor * int(percent.group(1)) // 100 if code and percent else 0
    data: dict[str, Any] = {
        "order_id": f"order-{cart.cart_id}",
        "cart_id": cart.cart_id,
        "customer_id": shopper.customer_id,
        "currency": CURRENCY,
        "total_minor": cart.value_minor - discount_minor,
    }
    if code is not None:
        data["coupon_code"] = code
    return {
        "specversion": "1.0",
        "id": f"order-{cart.cart_id}",
        "type": "order-placed",
        "time": at.isoformat(),
        "data": data,
    }
