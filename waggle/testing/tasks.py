"""Calls a task as a worker does, without any engine."""

from collections.abc import Mapping
from typing import Any

import msgspec
from pyzeebe.proto import gateway_pb2 as pb

from waggle.engine.worker.counters import Counters
from waggle.engine.worker.handling import Handling
from waggle.engine.worker.outcome import Complete, Fail, Throw
from waggle.task import Task, declared_task

_SPREAD = 0.5


async def call(
    task: object,
    variables: Mapping[str, object],
    *,
    headers: Mapping[str, str] | None = None,
    services: Mapping[Any, object] | None = None,
    retries: int = 3,
) -> dict[str, Any]:
    """Return what becomes of a job with these *variables* and task *headers*, as JSON could say it; *services* by type.

    `{"completed": variables}`; `{"thrown": code, "text": ...}`, a BPMN error; or `{"failed": code, "text": ...,
    "retries": ..., "wait_s": ...}`, an incident if no retries are left.
    """
    declared = task if isinstance(task, Task) else declared_task(task)
    assert declared is not None, f"{task} is no task"
    offered = services or {}
    job = pb.ActivatedJob(
        key=1,
        type=declared.task_type,
        processInstanceKey=1,
        bpmnProcessId="called",
        elementId="Task_Called",
        retries=retries,
        # The engine fetches no more than the task declares.
        variables=msgspec.json.encode(
            {name: variables[name] for name in declared.variables if name in variables}
        ).decode(),
        customHeaders=msgspec.json.encode(headers or {}).decode(),
    )
    given = {name: offered[kind] for name, kind in declared.needs.items()}
    handling = Handling(declared, given, Counters(), lambda: _SPREAD)
    try:
        outcome = await handling.outcome_of(job)
    finally:
        handling.close()
    match outcome:
        case Complete():
            return {"completed": msgspec.json.decode(outcome.variables)}
        case Throw():
            return {"thrown": outcome.code, "text": outcome.text}
        case Fail():
            return {"failed": outcome.code, "text": outcome.text, "retries": outcome.retries, "wait_s": outcome.wait_s}
