"""`POST /v1/events`: the one door in, over HTTP."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import MediaType, Request, Response, Router, post

from waggle.api.access import Access, require
from waggle.api.body import MAX_BODY_BYTES, events_in, media_type_of
from waggle.api.limits import Limits
from waggle.api.origins import Origins
from waggle.api.problem import KINDS, ProblemError, problem_response, problem_uri
from waggle.domain.event import Receipt
from waggle.domain.role import BROWSER_TYPES
from waggle.services.access import Principal
from waggle.services.intake import Intake

Tell = Callable[[Sequence[Receipt]], None]

PATH = "/v1/events"


@dataclass(frozen=True, slots=True)
class Door:
    """What every dialect of the door needs."""

    intake: Intake
    access: Access
    limits: Limits
    origins: Origins
    tell: Tell
    """Hears what became of events."""


def event_routes(door: Door) -> Router:
    """Return the route by which sources send events."""

    @post(
        PATH,
        request_max_body_size=MAX_BODY_BYTES,
        media_type=MediaType.JSON,
        status_code=202,
    )
    async def receive(request: Request[Any, Any, Any]) -> Response[bytes]:
        # First of all: who has no key is told so before a byte of the body is read.
        principal = await require(request, door.access, "events:write", "events:track")
        door.origins.require_harmless(request, principal)
        door.limits.count_request(principal.key_id)
        media_type = media_type_of(request)
        async with door.limits.body_of(request) as body:
            door.intake.require_room()
            is_batch, items = events_in(body, media_type)
            door.limits.count_events(principal.key_id, len(items))
            receipts = await door.intake.accept(source_of(principal), items, only=types_of(principal))
            door.tell(receipts)
            return _batch_answer(receipts) if is_batch else _single_answer(receipts[0])

    return Router("/", route_handlers=[receive], middleware=[door.origins.middleware])


def source_of(principal: Principal) -> str:
    """Return the source of what *principal* sends.

    Raises:
        ProblemError: SCOPE_MISSING, it is nobody's key who could send.
    """
    if principal.source is None:
        raise ProblemError("SCOPE_MISSING", "This key belongs to no source of events.")
    return principal.source


def types_of(principal: Principal) -> frozenset[str] | None:
    """Return the types that *principal* may send, or None for all."""
    return None if "events:write" in principal.scopes else BROWSER_TYPES


def _single_answer(receipt: Receipt) -> Response[bytes]:
    if receipt.problem is not None:
        problem = receipt.problem
        return problem_response(problem.code, PATH, detail=problem.detail, where=problem.where)
    return json_answer(receipt_words(receipt), 202 if receipt.status == "accepted" else 200)


def _batch_answer(receipts: list[Receipt]) -> Response[bytes]:
    return json_answer({"results": [receipt_words(receipt) for receipt in receipts]}, 202)


def receipt_words(receipt: Receipt) -> dict[str, object]:
    """Return what became of one event, as an answer says it."""
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


def json_answer(body: object, status_code: int) -> Response[bytes]:
    """Return *body* as JSON that nobody keeps."""
    return Response(
        msgspec.json.encode(body),
        status_code=status_code,
        media_type=MediaType.JSON,
        headers={"Cache-Control": "no-store"},
    )
