"""The hash that ties each row of the audit log to all before it."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

FIRST = "0" * 64
"""Stands for the hash of the row before the first."""


def row_hash(before: str, row: Mapping[str, object]) -> str:
    """Return the SHA-256 of the hash *before* and the canonical JSON of *row*: all its columns but this hash.

    It must never change: rows that were chained long ago are checked by it.
    """
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_time)
    return hashlib.sha256(f"{before}\n{canonical}".encode()).hexdigest()


def _time(value: object) -> str:
    if not isinstance(value, datetime):
        raise TypeError(f"{type(value).__name__} has no canonical form")
    return value.astimezone(UTC).isoformat(timespec="microseconds")
