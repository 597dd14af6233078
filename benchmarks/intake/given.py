"""What is sent: carts, views and customers of a shop, every event another one."""

import json
import random
from collections.abc import Iterator
from typing import Any

SOURCE = "bench"
BATCH = 100

_GOODS = [(f"sku-{number}", f"Honey of meadow {number}", 350 + 13 * number) for number in range(200)]
_TIME = "2026-05-04T09:59:00Z"


def events(label: str, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield events without end whose ids begin with *label*: of 10, 7 carts, 2 views of a product and 1 customer."""
    draw = random.Random(seed)  # noqa: S311 -- no secret
    number = 0
    while True:
        number += 1
        customer = f"customer-{draw.randrange(20_000)}"
        kind = number % 10
        if kind == 0:
            data = _identified(customer, draw)
            yield _event(f"{label}-{number}", "customer-identified", data)
        elif kind <= 2:
            sku, _, _ = draw.choice(_GOODS)
            yield _event(f"{label}-{number}", "product-viewed", {"sku": sku, "customer_id": customer})
        else:
            yield _event(f"{label}-{number}", "cart-updated", _cart(customer, draw))


def request(path: str, key: str, body: bytes) -> bytes:
    """Return a whole HTTP request, ready to be written."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def question(path: str, key: str) -> bytes:
    """Return a whole HTTP request that asks for *path*."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def singles(label: str, key: str, count: int) -> list[bytes]:
    """Return requests of one event each."""
    source = events(label)
    return [request("/v1/events", key, json.dumps(next(source)).encode()) for _ in range(count)]


def batches(label: str, key: str, count: int) -> list[bytes]:
    """Return requests of 100 events each."""
    source = events(label)
    return [request("/v1/events", key, json.dumps([next(source) for _ in range(BATCH)]).encode()) for _ in range(count)]


def _event(event_id: str, event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"specversion": "1.0", "id": event_id, "type": event_type, "time": _TIME, "data": data}


def _identified(customer: str, draw: random.Random) -> dict[str, Any]:
    return {
        "customer_id": customer,
        "email": f"{customer}.{draw.randrange(1_000)}@example.com",
        "first_name": "Ada",
        "language": "en",
        "time_zone": "Europe/Warsaw",
    }


def _cart(customer: str, draw: random.Random) -> dict[str, Any]:
    return {
        "cart_id": f"cart-{draw.randrange(10**9)}",
        "customer_id": customer,
        "currency": "EUR",
        "items": [
            {"sku": sku, "quantity": draw.randrange(1, 4), "unit_price_minor": price, "name": name}
            for sku, name, price in draw.sample(_GOODS, draw.randrange(1, 4))
        ],
        "url": f"https://shop.example/cart/{draw.randrange(10**9)}",
    }
