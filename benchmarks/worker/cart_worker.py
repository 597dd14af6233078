"""The worker process as it is shipped, its calls noted; on demand with handlers that only answer."""

import argparse
import asyncio
import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.worker.calls import CallLog
from benchmarks.worker.sampler import sampled
from waggle.app import App
from waggle.log import configure
from waggle.processes import run_until_stopped, run_worker
from waggle.settings import load_settings
from waggle.task import JobOrigin, Task

_ORIGIN = "origin_for_the_log"
# What the real handlers answer for the carts of this load, so that both go the same way through the diagram.
_ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "open-enrolment": {
        "proceed": True,
        "cart_id": "cart-1",
        "customer_id": "customer-1",
        "order_id": None,
        "sku": None,
        "settings": {"cart_idle": "PT20M", "reply_window": "PT1S", "order_window": "PT1S"},
    },
    "read-cart": {"cart_state": "idle", "cart_idle_at": "2026-01-01T00:00:00Z", "cart_value_minor": 9000},
    "check-eligibility": {"eligible": True, "eligibility_reason": "eligible"},
    "score-customer": {
        "score_band": "new", "order_count": 0, "recency_band": 1, "frequency_band": 1, "value_band": 1,
    },
    "issue-coupon": {"coupon_id": "coupon-1"},
    "send-message": {"message_outcome": "sent", "message_reason": "", "send_at": "2026-01-01T00:00:00Z"},
    "record-outcome": {"outcome_recorded": True},
}  # fmt: skip


def noted(task: Task, log: CallLog) -> Task:
    """Return *task* with every call noted under its element."""
    name = task.origin or _ORIGIN

    async def call(given: Any, **more: Any) -> Any:  # noqa: ANN401 -- stands for any handler
        origin: JobOrigin = more[name] if task.origin else more.pop(name)
        result = await task.call(given, **more)
        log.note(_subject(given), origin.element_id)
        return result

    return replace(task, call=call, origin=name)


def idle(task: Task) -> Task:
    """Return *task* with a handler that makes nothing of what it is given and always gives the same answer."""
    answer: Any = msgspec.convert(_ANSWERS[task.task_type], task.output)

    async def call(given: Any, **_: Any) -> Any:  # noqa: ANN401 -- stands for any handler
        # Calls are told apart by what they are for: each journey has a cart of its own.
        return replace(answer, cart_id=given.enrolment_id) if task.task_type == "open-enrolment" else answer

    return replace(task, call=call, origin=None)


def answering(tasks: Mapping[str, Task]) -> list[Task]:
    """Return the tasks of the diagram, each with a handler that has no effect."""
    return [idle(tasks[task_type]) for task_type in _ANSWERS]


def _subject(given: object) -> str:
    return str(getattr(given, "enrolment_id", None) or getattr(given, "cart_id", "-"))


def main() -> None:
    """Read the command line and work until asked to end."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.worker.cart_worker")
    parser.add_argument("--calls", type=Path, required=True)
    parser.add_argument("--no-effects", action="store_true")
    parser.add_argument("--profile", type=Path)
    asked = parser.parse_args()
    configure("json", "info")
    app = App(load_settings(os.environ))
    log = CallLog(asked.calls)
    # Only what the diagram asks for, with effects and without.
    chosen = answering(app.tasks) if asked.no_effects else [app.tasks[task_type] for task_type in _ANSWERS]
    vars(app)["tasks"] = {task.task_type: noted(task, log) for task in chosen}

    async def work(stop: asyncio.Event) -> None:
        with sampled(asked.profile) if asked.profile else nullcontext():
            await run_worker(app, (), stop)

    run_until_stopped(work)


if __name__ == "__main__":
    main()
