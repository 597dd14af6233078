"""What happened in the engine, read from its records: it has no queries."""

from waggle.engine.records.ledger import FENCE, DoneElement, Instance, Ledger
from waggle.engine.records.record import (
    ElementValue,
    IncidentValue,
    JobValue,
    ProcessValue,
    Record,
    SubscriptionValue,
    TimerValue,
)
from waggle.engine.records.stream import RecordStream

__all__ = [
    "FENCE",
    "DoneElement",
    "ElementValue",
    "IncidentValue",
    "Instance",
    "JobValue",
    "Ledger",
    "ProcessValue",
    "Record",
    "RecordStream",
    "SubscriptionValue",
    "TimerValue",
]
