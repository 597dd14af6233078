"""Declare what answers one BPMN task type."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar, get_type_hints

_ATTRIBUTE = "__waggle_task__"

InDoubt = Literal["listed", "sent again"]
"""Listed for an operator and not tried again by itself, as befits marketing; or sent again under its id, counted."""


@dataclass(frozen=True, slots=True)
class JobOrigin:
    """Where in the engine a job comes from: for people to look up, never to decide by, since a crash changes it."""

    instance_key: int
    element_id: str
    version: int | None = None
    """The engine's number of the diagram that the instance runs on."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task type: what it reads, returns, needs and may throw."""

    task_type: str
    call: Callable[..., Any]
    """An `async def`, or a plain `def`, which is run in a thread."""
    input: type
    output: type
    needs: Mapping[str, type]
    """Parameter name -> type of the service that the runtime passes in."""
    origin: str | None
    """Name of the parameter that is to be told the JobOrigin, if any."""
    throws: frozenset[str]
    timeout_s: float
    """The handler is stopped after this long, unless it runs in a thread; the lease on the job is longer."""
    concurrency: int
    """Handlers at once in one process."""
    rate_per_s: float | None
    """Handlers begun per second in one process; None: as fast as it goes."""
    retries: int
    """Tries until an unexpected error is an incident; fewer if the diagram allows fewer. TemporaryFailure uses none."""
    side_effect: bool
    """True: the outcome is reported to the engine even after the lease is over."""
    in_doubt: InDoubt | None
    """What becomes of an effect whose outcome nobody knows; None where there is none that could be in doubt."""
    headers: str | None
    """Name of the parameter that is given the task headers of the diagram, if any."""
    headers_type: type | None

    @property
    def is_sync(self) -> bool:
        """Whether the handler blocks, so that it needs a thread."""
        return not inspect.iscoroutinefunction(inspect.unwrap(self.call))

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of the process variables the task reads; no other is fetched."""
        return tuple(field.name for field in fields(self.input))

    @property
    def results(self) -> tuple[str, ...]:
        """Names of the process variables the task writes."""
        return tuple(field.name for field in fields(self.output))


Handler = TypeVar("Handler", bound=Callable[..., Any])


def task(  # noqa: PLR0913 -- each says one thing about the task
    task_type: str,
    *,
    throws: tuple[str, ...] = (),
    timeout_s: float = 30.0,
    concurrency: int = 8,
    rate_per_s: float | None = None,
    retries: int = 3,
    side_effect: bool = False,
    in_doubt: InDoubt | None = None,
    headers: type | None = None,
) -> Callable[[Handler], Handler]:
    """Make a function the answer to *task_type*.

    Its first parameter is the input dataclass, its return type the output dataclass, and every further parameter a
    service, found by its type, the JobOrigin, or the task headers as the dataclass *headers*.

    A plain `def` may block: each call gets a thread of a pool that is the task's own and has *concurrency* threads;
    context variables are copied. A thread cannot be stopped. One that runs longer than *timeout_s* keeps its place and,
    as long as the engine agrees, its job; the result is reported when it is there, however late. If the job was lost
    meanwhile, only a task with a side effect still reports.
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
            needs={name: hints[name] for name in rest if hints[name] not in (JobOrigin, headers)},
            origin=next((name for name in rest if hints[name] is JobOrigin), None),
            throws=frozenset(throws),
            timeout_s=timeout_s,
            concurrency=concurrency,
            rate_per_s=rate_per_s,
            retries=retries,
            side_effect=side_effect,
            in_doubt=in_doubt,
            headers=next((name for name in rest if headers is not None and hints[name] is headers), None),
            headers_type=headers,
        )
        setattr(call, _ATTRIBUTE, declared)
        return call

    return declare


def declared_task(thing: object) -> Task | None:
    """Return the declaration that *thing* carries, if any."""
    found = getattr(thing, _ATTRIBUTE, None)
    return found if isinstance(found, Task) else None
