"""Facts that Waggle itself tells, in a transaction that is already open; they go through the inbox like all others."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from waggle.domain.event import Event
from waggle.ports.unit_of_work import Transaction
from waggle.services.keys import OWN_SOURCE


def tell(tx: Transaction, event_type: str, event_id: str, data: Mapping[str, Any], at: datetime) -> None:
    """Put a fact about `customer_id` into the inbox, or about `campaign_id` where it is about nobody.

    One of this id that is there already stays as it is.
    """
    said = {name: value for name, value in data.items() if value is not None}
    subject = data["customer_id"] if "customer_id" in data else data["campaign_id"]
    event = Event(id=event_id, source=OWN_SOURCE, type=event_type, subject=subject, time=at, data=said)
    body = {"type": event_type, "subject": event.subject, "time": at.isoformat(), "data": said}
    tx.events.add(event, at, hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest())
