"""`/v1/privacy/requests`: what customers ask about their data, opened and listed by those who look after it."""

from typing import Annotated, Any

import msgspec
from litestar import MediaType, Request, Response, Router, get, post
from litestar.params import FromPath, FromQuery

from waggle.api.access import Access, require
from waggle.api.body import small_body
from waggle.api.events import json_answer
from waggle.api.problem import ProblemError
from waggle.domain.privacy import Right
from waggle.errors import Rejected
from waggle.services.field_rules import problem_in_id
from waggle.services.privacy_requests import PrivacyRequestBook

_SCOPE = "privacy:manage"
_MAX_BODY_BYTES = 4_096


class _Asked(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    customer_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    right: Right


def privacy_routes(book: PrivacyRequestBook, access: Access) -> Router:
    """Return the routes; they tell ids and dates, never anything about the person."""

    @post("/v1/privacy/requests", media_type=MediaType.JSON, request_max_body_size=_MAX_BODY_BYTES)
    async def opened(request: Request[Any, Any, Any]) -> Response[bytes]:
        principal = await require(request, access, _SCOPE)
        try:
            asked = msgspec.json.decode(await small_body(request), type=_Asked)
        except msgspec.ValidationError as error:
            # Names types and fields of ours only; the sender's values are not in it.
            said, _, path = str(error).partition(" - at `$")
            code = "FIELD_MISSING" if said.startswith("Object missing") else "FIELD_INVALID"
            raise ProblemError(code, f"{said}.", where="$" + path.rstrip("`")) from None
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise ProblemError("NOT_JSON") from None
        problem = problem_in_id(asked.customer_id, "$.customer_id")
        if problem is not None:
            raise ProblemError(problem.code, problem.detail, where=problem.where)
        try:
            line = await book.open(asked.right, asked.customer_id, source="api", by=principal.name)
        except Rejected:
            raise ProblemError("NOT_FOUND", "No such customer is known.") from None
        return json_answer(line, 201)

    @get("/v1/privacy/requests", media_type=MediaType.JSON)
    async def listed(
        request: Request[Any, Any, Any],
        all_states: FromQuery[bool] = False,  # noqa: FBT002 -- a query parameter
    ) -> Response[bytes]:
        await require(request, access, _SCOPE)
        return json_answer({"requests": await book.list(all_states=all_states)}, 200)

    @get("/v1/privacy/requests/{request_id:str}", media_type=MediaType.JSON)
    async def one(request_id: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
        await require(request, access, _SCOPE)
        found = await book.show(request_id) if problem_in_id(request_id, "$") is None else None
        if found is None:
            raise ProblemError("NOT_FOUND")
        return json_answer(found, 200)

    return Router("/", route_handlers=[opened, listed, one])
