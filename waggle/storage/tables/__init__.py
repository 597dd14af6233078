"""The tables, a module for each kind of thing.

A column marked `personal` holds personal data and is read through one repository only.
"""

from waggle.storage.tables.audit import audit
from waggle.storage.tables.columns import PERSONAL, SEQUENCE, UtcTime, metadata
from waggle.storage.tables.coupons import coupon_budgets, coupons
from waggle.storage.tables.inbox import events, refused_events
from waggle.storage.tables.journeys import engine_messages, enrolments
from waggle.storage.tables.keys import write_keys
from waggle.storage.tables.messages import OPEN, links, messages
from waggle.storage.tables.people import consents, customers, suppressions
from waggle.storage.tables.shop import carts, orders, products

__all__ = [
    "OPEN",
    "PERSONAL",
    "SEQUENCE",
    "UtcTime",
    "audit",
    "carts",
    "consents",
    "coupon_budgets",
    "coupons",
    "customers",
    "engine_messages",
    "enrolments",
    "events",
    "links",
    "messages",
    "metadata",
    "orders",
    "products",
    "refused_events",
    "suppressions",
    "write_keys",
]
