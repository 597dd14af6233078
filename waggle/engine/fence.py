"""Wait until everything that the engine has done so far was seen in its records."""

import asyncio
from typing import Any, Final

import grpc
from pyzeebe.proto.gateway_pb2 import CreateProcessInstanceRequest, DeployResourceRequest, Resource
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.engine.records import FENCE, RecordStream
from waggle.engine.status import BUSY, UNREACHABLE
from waggle.errors import TemporaryFailure

# An exporter that found nobody listening waits longer and longer before it tries again.
_TIMEOUT_S: Final = 90.0
_AGAIN_S: Final = 0.2
# Of an event that passes at once: four of its own, one of the flow that leads on.
_RECORDS_PER_EVENT: Final = 5


class Fence:
    """Sends a process through an engine of one partition that begins and ends at once.

    The records come in the order of the log, so what was done before that process is seen before it.
    """

    def __init__(self, channel: grpc.aio.Channel, records: RecordStream, together: int = 1) -> None:
        """*together* is how many records the engine collects before it sends them, as `EngineOptions` say."""
        self._stub: Any = GatewayStub(channel)
        self._records = records
        self._together = together
        self._is_deployed = False

    @property
    def hurries(self) -> bool:
        """Whether the engine holds records back for a while that a fence brings at once."""
        return self._together > 1

    async def passed(self) -> None:
        """Return once the records hold all that the engine did before the call.

        Raises:
            TemporaryFailure: RECORDS_LATE.
        """
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                key = await self._sent()
                await self._records.wait_until(lambda ledger: ledger.fenced >= key, _TIMEOUT_S)
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            raise TemporaryFailure("RECORDS_LATE", "the engine's records do not arrive") from error

    async def _sent(self) -> int:
        """Return the key of a process that was sent; an engine that has too much to do is asked again."""
        while True:
            try:
                if not self._is_deployed:
                    resource = Resource(name=f"{FENCE}.bpmn", content=_diagram(self._together).encode())
                    await self._stub.DeployResource(DeployResourceRequest(resources=[resource]), timeout=_TIMEOUT_S)
                    self._is_deployed = True
                request = CreateProcessInstanceRequest(bpmnProcessId=FENCE, version=-1)
                created = await self._stub.CreateProcessInstance(request, timeout=_TIMEOUT_S)
                return int(created.processInstanceKey)
            except grpc.aio.AioRpcError as error:
                if error.code() not in BUSY | UNREACHABLE:
                    raise
            await asyncio.sleep(_AGAIN_S)


def _diagram(together: int) -> str:
    """Return a process whose first event is followed by so many records that those up to it are sent."""
    further = -(-together // _RECORDS_PER_EVENT) if together > 1 else 0
    events = "".join(f'<bpmn:intermediateThrowEvent id="Event_{number}" />' for number in range(1, further + 1))
    flows = "".join(
        f'<bpmn:sequenceFlow id="Flow_{number}" sourceRef="Event_{number - 1}" targetRef="Event_{number}" />'
        for number in range(1, further + 1)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="waggle">
  <bpmn:process id="{FENCE}" isExecutable="true"><bpmn:startEvent id="Event_0" />{events}{flows}</bpmn:process>
</bpmn:definitions>
"""
