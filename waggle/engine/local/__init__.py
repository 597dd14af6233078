"""The embedded engine: the real Camunda 8.6 as processes of this machine, without Docker or an installed Java."""

from waggle.engine.local.clock import LocalClock
from waggle.engine.local.launcher import (
    EngineStatus,
    RunningEngine,
    adopt,
    advance_clock,
    operate_password,
    prepare,
    start,
    status,
    stop,
)
from waggle.engine.local.state import EngineOptions

__all__ = [
    "EngineOptions",
    "EngineStatus",
    "LocalClock",
    "RunningEngine",
    "adopt",
    "advance_clock",
    "operate_password",
    "prepare",
    "start",
    "status",
    "stop",
]
