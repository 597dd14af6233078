"""The repositories of one transaction, a module for each kind of thing, on SQLAlchemy Core."""

from sqlalchemy import Connection

from waggle.storage.repositories.audit import Audit
from waggle.storage.repositories.coupons import Coupons
from waggle.storage.repositories.inbox import Events
from waggle.storage.repositories.journeys import EngineMessages, Enrolments
from waggle.storage.repositories.keys import WriteKeys
from waggle.storage.repositories.messages import Links, Messages
from waggle.storage.repositories.people import Consents, Customers, Suppressions
from waggle.storage.repositories.shop import Carts, Orders, Products


class SqlTransaction:
    """All repositories on one connection, which is in a transaction."""

    def __init__(self, connection: Connection) -> None:
        self.events = Events(connection)
        self.write_keys = WriteKeys(connection)
        self.customers = Customers(connection)
        self.consents = Consents(connection)
        self.suppressions = Suppressions(connection)
        self.carts = Carts(connection)
        self.orders = Orders(connection)
        self.products = Products(connection)
        self.enrolments = Enrolments(connection)
        self.engine_messages = EngineMessages(connection)
        self.messages = Messages(connection)
        self.links = Links(connection)
        self.coupons = Coupons(connection)
        self.audit = Audit(connection)
