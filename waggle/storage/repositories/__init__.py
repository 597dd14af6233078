"""The repositories of one transaction, a module for each kind of thing, on SQLAlchemy Core."""

from sqlalchemy import Connection

from waggle.storage.repositories.audit import Audit
from waggle.storage.repositories.bulk_reads import BulkReads
from waggle.storage.repositories.consents import Consents, ConsentTexts, Restrictions, Suppressions
from waggle.storage.repositories.coupons import Coupons
from waggle.storage.repositories.identities import Identities
from waggle.storage.repositories.inbox import Events
from waggle.storage.repositories.journeys import EngineMessages, Enrolments
from waggle.storage.repositories.keys import Keys, People
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
from waggle.storage.repositories.shop import Carts, Orders, Payments, Products, ProductViews
from waggle.storage.repositories.state import State
from waggle.storage.repositories.streams import Outcomes, Streams
from waggle.storage.repositories.webhooks import Deliveries
from waggle.storage.vault import Vault


class SqlTransaction:
    """All repositories on one connection, which is in a transaction."""

    def __init__(self, connection: Connection, vault: Vault) -> None:
        self.person_keys = vault
        self.events = Events(connection, vault)
        self.keys = Keys(connection, vault)
        self.people = People(connection, vault)
        self.identities = Identities(connection, vault)
        self.state = State(connection, vault)
        self.customers = Customers(connection, vault, self.identities)
        self.consents = Consents(connection, vault, self.identities)
        self.consent_texts = ConsentTexts(connection, vault)
        self.restrictions = Restrictions(connection, vault, self.identities)
        self.suppressions = Suppressions(connection, vault, self.identities)
        self.carts = Carts(connection, vault, self.identities)
        self.orders = Orders(connection, vault, self.identities)
        self.payments = Payments(connection, vault)
        self.products = Products(connection, vault)
        self.product_views = ProductViews(connection, vault, self.identities)
        self.enrolments = Enrolments(connection, vault, self.identities)
        self.engine_messages = EngineMessages(connection, vault)
        self.messages = Messages(connection, vault, self.identities)
        self.links = Links(connection, vault)
        self.coupons = Coupons(connection, vault)
        self.audit = Audit(connection, vault)
        self.outcomes = Outcomes(connection, vault)
        self.streams = Streams(connection, vault)
        self.bulk_reads = BulkReads(connection, vault)
        self.quarantine = Quarantine(connection, vault)
        self.pulling = Pulling(connection, vault)
        self.privacy_requests = PrivacyRequests(connection, vault, self.identities)
        self.one_time_links = OneTimeLinks(connection, vault)
        self.exports = Exports(connection, vault)
        self.transfers = Transfers(connection, vault)
        self.legal_holds = LegalHolds(connection, vault)
        self.retention_runs = RetentionRuns(connection, vault)
        self.personal_data = PersonalData(connection, vault)
        self.deliveries = Deliveries(connection, vault)
