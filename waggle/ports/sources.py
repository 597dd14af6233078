"""Abilities of the systems that facts come from and go to; what they give are envelopes of our own vocabulary."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

Item = Mapping[str, Any]
"""A CloudEvents envelope as `POST /v1/events` takes it (`specversion, id, type, time, data`), without `source`."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A call as it came in."""

    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """Raw: what signatures are made over."""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the headers of a verified call say, as far as they do."""

    topic: str = ""
    delivery_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RightAsked:
    """What a person asks of the shop through its platform."""

    right: Literal["access", "erasure"]
    customer_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a verified call says."""

    delivery_id: str
    """The same for a repeat of the same call, unique within (source, topic)."""
    topic: str
    items: Sequence[Item] = field(default=())
    """Empty: nothing that concerns us."""
    rights: Sequence[RightAsked] = field(default=())
    ended: str | None = None
    """Why the system will not call again, if it says so: `app-uninstalled`, `shop-erased`."""


class Webhook(Protocol):
    """A system that calls us."""

    answer: bytes
    """What a call is answered with once it was taken: JSON, or nothing."""
    probe: tuple[str, bytes]
    """Topic and body of a call that says nothing, to try out what is set."""
    echoes_challenge: bool
    """Whether the system first asks by GET for its own `challenge`, to see that somebody is there."""

    def verify(self, request: WebhookRequest, now: datetime) -> Call:
        """Check who calls, over the raw bytes and in constant time; nothing of the body is read before.

        Raises:
            Rejected: SIGNATURE_MISSING, SIGNATURE_WRONG or SIGNATURE_STALE.
        """
        ...

    def read(self, call: Call, body: bytes, now: datetime) -> Delivery:
        """Say in our words what a verified call tells.

        Raises:
            Rejected: PAYLOAD_UNREADABLE, if it is not what the vendor describes; it is set aside, see quarantine.
        """
        ...

    def sign(self, topic: str, body: bytes, delivery_id: str, now: datetime) -> Mapping[str, str]:
        """Return the headers of a call as the system itself would make it, to try out what is set.

        Raises:
            Rejected: CANNOT_SIGN, where only the system holds the key.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A record that could not be put into our words; it is set aside, so that it holds up no other."""

    raw: bytes
    code: str
    where: str = ""
    """What of it, never a value."""
    topic: str = "record"
    """What the system calls a record of this kind; "record" if it has no word of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A stretch of what a system has to tell."""

    items: Sequence[Item]
    cursor: str
    """Where to go on; opaque, kept only once the items are stored."""
    more: bool
    """Whether the next page may be asked for at once."""
    unread: Sequence[Unread] = field(default=())


class EventFeed(Protocol):
    """A system that is asked."""

    async def pull(self, cursor: str | None, since: datetime | None) -> Page:
        """Return what came after *cursor*; without one, what changed since *since* or, without that, everything.

        Raises:
            TemporaryFailure: ask again later.
            PermanentFailure: a person has to look.
        """
        ...

    async def close(self) -> None:
        """Let go of what is open towards the system."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One entry of a queue as it came in."""

    body: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Of an envelope whose `data` alone is the body (CloudEvents in binary mode); empty: the body is all of it."""


class EventQueue(Protocol):
    """A queue that is read."""

    async def consume(
        self, handle: Callable[[Sequence[Letter]], Awaitable[Sequence[str | None]]], stop: asyncio.Event
    ) -> None:
        """Hand what comes to *handle* until *stop* is set; a queue that is away is waited for, never given up.

        *handle* returns, for each letter, None or the code of a refusal, once that is durable: they are acknowledged
        then, not before. What was refused goes where people look for it, with the code. If *handle* raises a
        TemporaryFailure, none is acknowledged and all come again.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OutEvent:
    """A fact on its way out, as far as its destination may know it."""

    position: int
    """Counts up; where two have passed the first, the first has passed."""
    item: Item


class EventStream(Protocol):
    """A system that wants to hear of our facts."""

    @property
    def most_at_once(self) -> int:
        """How many events one call may hold; after each call the position is kept."""
        ...

    async def publish(self, events: Sequence[OutEvent]) -> None:
        """Return once all of *events* are safely there, in this order; the same may come again.

        Raises:
            TemporaryFailure: none or only some are there; all come again.
            PermanentFailure: a person has to look; all come again.
        """
        ...

    async def close(self) -> None:
        """Let go of the connection; the next `publish` opens another."""
        ...
