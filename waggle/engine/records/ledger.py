"""What is open and what was done, kept up from records."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, TypeVar

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

FENCE: Final = "waggle-fence"
"""Process that stands for a moment: see `waggle.engine.fence`."""

_USER_TASK = "io.camunda.zeebe:userTask"
_WAITING = frozenset({"INTERMEDIATE_CATCH_EVENT", "RECEIVE_TASK", "EVENT_BASED_GATEWAY"})


@dataclass(frozen=True, slots=True)
class Instance:
    """A process instance, open or ended."""

    key: int
    bpmn_process_id: str
    started_at: datetime
    parent_key: int | None = None
    """The instance whose call activity made it."""


@dataclass(frozen=True, slots=True)
class DoneElement:
    """An element that completed or was terminated."""

    element_id: str
    element_type: str
    at: datetime
    was_terminated: bool
    began_at: datetime


@dataclass(slots=True)
class Ledger:
    """The engine's present as far as its records were seen; each mapping is by the engine's key of the thing."""

    open_instances: dict[int, Instance] = field(default_factory=dict)
    instances: dict[int, Instance] = field(default_factory=dict)
    """Open and ended."""
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
    backing_off: dict[int, datetime] = field(default_factory=dict)
    """Jobs that failed and are handed out again at that time."""
    timed_out_jobs: Counter[str] = field(default_factory=Counter)
    """By task type, how often a lease ran out before any outcome was told, so that the job was handed out again."""
    ended_instances: int = 0
    fenced: int = 0
    """Key of the newest fence that was passed; of fences nothing else is kept."""
    _done: dict[int, list[DoneElement]] = field(default_factory=lambda: defaultdict(list))
    _flows: dict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    _active: dict[int, dict[int, str]] = field(default_factory=lambda: defaultdict(dict))
    _began: dict[int, datetime] = field(default_factory=dict)
    _called_up: set[int] = field(default_factory=set)
    """Instances for which a timer fired or a message came, and that have not moved yet."""
    _waits: set[int] = field(default_factory=set)
    """Element instances that catch something and hold up what comes after them."""

    def elements(self, process_instance_key: int) -> list[str]:
        """Return the ids of the elements that completed in the instance, in order, the process itself last."""
        return [done.element_id for done in self._done.get(process_instance_key, ()) if not done.was_terminated]

    def done(self, process_instance_key: int) -> list[DoneElement]:
        """Return all elements of the instance that completed or were terminated, in order."""
        return list(self._done.get(process_instance_key, ()))

    def active_elements(self, process_instance_key: int) -> list[str]:
        """Return the ids of the elements that the instance stands at."""
        return list(self._active.get(process_instance_key, {}).values())

    def reached(self, process_instance_key: int) -> set[str]:
        """Return the ids of the elements that were begun in the instance, the process itself among them once it ended.

        The event of a boundary is among them only if it happened.
        """
        done = {each.element_id for each in self._done.get(process_instance_key, ())}
        return done.union(self._active.get(process_instance_key, {}).values())

    def resting(self) -> set[int]:
        """Return the open instances that go on only if time passes, somebody acts, or an engine message comes.

        One that called another rests as the other does.
        """
        at_rest = {timer.process_instance_key for timer in self.timers.values()}
        at_rest |= {incident.process_instance_key for incident in self.incidents.values()}
        at_rest |= {job.process_instance_key for key, job in self.jobs.items() if key in self.backing_off}
        at_rest |= {job.process_instance_key for job in self.jobs.values() if job.type == _USER_TASK}
        at_rest |= {
            waiting.process_instance_key
            for waiting in self.subscriptions.values()
            if waiting.element_instance_key in self._waits
        }
        at_rest = (at_rest & self.open_instances.keys()) - self._called_up
        callers = {each.parent_key for each in self.open_instances.values()} - {None}
        for key in callers - at_rest:
            called = {each.key for each in self.open_instances.values() if each.parent_key == key}
            if key is not None and called <= at_rest | callers:
                at_rest.add(key)
        return at_rest

    def jobs_under_way(self) -> list[str]:
        """Return the task types of jobs that are done without anybody's help: no incident, no pause, no person's."""
        stuck = {incident.job_key for incident in self.incidents.values()} | self.backing_off.keys()
        return sorted({job.type for key, job in self.jobs.items() if key not in stuck and job.type != _USER_TASK})

    def flows(self, process_instance_key: int) -> list[str]:
        """Return the ids of the sequence flows that the instance took, in order."""
        return list(self._flows.get(process_instance_key, ()))

    def all_flows(self) -> set[str]:
        """Return the ids of the sequence flows that any instance took."""
        return {flow for flows in self._flows.values() for flow in flows}

    def next_due_at(self) -> datetime | None:
        """Return when the first waiting timer fires, or a job that failed is handed out again."""
        return min([*(timer.due_at for timer in self.timers.values()), *self.backing_off.values()], default=None)

    def due_by(self, at: datetime) -> list[str]:
        """Return the ids of the elements whose timer fires, or whose failed job is handed out again, by *at*."""
        waiting = {timer.target_element_id for timer in self.timers.values() if timer.due_at <= at}
        return sorted(waiting | {self.jobs[key].element_id for key, due in self.backing_off.items() if due <= at})

    def take(self, record: Record) -> None:
        """Take *record* into account."""
        match record.value:
            case ElementValue(bpmn_process_id=process_id) as value if process_id == FENCE:
                # Its first element has no other before it.
                if record.intent == "ELEMENT_COMPLETED":
                    self.fenced = max(self.fenced, value.process_instance_key)
            case ElementValue() as value:
                self._take_element(record, value)
            case JobValue() as job:
                self._take_job(record, job)
            case TimerValue() as timer:
                _keep(self.timers, record, timer, {"TRIGGERED", "CANCELED"})
                if record.intent == "TRIGGERED" and timer.process_instance_key > 0:
                    self._called_up.add(timer.process_instance_key)
            case IncidentValue() as incident:
                _keep(self.incidents, record, incident, {"RESOLVED"})
            case SubscriptionValue() as subscription:
                self._take_subscription(record, subscription)
            case ProcessValue() as process:
                self.processes[process.bpmn_process_id] = process

    def _take_job(self, record: Record, job: JobValue) -> None:
        _keep(self.jobs, record, job, {"COMPLETED", "CANCELED", "ERROR_THROWN"})
        self.backing_off.pop(record.key, None)
        # What waits for a person is asked again and again, and nobody need wait for that.
        if record.intent == "FAILED" and job.retries and job.retry_backoff and job.type != _USER_TASK:
            self.backing_off[record.key] = record.at + timedelta(milliseconds=job.retry_backoff)
        if record.intent == "TIMED_OUT":
            self.timed_out_jobs[job.type] += 1

    def _take_subscription(self, record: Record, subscription: SubscriptionValue) -> None:
        # One that does not interrupt waits on after it was correlated.
        over = {"DELETED", "CORRELATED"} if subscription.is_interrupting else {"DELETED"}
        _keep(self.subscriptions, record, subscription, over)
        if record.intent == "CORRELATING":
            self._called_up.add(subscription.process_instance_key)
        elif record.intent != "CREATED":
            self._called_up.discard(subscription.process_instance_key)

    def _take_element(self, record: Record, value: ElementValue) -> None:
        instance = value.process_instance_key
        is_root = value.bpmn_element_type == "PROCESS"
        if record.intent in {"ELEMENT_ACTIVATED", "ELEMENT_COMPLETED", "ELEMENT_TERMINATED"}:
            self._called_up.discard(instance)
        match record.intent:
            case "SEQUENCE_FLOW_TAKEN":
                self._flows[instance].append(value.element_id)
            case "ELEMENT_ACTIVATED" if is_root:
                parent = value.parent_process_instance_key
                opened = Instance(instance, value.bpmn_process_id, record.at, parent if parent > 0 else None)
                self.open_instances[instance] = self.instances[instance] = opened
            case "ELEMENT_ACTIVATED":
                self._active[instance][record.key] = value.element_id
                self._began[record.key] = record.at
                if value.bpmn_element_type in _WAITING:
                    self._waits.add(record.key)
            case "ELEMENT_COMPLETED" | "ELEMENT_TERMINATED":
                was_terminated = record.intent == "ELEMENT_TERMINATED"
                began_at = self._began.pop(record.key, record.at)
                done = DoneElement(value.element_id, value.bpmn_element_type, record.at, was_terminated, began_at)
                self._done[instance].append(done)
                self._active[instance].pop(record.key, None)
                self._waits.discard(record.key)
                if is_root:
                    self.open_instances.pop(instance, None)
                    self._active.pop(instance, None)
                    self.ended_instances += 1


def _keep(open_ones: dict[int, V], record: Record, value: V, over: set[str]) -> None:
    if record.intent in over:
        open_ones.pop(record.key, None)
    else:
        open_ones[record.key] = value
