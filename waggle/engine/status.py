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

TOKEN_REFUSED: Final = "WAGGLE_TOKEN_REFUSED"  # noqa: S105 - not a token, but a word about one
"""Stands in the details of a call for which the token server gave no token: our credentials are wrong."""

TOKEN_AWAY: Final = "WAGGLE_TOKEN_AWAY"  # noqa: S105 - the same
"""The same, but it did not answer."""

_TOO_LARGE = ("exceeds maximum size", "EXCEEDED_BATCH_RECORD_SIZE")


def is_too_large(error: grpc.aio.AioRpcError) -> bool:
    """Say whether the request was too large: it comes under the codes of passing trouble and never passes."""
    details = error.details() or ""
    return any(sign in details for sign in _TOO_LARGE)


def is_no_entry(error: grpc.aio.AioRpcError) -> bool:
    """Say whether our credentials were refused, by the gateway or by the server that gives tokens for it."""
    # gRPC shows a call that got no token as one whose server is away.
    return error.code() in NO_ENTRY or TOKEN_REFUSED in (error.details() or "")
