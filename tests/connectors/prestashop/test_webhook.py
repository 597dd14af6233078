"""What our module for PrestaShop says in our words."""

from tests.connectors.vendors import facts, vendors

VENDOR = vendors()["prestashop"]
LINES = [{"sku": "HONEY-500", "quantity": 2, "unit_price_minor": 1250, "name": "Linden honey 500 g"}]
IDENTIFIED = (
    "customer-identified",
    "2026-05-04T09:30:00+00:00",
    {
        "customer_id": "31",
        "email": "iga@example.com",
        "first_name": "Iga",
        "last_name": "Wilk",
        "language": "pl",
    },
)
CONSENT = (
    "consent-given",
    "2026-04-20T07:00:00+00:00",
    {
        "customer_id": "31",
        "purpose": "marketing",
        "channel": "email",
        "mechanism": "web_form",
        "ip": "203.0.113.12",
    },
)


def test_a_cart_is_told_with_who_fills_it_and_the_way_back_to_it() -> None:
    said = facts(VENDOR.told("", "cart_saved"))

    assert said[:2] == [IDENTIFIED, CONSENT]
    assert said[2] == (
        "cart-updated",
        "2026-05-04T09:45:00+00:00",
        {
            "cart_id": "220",
            "currency": "EUR",
            "items": LINES,
            "customer_id": "31",
            "url": "https://shop.example/order?step=3&recover_cart=220&token_cart=5d41402abc4b2a76b9719d911017c592",
        },
    )


def test_an_order_and_its_steps_are_told() -> None:
    *_, placed = facts(VENDOR.told("", "order_validated"))

    assert placed == (
        "order-placed",
        "2026-05-04T09:58:00+00:00",
        {
            "order_id": "77",
            "currency": "EUR",
            "total_minor": 2999,
            "items": LINES,
            "customer_id": "31",
            "cart_id": "220",
        },
    )
    assert facts(VENDOR.told("", "order_step")) == [
        ("order-shipped", "2026-05-06T09:58:00+00:00", {"order_id": "77", "customer_id": "31"})
    ]


def test_a_customer_is_told_with_the_proof_of_the_newsletter() -> None:
    assert facts(VENDOR.told("", "customer_saved")) == [IDENTIFIED, CONSENT]
