"""Spans of jobs and publications, as a collector gets them."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from pyzeebe.proto import gateway_pb2 as pb
from structlog.testing import capture_logs

from tests.collector import Collector, attributes
from tests.engine.worker.notes import Note, Noted
from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.client import ZeebeClient
from waggle.engine.tracing import NO_SPAN, publish_span
from waggle.engine.worker.tracing import job_span
from waggle.errors import BadSettings, TemporaryFailure
from waggle.ports.journey_engine import EngineMessage
from waggle.task import task
from waggle.telemetry import traced
from waggle.testing.bench import working
from waggle.testing.gateway import FakeGateway

pytestmark = pytest.mark.anyio

START = EngineMessage("cart-updated", "enr-1", "enr-1", 600)
EXIT = EngineMessage("order-placed", "enr-1", "evt-9-enr-1", 600)
JOB = pb.ActivatedJob(
    key=7, type="send-message", processInstanceKey=42, bpmnProcessId="abandoned-cart", elementId="Task_Send", retries=3
)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector.serving() as collector:
        yield collector


async def test_the_spans_of_one_enrolment_are_one_trace_below_the_message_that_started_it(collector: Collector) -> None:
    async with FakeGateway.serving() as gateway:
        async with traced("waggle-relay", collector.url), connect(GatewayAddress(gateway.address)) as channel:
            engine = ZeebeClient(channel, frozenset())
            await engine.publish(START)
            await engine.publish(EXIT)
        # Other processes: nothing but the enrolment's id joins them.
        async with traced("waggle-worker", f"{collector.url}/v1/traces/"):
            for task_type in ("read-cart", "send-message"):
                with job_span(task_type, JOB, "enr-1") as span:
                    span.ended("completed")
            with job_span("read-cart", JOB, "enr-2") as span:
                span.ended("completed")

    assert collector.paths == {"/v1/traces"}
    assert collector.services == {"waggle-relay", "waggle-worker"}
    root = collector.named("publish cart-updated")
    assert root.parent_span_id == b""
    family = [span for span in collector.spans if span.trace_id == root.trace_id and span is not root]
    assert sorted(span.name for span in family) == ["publish order-placed", "read-cart", "send-message"]
    assert {span.parent_span_id for span in family} == {root.span_id}
    assert len({span.span_id for span in collector.spans}) == len(collector.spans) == 5


async def test_a_span_says_which_job_it_was_and_what_came_of_it(collector: Collector) -> None:
    async with traced("waggle-worker", collector.url):
        with job_span("send-message", JOB, "enr-1") as span:
            span.ended("thrown", "NO_COUPON_LEFT")

    span_sent = collector.named("send-message")
    assert attributes(span_sent) == {
        "waggle.enrolment_id": "enr-1",
        "waggle.task_type": "send-message",
        "waggle.outcome": "thrown",
        "waggle.code": "NO_COUPON_LEFT",
        "zeebe.job_key": 7,
        "zeebe.retries": 3,
        "zeebe.process_instance_key": 42,
        "zeebe.element_id": "Task_Send",
        "zeebe.process_id": "abandoned-cart",
    }
    assert span_sent.status.code == Status.STATUS_CODE_UNSET


async def test_a_failure_is_an_error_of_the_span_and_quotes_nobody(collector: Collector) -> None:
    personal = "jane.doe@example.com"
    async with traced("waggle-worker", collector.url):
        with job_span("send-message", JOB, personal) as span:
            span.failed("failed", "SMTP_DOWN")
        with pytest.raises(ValueError, match=personal), job_span("read-cart", JOB, "enr-1"):
            raise ValueError(personal)

    failed, broken = collector.named("send-message"), collector.named("read-cart")
    assert (failed.status.code, failed.status.message) == (Status.STATUS_CODE_ERROR, "SMTP_DOWN")
    assert (broken.status.code, broken.status.message) == (Status.STATUS_CODE_ERROR, "ValueError")
    assert [event.attributes[0].value.string_value for event in broken.events] == ["ValueError"]
    assert attributes(failed)["waggle.enrolment_id"] == "-"
    assert personal not in str(collector.requests)


@task("lose-count")
async def lose_count(note: Note) -> Noted:
    raise ArithmeticError(f"no number for jane.doe@example.com, {note}")


async def test_a_fault_in_a_handler_is_named_by_its_type(collector: Collector) -> None:
    async with (
        FakeGateway.serving() as gateway,
        traced("waggle-worker", collector.url),
        working(gateway, lose_count),
    ):
        job = await gateway.add_job("lose-count", enrolment_id="enr-7")
        await gateway.until(lambda: job.state == "waiting")

    span = collector.named("lose-count")
    assert attributes(span)["waggle.outcome"] == "failed"
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "UNEXPECTED")
    assert [event.attributes[0].value.string_value for event in span.events] == ["ArithmeticError"]
    assert "jane" not in str(collector.requests)


async def test_a_publication_that_failed_is_an_error(collector: Collector) -> None:
    async with FakeGateway.serving() as gateway, connect(GatewayAddress(gateway.address)) as channel:
        await gateway.stop()
        async with traced("waggle-relay", collector.url):
            with pytest.raises(TemporaryFailure):
                await ZeebeClient(channel, frozenset()).publish(EXIT)

    assert collector.named("publish order-placed").status.message == "ENGINE_UNREACHABLE"


async def test_without_an_endpoint_nothing_is_made() -> None:
    async with traced("waggle-worker", ""):
        assert job_span("send-message", JOB, "enr-1") is NO_SPAN
        assert publish_span(START) is NO_SPAN
        with NO_SPAN as span:
            span.ended("completed")
            span.failed("failed", "CODE")


async def test_spans_outlive_neither_their_context_nor_their_part(collector: Collector) -> None:
    async with traced("waggle-worker", collector.url):
        pass

    assert job_span("send-message", JOB, "enr-1") is NO_SPAN


async def test_a_collector_that_is_away_is_said_once_and_holds_up_no_stop() -> None:
    with capture_logs() as logs:
        async with asyncio.timeout(30), traced("waggle-worker", "http://127.0.0.1:1"):
            for _ in range(2000):
                with job_span("send-message", JOB, "enr-1") as span:
                    span.ended("completed")

    assert [line["event"] for line in logs] == ["spans are lost, the collector does not take them"]


async def test_a_collector_that_never_answers_holds_up_no_stop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf, capture_logs() as logs:
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with asyncio.timeout(30), traced("waggle-worker", endpoint):
            with job_span("send-message", JOB, "enr-1") as span:
                span.ended("completed")

    assert "spans are lost" in logs[0]["event"]


@pytest.mark.parametrize("endpoint", ["collector:4318", "grpc://collector:4317", "http://"])
async def test_an_endpoint_that_is_no_address_is_a_wrong_setting(endpoint: str) -> None:
    with pytest.raises(BadSettings, match=r"SETTING_WRONG: telemetry\.otlp_endpoint"):
        async with traced("waggle-worker", endpoint):
            pass
