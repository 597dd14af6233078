"""Spans of one journey, joined without anything passed through the engine: its enrolment's id makes the trace's id.

Nothing is exported, and nearly nothing is done, unless the process has set a tracer (see `waggle.telemetry`).
"""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
    use_span,
)

from waggle.engine.variables import checked_id
from waggle.errors import PermanentFailure, WaggleError
from waggle.ports.journey_engine import EngineMessage

TRACER: ContextVar[Tracer | None] = ContextVar("tracer", default=None)
"""Set where a part begins to run; every asyncio task that it starts inherits it."""

ROOT: ContextVar[SpanContext | None] = ContextVar("root", default=None)
"""The ids that the span being started must have, if it is the first of a journey."""


class JourneySpan:
    """One step of a journey; ended when its context is left."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._current: AbstractContextManager[Span] | None = None

    def __enter__(self) -> Self:
        self._current = use_span(self._span, record_exception=False, set_status_on_exception=False)
        self._current.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            # Its text may quote a person.
            self._span.add_event("exception", {"exception.type": kind.__name__})
            code = error.code if isinstance(error, WaggleError) else kind.__name__
            self._span.set_status(Status(StatusCode.ERROR, code))
        if self._current is not None:
            self._current.__exit__(None, None, None)
        self._span.end()

    def ended(self, outcome: str, code: str | None = None) -> None:
        """Note what came of it; a *code* that is no failure, such as a BPMN error's, is noted as well."""
        self._span.set_attribute("waggle.outcome", outcome)
        if code is not None:
            self._span.set_attribute("waggle.code", code)

    def failed(self, outcome: str, code: str) -> None:
        """Note what came of it, and that somebody should look."""
        self.ended(outcome, code)
        self._span.set_status(Status(StatusCode.ERROR, code))


class _NoSpan(JourneySpan):
    """Stands in while nothing is traced; one serves all."""

    def __init__(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def ended(self, outcome: str, code: str | None = None) -> None:
        pass

    def failed(self, outcome: str, code: str) -> None:
        pass


NO_SPAN = _NoSpan()


def journey_root(key: str) -> SpanContext:
    """Return trace and span id of the first span of the journey that *key* names: the same wherever it is asked."""
    digest = hashlib.sha256(key.encode()).digest()
    return SpanContext(
        trace_id=int.from_bytes(digest[:16]),
        span_id=int.from_bytes(digest[16:24]),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def below(root: SpanContext) -> Context:
    """Return the context in which a new span is a child of *root*."""
    return set_span_in_context(NonRecordingSpan(root), Context())


def safe_id(value: str) -> str:
    """Return *value*, or a dash where it may be more than an opaque id."""
    try:
        return checked_id("id", value)
    except PermanentFailure:
        return "-"


def publish_span(message: EngineMessage) -> JourneySpan:
    """Return the span of a publication; that of the message which starts a journey is the first of the trace."""
    tracer = TRACER.get()
    if tracer is None:
        return NO_SPAN
    root = journey_root(message.enrolment_id)
    is_start = message.message_id == message.enrolment_id
    attributes = {"waggle.enrolment_id": safe_id(message.enrolment_id), "waggle.engine_message": message.name}
    name = f"publish {message.name}"
    if not is_start:
        return JourneySpan(tracer.start_span(name, below(root), SpanKind.PRODUCER, attributes))
    with _numbered(root):
        return JourneySpan(tracer.start_span(name, Context(), SpanKind.PRODUCER, attributes))


@contextmanager
def _numbered(root: SpanContext) -> Iterator[None]:
    token = ROOT.set(root)
    try:
        yield
    finally:
        ROOT.reset(token)
