"""What a gRPC status of the gateway means for us."""

from typing import Final

import grpc

UNREACHABLE: Final = frozenset(
    {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
)
"""Nobody answered, or not in time. The command may have been done."""

BUSY: Final = frozenset({grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED})
"""The engine holds us back. Not done."""

NO_ENTRY: Final = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})
"""Our credentials were refused; somebody can mend that while we run."""

_TOO_LARGE = ("exceeds maximum size", "EXCEEDED_BATCH_RECORD_SIZE")


def is_too_large(error: grpc.aio.AioRpcError) -> bool:
    """Say whether the request was too large: it comes under the codes of passing trouble and never passes."""
    details = error.details() or ""
    return any(sign in details for sign in _TOO_LARGE)
