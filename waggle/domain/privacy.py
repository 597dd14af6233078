"""What a person may ask of a shop about their data, and what becomes of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

Right = Literal["access", "portability", "rectification", "erasure", "restriction", "objection"]
"""GDPR Art. 15, 20, 16, 17, 18, 21."""

RIGHTS: tuple[Right, ...] = get_args(Right)

ANSWER_WITHIN = timedelta(days=30)
"""GDPR Art. 12(3) gives one month."""

RequestState = Literal["unconfirmed", "open", "done", "refused"]
"""`unconfirmed`: asked for on a page, and not yet confirmed by the link in the mail that went to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyRequest:
    """One wish of one customer, named by opaque ids alone."""

    request_id: str
    right: Right
    customer_id: str
    source: str
    """Through what it came: the page, the API's key, the shop."""
    opened_by: str
    state: RequestState
    opened_at: datetime
    due_at: datetime
    confirmed_at: datetime | None = None
    done_at: datetime | None = None
    done_by: str | None = None
    outcome: str | None = None
    payload: str | None = None
    """Personal, hence kept encrypted: what is to be corrected, such as a new address."""

    @property
    def closed(self) -> bool:
        """Whether nothing more will be done about it."""
        return self.state in {"done", "refused"}


LinkKind = Literal[
    "preferences",
    "confirm-subscription",
    "keep-subscription",
    "answer-survey",
    "change-email",
    "confirm-erasure",
    "download",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneTimeLink:
    """What a link stands for that a person got by mail; of its token only the hash is known."""

    token_sha256: str
    kind: LinkKind
    customer_id: str
    subject: str
    """What it is about: a request's id, or purpose, channel and wording."""
    payload: str | None
    """Personal, hence kept encrypted: such as the address that it confirms."""
    made_at: datetime
    expires_at: datetime
    used_at: datetime | None = None

    def usable(self, now: datetime) -> bool:
        """Say whether it still does what it stands for."""
        return self.used_at is None and now < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """The copy of somebody's data that was made for them."""

    request_id: str
    customer_id: str
    archive: bytes | None
    """A ZIP; None once it was fetched, or its time was over, or its person erased."""
    made_at: datetime
    expires_at: datetime
    fetched_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """So many records that went to somebody outside, for one purpose."""

    at: datetime
    destination: str
    purpose: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LegalHold:
    """Somebody whose data may not be deleted yet, whatever its term: a lawsuit, an audit."""

    customer_id: str
    why: str
    held_by: str
    since: datetime
