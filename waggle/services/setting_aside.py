"""The one way into quarantine."""

from datetime import datetime

import msgspec

from waggle.ports.unit_of_work import Transaction
from waggle.services.forbidden_data import Finding, forbidden_in


def set_aside(  # noqa: PLR0913, PLR0917 -- what came, from whom, and why it stays here
    tx: Transaction, source: str, topic: str, raw: bytes, code: str, at: datetime, *, where: str = ""
) -> int | None:
    """Keep *raw* sealed until somebody looks at it, and return its number; None if it holds what must never be held."""
    if forbidden_in_bytes(raw) is not None:
        return None
    return tx.quarantine.add(source, topic, raw, code, at, where=where)


def forbidden_in_bytes(raw: bytes) -> Finding | None:
    """Look for what must never be held in a body, JSON or not."""
    try:
        item = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        item = raw.decode("utf-8", "replace")
    return forbidden_in(item, msgspec.json.encode(item))
