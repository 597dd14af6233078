"""End process instances that nobody needs any more: those of tests and simulations."""

from collections.abc import Iterable
from typing import Any

import grpc
from pyzeebe.proto.gateway_pb2 import CancelProcessInstanceRequest
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

_TIMEOUT_S = 10.0


async def cancel_instances(channel: grpc.aio.Channel, keys: Iterable[int]) -> None:
    """Cancel those of *keys* that still run; what they called ends with them."""
    stub: Any = GatewayStub(channel)
    for key in keys:
        try:
            request = CancelProcessInstanceRequest(processInstanceKey=key)
            await stub.CancelProcessInstance(request, timeout=_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            # Ended meanwhile; or INVALID_ARGUMENT: one that another called, which ends with that.
            if error.code() not in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT}:
                raise
