"""Spans, sent to a collector by OTLP over HTTP while a part runs; whatever the collector does, no job waits for it."""

import asyncio
import logging
import os
import platform
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import requests
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from waggle.domain.loopback import is_loopback
from waggle.engine.tracing import ROOT, TRACER
from waggle.errors import BadSettings
from waggle.log import get_logger

_log = get_logger(__name__)

_EXPORT_WITHIN_S = 3.0
_FLUSH_WITHIN_S = 2.0
"""After the drain; what the collector has not taken by then is lost."""

_PATH = "/v1/traces"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@asynccontextmanager
async def traced(service: str, otlp_endpoint: str, *, allow_plaintext: bool = False) -> AsyncIterator[None]:
    """Export the spans of everything started in the context, as *service*; without an endpoint nothing is done.

    Raises:
        BadSettings: SETTING_WRONG, if the endpoint is no HTTP address.
    """
    if not otlp_endpoint:
        yield
        return
    exporter = _PatientExporter(_exporter(otlp_endpoint, allow_plaintext=allow_plaintext), otlp_endpoint)
    # Its lines come once for each batch that fails; ours come once for each trouble.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: service, SERVICE_INSTANCE_ID: f"{platform.node()}-{os.getpid()}"}),
        id_generator=_JourneyIds(),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    token = TRACER.set(provider.get_tracer("waggle"))
    try:
        yield
    finally:
        TRACER.reset(token)
        await _end(provider, exporter)


class _JourneyIds(RandomIdGenerator):
    """Gives the first span of a journey the ids that all others name as their parent's."""

    def generate_trace_id(self) -> int:
        root = ROOT.get()
        return super().generate_trace_id() if root is None else root.trace_id

    def generate_span_id(self) -> int:
        root = ROOT.get()
        return super().generate_span_id() if root is None else root.span_id


class _PatientExporter(SpanExporter):
    """Says once that the collector is away, and once that it is back. Called by one thread of the library's."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._endpoint = urlsplit(endpoint).netloc
        self._lost = 0
        self._until_s: float | None = None

    def give_up(self) -> None:
        """Say that the end came before the collector had everything."""
        self._lose(1)

    def end_by(self, until_s: float) -> None:
        """Send nothing after *until_s*, as time.monotonic() counts."""
        self._until_s = until_s

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self._until_s is not None and time.monotonic() > self._until_s:
            return SpanExportResult.FAILURE
        result = self._exporter.export(spans)
        if result is SpanExportResult.FAILURE:
            self._lose(len(spans))
        elif self._lost:
            _log.info("collector takes spans again", endpoint=self._endpoint, lost=self._lost)
            self._lost = 0
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def _lose(self, count: int) -> None:
        if not self._lost:
            _log.warning("spans are lost, the collector does not take them", endpoint=self._endpoint)
        self._lost += count


def _exporter(otlp_endpoint: str, *, allow_plaintext: bool) -> OTLPSpanExporter:
    parts = urlsplit(otlp_endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadSettings(
            "SETTING_WRONG",
            f"telemetry.otlp_endpoint: {otlp_endpoint!r} is no address such as http://127.0.0.1:4318",
        )
    if parts.scheme == "http" and not allow_plaintext and not is_loopback(parts.hostname):
        raise BadSettings(
            "PLAINTEXT_REFUSED",
            "telemetry.otlp_endpoint is another machine: begin it with https://, or set allow_plaintext = true",
        )
    session = requests.Session()
    # A proxy set for the machine cannot reach the machine's own loopback.
    session.trust_env = parts.hostname not in _LOOPBACK
    base = otlp_endpoint.rstrip("/").removesuffix(_PATH)
    return OTLPSpanExporter(f"{base}{_PATH}", timeout=_EXPORT_WITHIN_S, session=session)


async def _end(provider: TracerProvider, exporter: _PatientExporter) -> None:
    """Send what is left, but not for longer than `_FLUSH_WITHIN_S`."""
    exporter.end_by(time.monotonic() + _FLUSH_WITHIN_S)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def flush() -> None:
        provider.shutdown()
        # The loop may be closed by then: nobody waits any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)

    # A thread that nobody waits for at the process's end, unlike those of asyncio.
    threading.Thread(target=flush, name="flush-spans", daemon=True).start()
    try:
        async with asyncio.timeout(_FLUSH_WITHIN_S + 0.5):
            await ended.wait()
    except TimeoutError:
        exporter.give_up()
