"""What stands between Waggle and its ports and tells `CrashPoints` of every boundary that is crossed.

Names are made, not given: `<part>.<class>.<function of the work>.{before,inside,after}` for a transaction,
`<part>.[<task type>.]<rpc>.{before,after}` for a command to the engine, `<part>.<task type>.received` for a job,
`<part>.EmailSender.{before,connected,handed_over,answered}` for a mail and `<part>.<route>.answer.{before,after}`.
"""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Self, TypeVar

from waggle.ports.email import Email, EmailSender
from waggle.ports.unit_of_work import Transaction
from waggle.storage.store import Store
from waggle.testing.chaos.crash_points import CrashPoints

T = TypeVar("T")

Reach = Callable[[str], None]
Work = Callable[[Transaction], T]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


def reach_of(points: CrashPoints, part: str) -> Reach:
    """Return what reports the points of one *part* of Waggle."""
    return lambda point: points.reach(f"{part}.{point}")


def name_of(work: Callable[..., object]) -> str:
    """Return the class and the function that *work* is, for example `Sending.claim`; a lambda is called as its place.

    Of functions outside classes the module's name stands for the class.
    """
    work = inspect.unwrap(work)
    if isinstance(work, partial):
        return name_of(work.func)
    kind = type(work)
    qualname: str = getattr(work, "__qualname__", kind.__qualname__)
    names = [name.strip("_") for name in qualname.split(".") if name not in {"<locals>", "<lambda>"}]
    if not names[0][:1].isupper():
        names.insert(0, str(getattr(work, "__module__", kind.__module__)).rpartition(".")[2].strip("_"))
    return f"{names[0]}.{names[-1]}"


class ProbedStore:
    """A store with points before, inside and after each transaction that may write.

    `inside`: the work has run and nothing is committed. A read leaves nothing to be found half done and has none, nor
    has, once it has run, a work that says by a plain 0 that there was nothing to do: a relay's turn with no event.
    """

    def __init__(self, store: Store, reach: Reach) -> None:
        self._store = store
        self._reach = reach

    async def run(self, work: Work[T]) -> T:
        """Run *work* as the store does."""
        name = name_of(work)

        def probed(tx: Transaction) -> T:
            result = work(tx)
            if not _is_nothing(result):
                self._reach(f"{name}.inside")
            return result

        self._reach(f"{name}.before")
        result = await self._store.run(probed)
        if not _is_nothing(result):
            self._reach(f"{name}.after")
        return result

    async def read(self, work: Work[T]) -> T:
        """Run *work* as the store does."""
        return await self._store.read(work)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever else a store can do
        return getattr(self._store, name)


def _is_nothing(result: object) -> bool:
    return type(result) is int and result == 0


class ProbedSender:
    """A sender of e-mail with a point on each side of the hand-over."""

    def __init__(self, sender: EmailSender, reach: Reach) -> None:
        self._sender = sender
        self._reach = reach

    async def send(self, email: Email, *, before_data: Callable[[], Awaitable[None]]) -> str:
        """Send *email* as the sender does."""

        async def probed() -> None:
            self._reach("EmailSender.connected")
            await before_data()
            self._reach("EmailSender.handed_over")

        self._reach("EmailSender.before")
        answer = await self._sender.send(email, before_data=probed)
        self._reach("EmailSender.answered")
        return answer

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever else a sender can do
        return getattr(self._sender, name)


class ProbedChannel:
    """A channel to the engine with points around each command, and one where a job has come and nothing is done.

    Commands that end a job are named after its task type as well.
    """

    def __init__(self, channel: Any, reach: Reach) -> None:  # noqa: ANN401 -- untyped library
        self._channel = channel
        self._reach = reach
        # Of every job that came: none is forgotten, since its outcome may be told again, and no process here grows old.
        self._task_types: dict[int, str] = {}

    def unary_unary(self, method: str, *settings: object, **named: object) -> Callable[..., Awaitable[Any]]:
        """Return a command; called by generated code."""
        inner = self._channel.unary_unary(method, *settings, **named)
        rpc = method.rpartition("/")[2]

        async def call(request: Any, *given: object, **options: object) -> Any:  # noqa: ANN401 -- untyped library
            name = f"{self._task_types[request.jobKey]}.{rpc}" if rpc in _LAST_WORDS else rpc
            self._reach(f"{name}.before")
            answer = await inner(request, *given, **options)
            self._reach(f"{name}.after")
            return answer

        return call

    def unary_stream(self, method: str, *settings: object, **named: object) -> Callable[..., "_ProbedStream"]:
        """Return a call with many answers; called by generated code."""
        inner = self._channel.unary_stream(method, *settings, **named)

        def call(*given: object, **options: object) -> _ProbedStream:
            return _ProbedStream(inner(*given, **options), self._received)

        return call

    async def __aenter__(self) -> Self:
        await self._channel.__aenter__()
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._channel.__aexit__(*failure)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever else a channel can do
        return getattr(self._channel, name)

    def _received(self, answer: Any) -> None:  # noqa: ANN401 -- untyped library
        for job in getattr(answer, "jobs", [answer]):
            if hasattr(job, "deadline"):
                self._task_types[job.key] = job.type
                self._reach(f"{job.type}.received")


_LAST_WORDS = frozenset({"CompleteJob", "FailJob", "ThrowError"})


class _ProbedStream:
    """Tells of each answer before whoever asked has it."""

    def __init__(self, call: Any, received: Callable[[Any], None]) -> None:  # noqa: ANN401 -- untyped library
        self._call = call
        self._received = received

    async def read(self) -> Any:  # noqa: ANN401 -- untyped library
        answer = await self._call.read()
        self._received(answer)
        return answer

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for answer in self._call:
            self._received(answer)
            yield answer

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever else a call can do
        return getattr(self._call, name)


class ProbedApi:
    """An ASGI application with points right before the first and after the last byte of each answer."""

    def __init__(self, application: Asgi, reach: Reach) -> None:
        self._application = application
        self._reach = reach

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 -- ASGI's own
        """Serve one request as the application does."""

        async def probed(event: Any) -> None:  # noqa: ANN401 -- ASGI's own
            # The framework notes here which route answers; the path itself may hold the token of a person.
            route = getattr(getattr(scope.get("route_handler"), "fn", None), "__name__", "unrouted")
            if event["type"] == "http.response.start":
                self._reach(f"{route}.answer.before")
            await send(event)
            if event["type"] == "http.response.body" and not event.get("more_body"):
                self._reach(f"{route}.answer.after")

        await self._application(scope, receive, probed if scope["type"] == "http" else send)
