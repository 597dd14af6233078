"""The worker process: many task types on one channel."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import grpc
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.engine.worker.attempts import Attempts
from waggle.engine.worker.counters import Counters, Pulse
from waggle.engine.worker.options import WorkerOptions
from waggle.engine.worker.task_worker import TaskWorker
from waggle.errors import BadSettings
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.task import Task

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_log = get_logger(__name__)

_DEFAULTS = WorkerOptions()


class WorkerRuntime:
    """Runs tasks for the engine until told to stop, whatever the engine does meanwhile."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        tasks: Sequence[Task],
        services: Mapping[type, object],
        clock: Clock,
        options: WorkerOptions = _DEFAULTS,
    ) -> None:
        """Wire *tasks* to the *services* they need; *clock* tells the engine's time.

        Raises:
            BadSettings: a service is missing, or two tasks answer one task type.
        """
        stub = cast("GatewayAsyncStub", GatewayStub(channel))
        self._pulse = Pulse()
        self._attempts = Attempts(options.attempts_dir)
        self._options = options
        self._is_draining = False
        self._intakes: list[asyncio.Task[None]] = []
        self._workers: dict[str, TaskWorker] = {}
        for task in tasks:
            if task.task_type in self._workers:
                raise BadSettings("TASK_TYPE_TWICE", f"{task.task_type!r} was given to the worker twice")
            self._workers[task.task_type] = TaskWorker(
                stub,
                task,
                _needed(task, services),
                clock=clock,
                options=options,
                pulse=self._pulse,
                attempts=self._attempts,
            )

    @property
    def counters(self) -> Mapping[str, Counters]:
        """What was done so far, by task type."""
        return {task_type: worker.counters for task_type, worker in self._workers.items()}

    @property
    def silence_s(self) -> float:
        """Seconds since the gateway was last heard of; grows past the poll time when it is away or we are stuck."""
        return self._pulse.silence_s

    @property
    def stillness_s(self) -> float:
        """Seconds since a call to the gateway last ended, in whatever way; grows if our own loops no longer turn."""
        return self._pulse.stillness_s

    @property
    def is_listening(self) -> bool:
        """Whether no loop that takes jobs in has broken off; one that this gateway does not offer may have ended."""
        return not any(intake.done() and (intake.cancelled() or intake.exception()) for intake in self._intakes)

    @property
    def is_draining(self) -> bool:
        """Whether a stop was asked for, so that no job is started any more."""
        return self._is_draining

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop* is set, then drain: start nothing, hand back what waits, finish what runs.

        Raises:
            BadSettings: ATTEMPTS_DIR_UNUSABLE.
        """
        self._attempts.open()
        self._intakes = intakes = [
            asyncio.create_task(_for_ever(intake, worker.task.task_type, self._options))
            for worker in self._workers.values()
            for intake in worker.intakes
        ]
        _log.info("worker started", task_types=sorted(self._workers))
        try:
            await stop.wait()
            await self._drain(intakes)
        finally:
            await _cancel(intakes)
            abandoned = sum(await asyncio.gather(*(worker.abandon() for worker in self._workers.values())))
            self._attempts.close()
            _log.info("worker stopped", abandoned=abandoned)

    async def _drain(self, intakes: list[asyncio.Task[None]]) -> None:
        self._is_draining = True
        _log.info("worker drains", in_flight=sum(counters.in_flight for counters in self.counters.values()))
        for worker in self._workers.values():
            worker.stop_starting()
        await _cancel(intakes)
        try:
            async with asyncio.timeout(self._options.drain_s):
                await asyncio.gather(*(worker.settle() for worker in self._workers.values()))
        except TimeoutError:
            _log.warning("drain took too long", drain_s=self._options.drain_s)


def _needed(task: Task, services: Mapping[type, object]) -> dict[str, object]:
    for needed in task.needs.values():
        if needed not in services:
            raise BadSettings(
                "SERVICE_MISSING", f"task {task.task_type!r} needs a {needed.__name__}: nothing provides it"
            )
    return {name: services[needed] for name, needed in task.needs.items()}


async def _for_ever(intake: Callable[[], Coroutine[Any, Any, None]], task_type: str, options: WorkerOptions) -> None:
    trouble = options.backoff()
    while True:
        try:
            await intake()
        except Exception as error:  # noqa: BLE001 - a mistake of ours must not make the worker deaf
            _log.error("intake failed", task_type=task_type, exc_info=error)
        else:
            return
        await asyncio.sleep(trouble.next_s())


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
