"""Events as a shop sends them."""

from datetime import UTC, datetime
from typing import Any

from waggle.ports.unit_of_work import StoredEvent, UnitOfWork
from waggle.services.intake import Intake

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)

GOOD_DATA: dict[str, dict[str, Any]] = {
    "customer-identified": {
        "customer_id": "c-1",
        "email": "ada@example.com",
        "first_name": "Zoë 👩‍🚀",
        "time_zone": "Europe/Warsaw",
        "language": "pt-BR",
    },
    "cart-updated": {
        "cart_id": "cart-1",
        "customer_id": "c-1",
        "currency": "EUR",
        "items": [{"sku": "honey", "quantity": 2, "unit_price_minor": 650, "name": "Honey"}],
        "url": "https://shop.example/cart/1?from=mail#top",
    },
    "order-placed": {"order_id": "o-1", "currency": "EUR", "total_minor": 1300, "cart_id": "cart-1"},
    "product-updated": {"sku": "honey", "name": "Honey", "price_minor": 650, "currency": "EUR"},
    "stock-changed": {"sku": "honey", "quantity": 0},
    "consent-given": {"customer_id": "c-1", "text_version": "2026-01"},
    "consent-withdrawn": {"customer_id": "c-1"},
    "customer-erased": {"customer_id": "c-1"},
    "message-clicked": {"message_id": "m-1"},
}


def event(event_type: str = "cart-updated", event_id: str = "e-1", **changes: object) -> dict[str, Any]:
    return {"specversion": "1.0", "id": event_id, "type": event_type, "data": GOOD_DATA[event_type], **changes}


def with_data(event_type: str, **changes: object) -> dict[str, Any]:
    return event(event_type, data={**GOOD_DATA[event_type], **changes})


async def stored(store: UnitOfWork) -> list[StoredEvent]:
    return await store.run(lambda tx: tx.events.pending(1_000))


async def refusal(intake: Intake, item: object) -> tuple[str, str]:
    [receipt] = await intake.accept("shop", [item])
    assert receipt.status == "refused"
    assert receipt.problem is not None
    assert receipt.problem.detail
    return receipt.problem.code, receipt.problem.where
