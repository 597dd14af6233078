"""The tables, a module for each kind of thing.

A column marked `personal` holds personal data and is read through one repository only.
"""

from waggle.storage.tables.audit import audit, audit_head
from waggle.storage.tables.campaigns import approvals, campaigns, console_sessions
from waggle.storage.tables.columns import PERSONAL, SEQUENCE, UtcTime, metadata
from waggle.storage.tables.consents import consent_texts, consents, restrictions, suppressed_addresses, suppressions
from waggle.storage.tables.coupons import coupon_budgets, coupons
from waggle.storage.tables.effects import effects, occasion_runs
from waggle.storage.tables.identities import identities, merged_ids, merges
from waggle.storage.tables.inbox import events, refused_events
from waggle.storage.tables.journeys import engine_messages, enrolments, waves
from waggle.storage.tables.keys import keys, staff
from waggle.storage.tables.loyalty import audience_memberships, loyalty_entries
from waggle.storage.tables.messages import OPEN, links, messages
from waggle.storage.tables.people import customers
from waggle.storage.tables.privacy import (
    exports,
    legal_holds,
    one_time_links,
    privacy_requests,
    retention_runs,
    transfers,
)
from waggle.storage.tables.pulling import coverage, cursors, import_runs
from waggle.storage.tables.quarantine import quarantine
from waggle.storage.tables.shop import carts, early_orders, orders, payments, product_views, products
from waggle.storage.tables.streams import outcomes, streams
from waggle.storage.tables.vault import person_keys
from waggle.storage.tables.versions import (
    deployed_files,
    deployments,
    file_contents,
    green_runs,
    moves,
    paused_journeys,
)
from waggle.storage.tables.webhooks import webhook_deliveries, webhook_ends, webhook_refusals

__all__ = [
    "OPEN",
    "PERSONAL",
    "SEQUENCE",
    "UtcTime",
    "approvals",
    "audience_memberships",
    "audit",
    "audit_head",
    "campaigns",
    "carts",
    "consent_texts",
    "consents",
    "console_sessions",
    "coupon_budgets",
    "coupons",
    "coverage",
    "cursors",
    "customers",
    "deployed_files",
    "deployments",
    "early_orders",
    "effects",
    "engine_messages",
    "enrolments",
    "events",
    "exports",
    "file_contents",
    "green_runs",
    "identities",
    "import_runs",
    "keys",
    "legal_holds",
    "links",
    "loyalty_entries",
    "merged_ids",
    "merges",
    "messages",
    "metadata",
    "moves",
    "occasion_runs",
    "one_time_links",
    "orders",
    "outcomes",
    "paused_journeys",
    "payments",
    "person_keys",
    "privacy_requests",
    "product_views",
    "products",
    "quarantine",
    "refused_events",
    "restrictions",
    "retention_runs",
    "staff",
    "streams",
    "suppressed_addresses",
    "suppressions",
    "transfers",
    "waves",
    "webhook_deliveries",
    "webhook_ends",
    "webhook_refusals",
]
