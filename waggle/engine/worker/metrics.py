"""A worker's counters as Prometheus reads them."""

from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from waggle.engine.worker.counters import BUCKETS_S, Counters, Durations

COUNTED: Mapping[str, str] = {
    "activated": "Jobs that reached this process.",
    "started": "Jobs whose handler was called.",
    "completed": "Jobs that the engine took as done.",
    "failed": "Jobs reported as failed: to be tried again, or an incident.",
    "thrown": "Jobs that ended in a BPMN error.",
    "late": "Outcomes of jobs that were done elsewhere or interrupted, or whose first report had arrived after all.",
    "handed_back": "Jobs given back unstarted, their retries unchanged, because the worker was asked to stop.",
    "lease_lost": "Jobs whose handler was cancelled because the lease was lost.",
    "refused": "Outcomes that the engine would not take: see the log.",
    "unreported": "Outcomes that could not be told before the lease was over or the drain ended.",
    "expired": "Jobs not started because their lease was over when they got their turn.",
    "repeated": "Jobs that came again while they were being done here.",
    "outcome_retries": "Reports of outcomes that had to be sent again.",
    "overdue": "Handlers stopped at their time limit, or that ran past it in a thread.",
    "used_up": "Jobs made incidents unstarted, because too many tries had come to nothing.",
}
"""Field of `Counters` that only grows -> what it counts."""

GAUGED: Mapping[str, tuple[str, str]] = {
    "in_flight": ("waggle_jobs_in_flight", "Jobs whose handler runs now."),
    "waiting": ("waggle_jobs_waiting", "Jobs that are here now and wait for their handler."),
    "reporting": ("waggle_jobs_reporting", "Jobs whose outcome is being reported now."),
    "capacity": ("waggle_jobs_capacity", "Handlers that may run at once."),
}
"""Field of `Counters` that rises and falls -> name and meaning of the gauge."""

TIMED: Mapping[str, tuple[str, str]] = {
    "queue_wait": ("waggle_job_queue_wait_seconds", "From a job's arrival here to the call of its handler."),
    "handler_time": ("waggle_job_handler_seconds", "How long handlers ran."),
    "report_time": ("waggle_job_report_seconds", "From a handler's end until the engine knew the outcome."),
}
"""Field of `Counters` -> name and meaning of the histogram."""

_BY_TYPE = ("task_type",)
_BOUNDS = (*(str(bound) for bound in BUCKETS_S), "+Inf")


class Running(Protocol):
    """What is asked of a worker's runtime."""

    @property
    def counters(self) -> Mapping[str, Counters]: ...
    @property
    def silence_s(self) -> float: ...


class WorkerCollector(Collector):
    """Reads the counters when it is asked, and costs the jobs nothing."""

    def __init__(self, runtime: Callable[[], Running | None]) -> None:
        """Show nothing as long as *runtime* returns None: the worker has not begun."""
        self._runtime = runtime

    def collect(self) -> Iterator[Metric]:
        """Return all that there is to say of each task type."""
        runtime = self._runtime()
        if runtime is None:
            return
        by_type = runtime.counters
        yield from _counts(by_type)
        yield from _durations(by_type)
        yield from _load(by_type)
        yield GaugeMetricFamily(
            "waggle_gateway_silence_seconds", "Since the gateway last answered anything.", runtime.silence_s
        )


def _counts(by_type: Mapping[str, Counters]) -> Iterator[Metric]:
    for name, meaning in COUNTED.items():
        family = CounterMetricFamily(f"waggle_job_{name}", meaning, labels=_BY_TYPE)
        for task_type, counters in by_type.items():
            family.add_metric([task_type], getattr(counters, name))
        yield family


def _durations(by_type: Mapping[str, Counters]) -> Iterator[Metric]:
    for name, (metric, meaning) in TIMED.items():
        family = HistogramMetricFamily(metric, meaning, labels=_BY_TYPE)
        for task_type, counters in by_type.items():
            durations: Durations = getattr(counters, name)
            cumulated = accumulate(durations.counts)
            family.add_metric([task_type], list(zip(_BOUNDS, cumulated, strict=True)), durations.sum_s)
        yield family


def _load(by_type: Mapping[str, Counters]) -> Iterator[Metric]:
    for name, (metric, meaning) in GAUGED.items():
        family = GaugeMetricFamily(metric, meaning, labels=_BY_TYPE)
        for task_type, counters in by_type.items():
            family.add_metric([task_type], getattr(counters, name))
        yield family
    saturation = GaugeMetricFamily("waggle_worker_saturation", "Share of the capacity in use, 0 to 1.", labels=_BY_TYPE)
    for task_type, counters in by_type.items():
        if counters.capacity:
            saturation.add_metric([task_type], counters.in_flight / counters.capacity)
    yield saturation
