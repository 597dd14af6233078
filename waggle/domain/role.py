"""What people and programs may do."""

from typing import Literal, get_args

Scope = Literal[
    "events:write",
    "events:track",
    "customers:read",
    "orders:read",
    "products:read",
    "coupons:read",
    "consents:read",
    "privacy:manage",
    "sources:manage",
    "events:manage",
    "journeys:manage",
    "campaigns:manage",
    "approvals:decide",
    "admin",
]
SCOPES: tuple[str, ...] = get_args(Scope)

Role = Literal["owner", "analyst", "marketer", "operator", "privacy-officer"]

ROLES: dict[str, frozenset[str]] = {
    "owner": frozenset(SCOPES),
    # Neither draws nor writes for one person: what they see names nobody.
    "analyst": frozenset({"products:read", "coupons:read", "journeys:manage"}),
    "marketer": frozenset({"products:read", "coupons:read", "campaigns:manage", "approvals:decide"}),
    "operator": frozenset(
        {"orders:read", "products:read", "coupons:read", "sources:manage", "events:manage", "journeys:manage"}
    ),
    "privacy-officer": frozenset({"customers:read", "orders:read", "coupons:read", "consents:read", "privacy:manage"}),
}
"""Role -> scopes, the one source: what a person's token may do, and what a person may decide on the command line."""

BROWSER_TYPES = frozenset(
    {
        "page-viewed",
        "product-viewed",
        "cart-updated",
        "product-added",
        "product-removed",
        "checkout-started",
        "customer-identified",
        "consent-withdrawn",
    }
)
"""What a key with `events:track` may send: it stands in a public page, where everybody can read it."""
