"""What is open and what was done, kept up from records."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from waggle.engine.records.record import (
    ElementValue,
    IncidentValue,
    JobValue,
    ProcessValue,
    Record,
    SubscriptionValue,
    TimerValue,
)

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Instance:
    """A process instance, open or ended."""

    key: int
    bpmn_process_id: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class DoneElement:
    """An element that completed or was terminated."""

    element_id: str
    element_type: str
    at: datetime
    was_terminated: bool


@dataclass(slots=True)
class Ledger:
    """The engine's present as far as its records were seen; each mapping is by the engine's key of the thing."""

    open_instances: dict[int, Instance] = field(default_factory=dict)
    timers: dict[int, TimerValue] = field(default_factory=dict)
    """Those that wait."""
    jobs: dict[int, JobValue] = field(default_factory=dict)
    """Those created and not yet done, whether a worker has them or not."""
    incidents: dict[int, IncidentValue] = field(default_factory=dict)
    """Those not resolved."""
    subscriptions: dict[int, SubscriptionValue] = field(default_factory=dict)
    """Those that wait for an engine message."""
    processes: dict[str, ProcessValue] = field(default_factory=dict)
    """The latest version by process id."""
    timed_out_jobs: Counter[str] = field(default_factory=Counter)
    """By task type, how often a lease ran out before any outcome was told, so that the job was handed out again."""
    ended_instances: int = 0
    _done: dict[int, list[DoneElement]] = field(default_factory=lambda: defaultdict(list))
    _flows: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    _active: dict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))

    def elements(self, process_instance_key: int) -> list[str]:
        """Return the ids of the elements that completed in the instance, in order, the process itself last."""
        return [done.element_id for done in self._done.get(process_instance_key, ()) if not done.was_terminated]

    def done(self, process_instance_key: int) -> list[DoneElement]:
        """Return all elements of the instance that completed or were terminated, in order."""
        return list(self._done.get(process_instance_key, ()))

    def active_elements(self, process_instance_key: int) -> list[str]:
        """Return the ids of the elements that the instance stands at."""
        return list(self._active.get(process_instance_key, {}).values())

    def flows(self, process_instance_key: int) -> list[str]:
        """Return the ids of the sequence flows that the instance took, in order."""
        return list(self._flows.get(process_instance_key, ()))

    def all_flows(self) -> set[str]:
        """Return the ids of the sequence flows that any instance took."""
        return {flow for flows in self._flows.values() for flow in flows}

    def next_due_at(self) -> datetime | None:
        """Return when the first waiting timer fires."""
        return min((timer.due_at for timer in self.timers.values()), default=None)

    def take(self, record: Record) -> None:
        """Take *record* into account."""
        match record.value:
            case ElementValue() as value:
                self._take_element(record, value)
            case JobValue() as job:
                _keep(self.jobs, record, job, {"COMPLETED", "CANCELED", "ERROR_THROWN"})
                if record.intent == "TIMED_OUT":
                    self.timed_out_jobs[job.type] += 1
            case TimerValue() as timer:
                _keep(self.timers, record, timer, {"TRIGGERED", "CANCELED"})
            case IncidentValue() as incident:
                _keep(self.incidents, record, incident, {"RESOLVED"})
            case SubscriptionValue() as subscription:
                # One that does not interrupt waits on after it was correlated.
                over = {"DELETED", "CORRELATED"} if subscription.is_interrupting else {"DELETED"}
                _keep(self.subscriptions, record, subscription, over)
            case ProcessValue() as process:
                self.processes[process.bpmn_process_id] = process

    def _take_element(self, record: Record, value: ElementValue) -> None:
        instance = value.process_instance_key
        is_root = value.bpmn_element_type == "PROCESS"
        match record.intent:
            case "SEQUENCE_FLOW_TAKEN":
                self._flows[instance].append(value.element_id)
            case "ELEMENT_ACTIVATED" if is_root:
                self.open_instances[instance] = Instance(instance, value.bpmn_process_id, record.at)
            case "ELEMENT_ACTIVATED":
                self._active[instance][record.key] = value.element_id
            case "ELEMENT_COMPLETED" | "ELEMENT_TERMINATED":
                was_terminated = record.intent == "ELEMENT_TERMINATED"
                done = DoneElement(value.element_id, value.bpmn_element_type, record.at, was_terminated)
                self._done[instance].append(done)
                self._active[instance].pop(record.key, None)
                if is_root:
                    self.open_instances.pop(instance, None)
                    self._active.pop(instance, None)
                    self.ended_instances += 1


def _keep(open_ones: dict[int, V], record: Record, value: V, over: set[str]) -> None:
    if record.intent in over:
        open_ones.pop(record.key, None)
    else:
        open_ones[record.key] = value
