"""`POST /v1/events`: the one door in, over HTTP."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from litestar import MediaType, Request, Response, Router, post

from waggle.api.body import MAX_BODY_BYTES, events_in
from waggle.api.problem import KINDS, ProblemError, problem_response, problem_uri
from waggle.domain.event import Receipt
from waggle.services.intake import Intake


class WriteKeys(Protocol):
    """Knows which source a write key belongs to."""

    async def source_of(self, key: str) -> str | None:
        """Return the source of *key*, or None if nobody was given it."""
        ...


def event_routes(intake: Intake, write_keys: WriteKeys, tell: Callable[[Sequence[Receipt]], None]) -> Router:
    """Return the route by which sources send events; *tell* hears what became of them."""

    @post(
        "/v1/events",
        request_max_body_size=MAX_BODY_BYTES,
        media_type=MediaType.JSON,
        status_code=202,
    )
    async def receive(request: Request[Any, Any, Any]) -> Response[bytes]:
        # First of all: who has no key is told so before a byte of the body is read.
        source = await _source(request, write_keys)
        is_batch, items = await events_in(request)
        receipts = await intake.accept(source, items)
        tell(receipts)
        return _batch_answer(receipts) if is_batch else _single_answer(receipts[0])

    return Router("/", route_handlers=[receive])


async def _source(request: Request[Any, Any, Any], write_keys: WriteKeys) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise ProblemError("WRITE_KEY_MISSING", headers={"WWW-Authenticate": 'Bearer realm="waggle"'})
    source = await write_keys.source_of(key.strip())
    if source is None:
        raise ProblemError(
            "WRITE_KEY_UNKNOWN", headers={"WWW-Authenticate": 'Bearer realm="waggle", error="invalid_token"'}
        )
    return source


def _single_answer(receipt: Receipt) -> Response[bytes]:
    if receipt.problem is not None:
        problem = receipt.problem
        return problem_response(problem.code, "/v1/events", detail=problem.detail, where=problem.where)
    return _json(_receipt(receipt), 202 if receipt.status == "accepted" else 200)


def _batch_answer(receipts: list[Receipt]) -> Response[bytes]:
    return _json({"results": [_receipt(receipt) for receipt in receipts]}, 202)


def _receipt(receipt: Receipt) -> dict[str, object]:
    answer: dict[str, object] = {"id": receipt.id, "status": receipt.status}
    problem = receipt.problem
    if problem is not None:
        answer["problem"] = {
            "type": problem_uri(problem.code),
            "title": KINDS[problem.code].title,
            "code": problem.code,
            "where": problem.where,
            "detail": problem.detail,
        }
    return answer


def _json(body: object, status_code: int) -> Response[bytes]:
    return Response(
        msgspec.json.encode(body),
        status_code=status_code,
        media_type=MediaType.JSON,
        headers={"Cache-Control": "no-store"},
    )
