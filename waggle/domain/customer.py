"""The person a shop knows under one reference, or under several that turned out to be one person's."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from waggle.domain.telling import Told, together, told_after, value_of

FIELDS = (
    "email",
    "phone",
    "first_name",
    "last_name",
    "birth_date",
    "time_zone",
    "language",
    "country",
)
"""What is told of a customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """What is known of one customer.

    The personal among FIELDS leave the database only in a message or for the person themselves.
    """

    customer_id: str
    told: Told = field(default_factory=dict)
    identified_at: datetime | None = None
    """Time of the newest event that told of them, if it came after `erased_at`."""
    erased_at: datetime | None = None
    """When they last asked to be forgotten: nothing told up to then counts."""

    @property
    def erased(self) -> bool:
        """Whether they asked to be forgotten and have not come back since."""
        return self.erased_at is not None and self.identified_at is None

    @property
    def email(self) -> str | None:
        """Where e-mail reaches them."""
        return self._text("email")

    @property
    def phone(self) -> str | None:
        """E.164."""
        return self._text("phone")

    @property
    def first_name(self) -> str | None:
        return self._text("first_name")

    @property
    def last_name(self) -> str | None:
        return self._text("last_name")

    @property
    def birth_date(self) -> str | None:
        """ISO 8601."""
        return self._text("birth_date")

    @property
    def time_zone(self) -> str | None:
        """IANA name."""
        return self._text("time_zone")

    @property
    def language(self) -> str | None:
        return self._text("language")

    @property
    def country(self) -> str | None:
        """ISO 3166-1 alpha-2."""
        return self._text("country")

    def forgotten(self, at: datetime) -> "Customer":
        """Return what is left of them once they asked at *at* to be forgotten: what they told after it."""
        if self.erased_at is not None and at <= self.erased_at:
            return self
        back = self.identified_at is not None and self.identified_at > at
        return replace(
            self,
            told=told_after(self.told, at),
            identified_at=self.identified_at if back else None,
            erased_at=at,
        )

    def _text(self, name: str) -> str | None:
        value = value_of(self.told, name)
        return value if isinstance(value, str) else None


def one_person(customer_id: str, known: Iterable[Customer]) -> Customer | None:
    """Return what is known under several ids as of one person; who is forgotten under one is forgotten under all."""
    person: Customer | None = None
    for each in known:
        if person is None:
            person = replace(each, customer_id=customer_id)
            continue
        identified = [at for at in (person.identified_at, each.identified_at) if at is not None]
        merged = replace(
            person,
            told=together(person.told, each.told),
            identified_at=max(identified, default=None),
        )
        erasures = [at for at in (person.erased_at, each.erased_at) if at is not None]
        person = replace(merged, erased_at=None).forgotten(max(erasures)) if erasures else merged
    return person
