"""A fence before a gateway that is busy at first, and a stream that gets the fence's records."""

from collections.abc import AsyncIterator, Iterator
from typing import TypeAlias
from xml.etree import ElementTree as ET

import grpc
import msgspec
import pytest
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayServicer, add_GatewayServicer_to_server

from waggle.engine.fence import Fence
from waggle.engine.records import RecordStream
from waggle.errors import TemporaryFailure

pytestmark = pytest.mark.anyio

Context: TypeAlias = grpc.aio.ServicerContext

MODEL = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"


class Gateway(GatewayServicer):
    """Begins a process and tells of it."""

    def __init__(self, records: RecordStream) -> None:
        self._records = records
        self.address = ""
        self.refusals: list[grpc.StatusCode] = []
        self.diagram = b""
        self.begun = 100

    async def DeployResource(self, request: pb.DeployResourceRequest, context: Context) -> pb.DeployResourceResponse:  # noqa: N802 -- the service's word
        await self._refuse(context)
        self.diagram = request.resources[0].content
        return pb.DeployResourceResponse()

    async def CreateProcessInstance(  # noqa: N802 -- the same
        self, request: pb.CreateProcessInstanceRequest, context: Context
    ) -> pb.CreateProcessInstanceResponse:
        await self._refuse(context)
        self.begun += 1
        self._records._take(bulk(self.begun, request.bpmnProcessId))
        return pb.CreateProcessInstanceResponse(processInstanceKey=self.begun)

    async def _refuse(self, context: Context) -> None:
        if self.refusals:
            await context.abort(self.refusals.pop(0))


def bulk(instance: int, process_id: str) -> bytes:
    value = {
        "bpmnProcessId": process_id,
        "version": 1,
        "processDefinitionKey": 1,
        "processInstanceKey": instance,
        "elementId": "Event_0",
        "bpmnElementType": "START_EVENT",
        "flowScopeKey": instance,
        "parentProcessInstanceKey": -1,
    }
    record = {
        "partitionId": 1,
        "position": instance,
        "key": instance,
        "timestamp": 0,
        "valueType": "PROCESS_INSTANCE",
        "intent": "ELEMENT_COMPLETED",
        "value": value,
    }
    return b"{}\n" + msgspec.json.encode(record) + b"\n"


@pytest.fixture
def records() -> Iterator[RecordStream]:
    with RecordStream() as stream:
        yield stream


@pytest.fixture
async def gateway(records: RecordStream) -> AsyncIterator[Gateway]:
    server, gateway = grpc.aio.server(), Gateway(records)  # type: ignore[abstract]
    add_GatewayServicer_to_server(gateway, server)
    gateway.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    yield gateway
    await server.stop(None)


async def test_what_was_done_before_it_is_seen_and_of_itself_nothing_is_kept(
    gateway: Gateway, records: RecordStream
) -> None:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        await Fence(channel, records).passed()

    with records.ledger() as ledger:
        assert (ledger.fenced, ledger.instances) == (101, {})


async def test_an_engine_that_is_busy_is_asked_again(gateway: Gateway, records: RecordStream) -> None:
    gateway.refusals = [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE]

    async with grpc.aio.insecure_channel(gateway.address) as channel:
        await Fence(channel, records).passed()

    assert gateway.begun == 101


async def test_one_that_cannot_be_sent_is_said_to_be_late(gateway: Gateway, records: RecordStream) -> None:
    gateway.refusals = [grpc.StatusCode.INVALID_ARGUMENT]

    async with grpc.aio.insecure_channel(gateway.address) as channel:
        with pytest.raises(TemporaryFailure) as failure:
            await Fence(channel, records).passed()

    assert failure.value.code == "RECORDS_LATE"


@pytest.mark.parametrize("together", [1, 2, 32, 33])
async def test_enough_follows_its_first_event_for_the_engine_to_send_what_it_collected(
    gateway: Gateway, records: RecordStream, together: int
) -> None:
    async with grpc.aio.insecure_channel(gateway.address) as channel:
        fence = Fence(channel, records, together)
        await fence.passed()

    root = ET.fromstring(gateway.diagram)  # noqa: S314 -- our own
    # Each makes four records, and its flow one.
    further = 5 * len(root.findall(f".//{MODEL}intermediateThrowEvent"))
    assert fence.hurries == (together > 1)
    assert further == 0 if together == 1 else further >= together
