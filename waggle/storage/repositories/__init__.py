"""The repositories of one transaction, a module for each kind of thing, on SQLAlchemy Core."""

from collections.abc import Callable
from typing import Generic, TypeVar

from sqlalchemy import Connection

from waggle.storage.repositories.audit import Audit
from waggle.storage.repositories.bulk_reads import BulkReads
from waggle.storage.repositories.campaigns import Approvals, Campaigns, ConsoleSessions
from waggle.storage.repositories.consents import Consents, ConsentTexts, Restrictions, Suppressions
from waggle.storage.repositories.coupons import Coupons
from waggle.storage.repositories.effects import Effects, OccasionRuns
from waggle.storage.repositories.identities import Identities
from waggle.storage.repositories.inbox import Events
from waggle.storage.repositories.journeys import EngineMessages, Enrolments, Waves
from waggle.storage.repositories.keys import Keys, People
from waggle.storage.repositories.loyalty import Audiences, Loyalty
from waggle.storage.repositories.messages import Links, Messages
from waggle.storage.repositories.people import Customers
from waggle.storage.repositories.personal_data import PersonalData
from waggle.storage.repositories.privacy import (
    Exports,
    LegalHolds,
    OneTimeLinks,
    PrivacyRequests,
    RetentionRuns,
    Transfers,
)
from waggle.storage.repositories.pulling import Pulling
from waggle.storage.repositories.quarantine import Quarantine
from waggle.storage.repositories.segments import Segments
from waggle.storage.repositories.shop import Carts, Orders, Payments, Products, ProductViews
from waggle.storage.repositories.state import State
from waggle.storage.repositories.streams import Outcomes, Streams
from waggle.storage.repositories.versions import Pauses, Versions
from waggle.storage.repositories.webhooks import Deliveries
from waggle.storage.vault import Vault

R = TypeVar("R")


class _OfThings(Generic[R]):
    """Makes a repository and puts it in its own place, so that it is asked only once in a transaction."""

    def __init__(self, make: Callable[[Connection, Vault], R]) -> None:
        self._make = make

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, tx: "SqlTransaction", _owner: type) -> R:
        made = self._make(tx.connection, tx.person_keys)
        tx.__dict__[self._name] = made
        return made


class _OfPersons(Generic[R]):
    """Does the same for one that has to know which ids are one person."""

    def __init__(self, make: Callable[[Connection, Vault, Identities], R]) -> None:
        self._make = make

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, tx: "SqlTransaction", _owner: type) -> R:
        made = self._make(tx.connection, tx.person_keys, tx.identities)
        tx.__dict__[self._name] = made
        return made


class SqlTransaction:
    """All repositories on one connection, which is in a transaction; each is made when it is first asked for.

    To make them all took 15 us, as long as a look-up by key: most transactions need three or four.
    """

    events = _OfThings(Events)
    keys = _OfThings(Keys)
    people = _OfThings(People)
    identities = _OfThings(Identities)
    state = _OfThings(State)
    customers = _OfPersons(Customers)
    consents = _OfPersons(Consents)
    consent_texts = _OfThings(ConsentTexts)
    restrictions = _OfPersons(Restrictions)
    suppressions = _OfPersons(Suppressions)
    carts = _OfPersons(Carts)
    orders = _OfPersons(Orders)
    payments = _OfThings(Payments)
    products = _OfThings(Products)
    product_views = _OfPersons(ProductViews)
    enrolments = _OfPersons(Enrolments)
    engine_messages = _OfThings(EngineMessages)
    waves = _OfThings(Waves)
    messages = _OfPersons(Messages)
    links = _OfThings(Links)
    coupons = _OfThings(Coupons)
    effects = _OfThings(Effects)
    loyalty = _OfPersons(Loyalty)
    audiences = _OfThings(Audiences)
    occasion_runs = _OfThings(OccasionRuns)
    audit = _OfThings(Audit)
    outcomes = _OfThings(Outcomes)
    streams = _OfThings(Streams)
    bulk_reads = _OfThings(BulkReads)
    quarantine = _OfThings(Quarantine)
    pulling = _OfThings(Pulling)
    privacy_requests = _OfPersons(PrivacyRequests)
    one_time_links = _OfThings(OneTimeLinks)
    exports = _OfThings(Exports)
    transfers = _OfThings(Transfers)
    legal_holds = _OfThings(LegalHolds)
    retention_runs = _OfThings(RetentionRuns)
    personal_data = _OfThings(PersonalData)
    deliveries = _OfThings(Deliveries)
    versions = _OfThings(Versions)
    pauses = _OfThings(Pauses)
    segments = _OfThings(Segments)
    campaigns = _OfThings(Campaigns)
    approvals = _OfThings(Approvals)
    console_sessions = _OfThings(ConsoleSessions)

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self.connection = connection
        self.person_keys = vault
