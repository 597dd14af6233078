"""Declare what answers one BPMN task type."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar, get_type_hints

_ATTRIBUTE = "__waggle_task__"


@dataclass(frozen=True, slots=True)
class JobOrigin:
    """Where in the engine a job comes from: for people to look up, never to decide by, since a crash changes it."""

    instance_key: int
    element_id: str


@dataclass(frozen=True, slots=True)
class Task:
    """One task type: what it reads, returns, needs and may throw."""

    task_type: str
    call: Callable[..., Awaitable[Any]]
    input: type
    output: type
    needs: Mapping[str, type]
    """Parameter name -> type of the service that the runtime passes in."""
    origin: str | None
    """Name of the parameter that is to be told the JobOrigin, if any."""
    throws: frozenset[str]
    timeout_s: float
    """The handler is stopped after this long; the lease on the job is longer."""
    concurrency: int
    side_effect: bool
    """True: the outcome is reported to the engine even after the lease is over."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the process variables the task reads; no other is fetched."""
        return tuple(field.name for field in fields(self.input))

    @property
    def results(self) -> tuple[str, ...]:
        """Names of the process variables the task writes."""
        return tuple(field.name for field in fields(self.output))


Handler = TypeVar("Handler", bound=Callable[..., Awaitable[Any]])


def task(
    task_type: str,
    *,
    throws: tuple[str, ...] = (),
    timeout_s: float = 30.0,
    concurrency: int = 8,
    side_effect: bool = False,
) -> Callable[[Handler], Handler]:
    """Make an async function the answer to *task_type*.

    Its first parameter is the input dataclass, its return type the output dataclass, and every further parameter a
    service, found by its type, or the JobOrigin.
    """

    def declare(call: Handler) -> Handler:
        hints = get_type_hints(call)
        output = hints.pop("return")
        first, *rest = inspect.signature(call).parameters
        declared = Task(
            task_type=task_type,
            call=call,
            input=hints[first],
            output=output,
            needs={name: hints[name] for name in rest if hints[name] is not JobOrigin},
            origin=next((name for name in rest if hints[name] is JobOrigin), None),
            throws=frozenset(throws),
            timeout_s=timeout_s,
            concurrency=concurrency,
            side_effect=side_effect,
        )
        setattr(call, _ATTRIBUTE, declared)
        return call

    return declare


def declared_task(thing: object) -> Task | None:
    """Return the declaration that *thing* carries, if any."""
    found = getattr(thing, _ATTRIBUTE, None)
    return found if isinstance(found, Task) else None
