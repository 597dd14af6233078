"""Events as a shop sends them."""

from datetime import UTC, datetime
from typing import Any

from waggle.ports.unit_of_work import StoredEvent, UnitOfWork
from waggle.services.intake import Intake

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)

_LINE = {"sku": "honey", "quantity": 2, "unit_price_minor": 650, "name": "Honey"}

GOOD_DATA: dict[str, dict[str, Any]] = {
    "customer-identified": {
        "customer_id": "c-1",
        "anonymous_id": "visitor-1",
        "email": "ada@example.com",
        "phone": "+48123456789",
        "first_name": "Zoë 👩‍🚀",
        "last_name": "Żak",
        "birth_date": "1990-04-30",
        "time_zone": "Europe/Warsaw",
        "language": "pt-BR",
        "country": "PL",
    },
    "customers-merged": {"customer_id": "c-1", "merged_customer_id": "c-2"},
    "customers-split": {"customer_id": "c-1", "merged_customer_id": "c-2"},
    "customer-erased": {"customer_id": "c-1"},
    "customer-restricted": {"customer_id": "c-1"},
    "customer-unrestricted": {"customer_id": "c-1"},
    "page-viewed": {
        "url": "https://shop.example/honey?utm_source=mail",
        "anonymous_id": "visitor-1",
        "title": "Honey",
        "referrer": "https://search.example/",
    },
    "product-viewed": {"sku": "honey", "anonymous_id": "visitor-1", "url": "https://shop.example/honey"},
    "cart-updated": {
        "cart_id": "cart-1",
        "customer_id": "c-1",
        "currency": "EUR",
        "items": [_LINE],
        "url": "https://shop.example/cart/1?from=mail#top",
    },
    "product-added": {"cart_id": "cart-1", "currency": "EUR", **_LINE},
    "product-removed": {"cart_id": "cart-1", "sku": "honey", "quantity": 1},
    "checkout-started": {"checkout_id": "checkout-1", "currency": "EUR", "total_minor": 1300, "items": [_LINE]},
    "order-placed": {"order_id": "o-1", "currency": "EUR", "total_minor": 1300, "cart_id": "cart-1"},
    "order-paid": {"order_id": "o-1"},
    "order-shipped": {"order_id": "o-1"},
    "order-delivered": {"order_id": "o-1"},
    "order-cancelled": {"order_id": "o-1"},
    "order-returned": {"order_id": "o-1", "refund_minor": 650},
    "payment-authorised": {"payment_id": "p-1", "amount_minor": 1300, "currency": "EUR", "order_id": "o-1"},
    "payment-failed": {"payment_id": "p-1", "code": "insufficient_funds"},
    "payment-refunded": {"payment_id": "p-1", "amount_minor": 650, "currency": "EUR"},
    "product-updated": {"sku": "honey", "name": "Honey", "price_minor": 650, "currency": "EUR"},
    "price-changed": {"sku": "honey", "price_minor": 600, "currency": "EUR"},
    "stock-changed": {"sku": "honey", "quantity": 0},
    "consent-given": {
        "customer_id": "c-1",
        "text_version": "2026-01",
        "mechanism": "checkout",
        "proof_url": "https://shop.example/checkout",
        "ip": "192.0.2.7",
    },
    "consent-requested": {"customer_id": "c-1", "mechanism": "web_form"},
    "consent-withdrawn": {"customer_id": "c-1"},
    "consent-lapsed": {"customer_id": "c-1"},
    "privacy-request-opened": {"request_id": "r-1", "customer_id": "c-1", "right": "access"},
    "privacy-request-confirmed": {"request_id": "r-1", "customer_id": "c-1"},
    "message-clicked": {"message_id": "m-1"},
    "stock-subscription-created": {"customer_id": "c-1", "sku": "honey"},
    "stock-subscription-ended": {"customer_id": "c-1", "sku": "honey"},
    "price-watch-created": {"customer_id": "c-1", "sku": "honey", "price_minor": 650, "currency": "EUR"},
    "price-watch-ended": {"customer_id": "c-1", "sku": "honey"},
    "review-submitted": {"customer_id": "c-1", "order_id": "o-1", "rating": 5, "sku": "honey"},
    "survey-answered": {"customer_id": "c-1", "order_id": "o-1", "score": 9},
    "customer-lapsed": {"customer_id": "c-1", "days_since_order": 120},
    "customer-unengaged": {"customer_id": "c-1"},
    "birthday-approaching": {"customer_id": "c-1"},
    "replenishment-expected": {"customer_id": "c-1", "sku": "honey", "order_id": "o-1"},
    "points-earned": {"customer_id": "c-1", "points": 65, "order_id": "o-1"},
    "tier-changed": {"customer_id": "c-1", "tier": "silver"},
    "promotion-reminder-requested": {
        "customer_id": "c-1",
        "promotion_id": "spring-sale",
        "starts_at": "2026-05-10T08:00:00Z",
        "ends_at": "2026-05-17T08:00:00Z",
    },
    "audience-joined": {"customer_id": "c-1", "audience": "recent-visitors"},
    "audience-left": {"customer_id": "c-1", "audience": "recent-visitors"},
    "campaign-requested": {"campaign_id": "spring-2026", "campaign": "spring-news", "requested_by": "kim"},
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
