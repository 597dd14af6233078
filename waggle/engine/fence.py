"""Wait until everything that the engine has done so far was seen in its records."""

from typing import Any, Final

import grpc
from pyzeebe.proto.gateway_pb2 import CreateProcessInstanceRequest, DeployResourceRequest, Resource
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.engine.records import RecordStream
from waggle.errors import TemporaryFailure

PROCESS_ID: Final = "waggle-fence"

# An exporter that found nobody listening waits longer and longer before it tries again.
_TIMEOUT_S: Final = 90.0
_DIAGRAM: Final = f"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" targetNamespace="waggle">
  <bpmn:process id="{PROCESS_ID}" isExecutable="true"><bpmn:startEvent id="Event_Reached" /></bpmn:process>
</bpmn:definitions>
"""


class Fence:
    """Sends a process through an engine of one partition that begins and ends at once.

    The records come in the order of the log, so what was done before that process is seen before it.
    """

    def __init__(self, channel: grpc.aio.Channel, records: RecordStream) -> None:
        self._stub: Any = GatewayStub(channel)
        self._records = records
        self._is_deployed = False

    async def passed(self) -> None:
        """Return once the records hold all that the engine did before the call.

        Raises:
            TemporaryFailure: RECORDS_LATE.
        """
        try:
            if not self._is_deployed:
                resource = Resource(name=f"{PROCESS_ID}.bpmn", content=_DIAGRAM.encode())
                await self._stub.DeployResource(DeployResourceRequest(resources=[resource]), timeout=_TIMEOUT_S)
                self._is_deployed = True
            request = CreateProcessInstanceRequest(bpmnProcessId=PROCESS_ID, version=-1)
            created = await self._stub.CreateProcessInstance(request, timeout=_TIMEOUT_S)
            key = int(created.processInstanceKey)
            await self._records.wait_until(
                lambda ledger: key in ledger.instances and key not in ledger.open_instances, _TIMEOUT_S
            )
        except (grpc.aio.AioRpcError, TimeoutError) as error:
            raise TemporaryFailure("RECORDS_LATE", "the engine's records do not arrive") from error
