"""Takes jobs from the engine, has the tasks do them, and says what came of it."""

from waggle.engine.worker.counters import Counters
from waggle.engine.worker.options import WorkerOptions
from waggle.engine.worker.runtime import WorkerRuntime

__all__ = ["Counters", "WorkerOptions", "WorkerRuntime"]
