"""Records: what the engine says it did, one by one, as its exporter sends them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec


class _Value(msgspec.Struct, frozen=True, rename="camel"):
    """Only the fields named here are kept; variables never are."""


class ElementValue(_Value, frozen=True):
    """An element of a diagram, or a sequence flow, in one process instance."""

    bpmn_process_id: str
    version: int
    process_definition_key: int
    process_instance_key: int
    element_id: str
    bpmn_element_type: str
    """PROCESS, SERVICE_TASK, SEQUENCE_FLOW, ..."""
    flow_scope_key: int
    parent_process_instance_key: int


class JobValue(_Value, frozen=True):
    """Work for a worker."""

    type: str
    retries: int
    error_code: str
    bpmn_process_id: str
    process_instance_key: int
    element_id: str
    element_instance_key: int
    retry_backoff: int = 0
    """Of one that failed: milliseconds until it is handed out again."""


class TimerValue(_Value, frozen=True):
    """A timer that waits, fired, or was cancelled."""

    target_element_id: str
    process_instance_key: int
    """-1 for a timer that starts instances."""
    process_definition_key: int
    element_instance_key: int
    due_date: int
    """Milliseconds since the epoch, on the engine's clock."""

    @property
    def due_at(self) -> datetime:
        """Return when it fires."""
        return datetime.fromtimestamp(self.due_date / 1000, UTC)


class IncidentValue(_Value, frozen=True):
    """Something a person must look at."""

    error_type: str
    error_message: str
    bpmn_process_id: str
    process_instance_key: int
    element_id: str
    element_instance_key: int
    job_key: int


class ProcessValue(_Value, frozen=True):
    """A deployed version of a diagram."""

    bpmn_process_id: str
    version: int
    process_definition_key: int


class SubscriptionValue(_Value, frozen=True):
    """A wait for an engine message."""

    message_name: str
    correlation_key: str
    process_instance_key: int
    element_instance_key: int
    is_interrupting: bool = msgspec.field(name="interrupting", default=True)


Value: TypeAlias = ElementValue | JobValue | TimerValue | IncidentValue | ProcessValue | SubscriptionValue

_VALUES: dict[str, type[Value]] = {
    "PROCESS_INSTANCE": ElementValue,
    "JOB": JobValue,
    "TIMER": TimerValue,
    "INCIDENT": IncidentValue,
    "PROCESS": ProcessValue,
    "MESSAGE_SUBSCRIPTION": SubscriptionValue,
}


class Record(msgspec.Struct, frozen=True):
    """One event of the engine."""

    position: int
    """Grows within a partition; a record that is sent again has the same."""
    partition: int
    key: int
    """Of the element instance, job, timer, ... that it is about."""
    intent: str
    """ELEMENT_COMPLETED, SEQUENCE_FLOW_TAKEN, CREATED, TRIGGERED, ..."""
    at: datetime
    """Aware UTC, on the engine's clock."""
    value: Value


class _Wire(msgspec.Struct, rename="camel"):
    partition_id: int
    position: int
    key: int
    timestamp: int
    value_type: str
    intent: str
    value: msgspec.Raw


_wire = msgspec.json.Decoder(_Wire)
_values = {name: msgspec.json.Decoder(kind) for name, kind in _VALUES.items()}


def from_bulk(body: bytes) -> Iterator[Record]:
    """Yield the records in the body of an Elasticsearch bulk request: lines of an action and a document in turn.

    Raises:
        msgspec.DecodeError: it is not what the exporter of this version sends.
    """
    lines = [line for line in body.split(b"\n") if line]
    for document in lines[1::2]:
        wire = _wire.decode(document)
        if decoder := _values.get(wire.value_type):
            yield Record(
                position=wire.position,
                partition=wire.partition_id,
                key=wire.key,
                intent=wire.intent,
                at=datetime.fromtimestamp(wire.timestamp / 1000, UTC),
                value=decoder.decode(wire.value),
            )


def actions_in(body: bytes) -> int:
    """Return how many documents a bulk request holds."""
    return sum(1 for line in body.split(b"\n") if line) // 2
