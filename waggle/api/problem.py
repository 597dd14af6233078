"""Every way a request can fail: one table from which answers (RFC 9457) and their explanations are made."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import MediaType, Request, Response, Router, get
from litestar.exceptions import HTTPException, InternalServerException
from litestar.params import FromPath
from litestar.types import ExceptionHandlersMap

from waggle.api.page import escaped, page
from waggle.errors import TemporaryFailure
from waggle.log import get_logger

_log = get_logger(__name__)

PROBLEM_JSON = "application/problem+json"

_STANDS_IN_A_PATH = "/:@!$&'()*+,;="


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to fail."""

    status: int
    title: str
    remedy: str
    """What the caller can do, in one or two sentences."""


KINDS: dict[str, Kind] = {
    "BODY_TOO_LARGE": Kind(413, "The body is too large", "Send at most 1 MiB in one request; split the batch."),
    "BODY_TOO_SLOW": Kind(408, "The body took too long", "Send the same again, faster or in smaller parts."),
    "DATABASE_FULL": Kind(503, "The database is full", "Send the same again after the time in Retry-After."),
    "DATABASE_LOCKED": Kind(503, "The database is busy", "Send the same again after the time in Retry-After."),
    "DATABASE_READ_ONLY": Kind(
        503, "The database takes no changes", "Send the same again after the time in Retry-After."
    ),
    "DATABASE_UNREACHABLE": Kind(
        503, "The database cannot be reached", "Send the same again after the time in Retry-After."
    ),
    "ENCODING_UNSUPPORTED": Kind(
        415, "The body is compressed", "Send it as it is, in UTF-8 and without Content-Encoding."
    ),
    "ENVELOPE_INVALID": Kind(
        422,
        "The envelope is no CloudEvent",
        "Send specversion, id, type and data as CloudEvents 1.0 JSON says; `where` names the attribute.",
    ),
    "EVENT_ID_REUSED": Kind(
        409,
        "The event id was used before",
        "An id stands for one event for ever. The same event may be sent again unchanged; another needs a new id.",
    ),
    "FIELD_INVALID": Kind(
        422, "A field has a wrong value", "`where` names the field, `detail` says what may stand there."
    ),
    "FIELD_MISSING": Kind(422, "A field is missing", "`where` names the place, `detail` the field that belongs there."),
    "FORBIDDEN_DATA": Kind(
        422,
        "This must never be held",
        "Take card numbers, card codes, passwords and national identity numbers out; `where` says where they stand.",
    ),
    "ID_NOT_OPAQUE": Kind(
        422,
        "An id tells who somebody is",
        "Ids travel to where nothing can be erased. Use a number or a random text, no e-mail address or phone number.",
    ),
    "INTERNAL_ERROR": Kind(
        500, "Something broke on our side", "Send the same again later; events that were accepted are not taken twice."
    ),
    "ITEM_UNREADABLE": Kind(422, "An event cannot be decoded", "Send text in UTF-8 and numbers of sensible size."),
    "MEDIA_TYPE_UNSUPPORTED": Kind(
        415,
        "The body is of another kind",
        "Send application/cloudevents+json, application/cloudevents-batch+json or application/json.",
    ),
    "METHOD_NOT_ALLOWED": Kind(405, "The method does not fit", "Use one of the methods in the Allow header."),
    "NOT_FOUND": Kind(404, "There is nothing here", "Check the address; /openapi.json lists what can be asked."),
    "NOT_JSON": Kind(400, "The body is not JSON", "Send one event as a JSON object, or several as a JSON array."),
    "NOT_READY": Kind(503, "The service is not ready", "Ask again after the time in Retry-After."),
    "RATE_LIMITED": Kind(429, "The key sends too much", "Send the same again after the time in Retry-After."),
    "QUERY_INVALID": Kind(
        400, "The question is not well-formed", "`where` names the parameter, `detail` says what may stand there."
    ),
    "REQUEST_INVALID": Kind(400, "The request is not well-formed", "Check method, address and headers."),
    "SCOPE_MISSING": Kind(
        403, "The key may not do this", "Use a key with the scope that `detail` names; `waggle keys create` makes one."
    ),
    "SIGNATURE_MISSING": Kind(
        401, "The call is not signed", "Sign it as its vendor does; `waggle sources check` tries it."
    ),
    "SIGNATURE_STALE": Kind(401, "The signature is too old", "Set the clock of the sender; sign each call anew."),
    "SIGNATURE_WRONG": Kind(
        401, "The signature is wrong", "Set the same secret on both sides and send the body as it was signed."
    ),
    "SOURCE_MISMATCH": Kind(
        403, "The source belongs to another write key", "Leave `source` out, or use the write key of that source."
    ),
    "TEXT_INVALID": Kind(
        422, "A text cannot be stored", "Take NUL characters and halves of surrogate pairs out of the text."
    ),
    "TIME_IMPLAUSIBLE": Kind(422, "The time is too long ago", "Give the time at which it happened, after 1999."),
    "TIME_IN_FUTURE": Kind(
        422, "The time is in the future", "Set the clock of the sender, or leave `time` out: now is then assumed."
    ),
    "TOO_BUSY": Kind(503, "Too many wait already", "Send the same again after the time in Retry-After."),
    "TOO_DEEP": Kind(400, "The JSON is nested too deeply", "Nest at most 32 levels."),
    "TOO_MANY_EVENTS": Kind(413, "The batch is too long", "Send at most 500 events in one request."),
    "TOO_MANY_TRIES": Kind(
        429, "Too many unknown keys were tried from this address", "Try again after the time in Retry-After."
    ),
    "TYPE_UNKNOWN": Kind(422, "The event type is unknown", "Use one of the types that `detail` lists."),
    "WRITE_KEY_MISSING": Kind(401, "The write key is missing", "Send the header `Authorization: Bearer <write key>`."),
    "WRITE_KEY_UNKNOWN": Kind(401, "The write key is unknown", "Use a write key that was made for your source."),
}


class ProblemError(Exception):
    """Ends a request with the problem *code*."""

    def __init__(
        self, code: str, detail: str = "", *, where: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.where = where
        self.headers = headers or {}


def problem_response(
    code: str, instance: str, *, detail: str = "", where: str = "", headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    """Return *code* as problem details; *instance* is the path that was asked for."""
    kind = KINDS[code]
    body = {
        "type": problem_uri(code),
        "title": kind.title,
        "status": kind.status,
        "detail": detail or kind.remedy,
        # The path came decoded; only what is encoded again is a reference as RFC 9457 asks.
        "instance": quote(instance, safe=_STANDS_IN_A_PATH),
        "code": code,
    }
    if where:
        body["where"] = where
    return Response(
        msgspec.json.encode(body),
        status_code=kind.status,
        media_type=PROBLEM_JSON,
        # The path is repeated: no browser shall take it for a page.
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})},
    )


def problem_uri(code: str) -> str:
    """Return where the explanation of *code* is found, relative to this service."""
    return f"/problems/{code.lower().replace('_', '-')}"


def retry_after(failure: TemporaryFailure) -> dict[str, str]:
    """Return the header that says when to come back."""
    return {"Retry-After": str(max(1, math.ceil(failure.retry_after_s)))}


def problem_handlers() -> ExceptionHandlersMap:
    """Return what turns every error into problem details."""
    return {
        ProblemError: _of_problem,
        TemporaryFailure: _of_temporary_failure,
        HTTPException: _of_http_exception,
        Exception: _of_fault,
    }


def log_fault(error: Exception) -> None:
    """Log a fault of ours; the address is left out, since it may hold a token."""
    _log.error("request failed", error=type(error).__name__, exc_info=error)


def log_put_off(failure: TemporaryFailure) -> None:
    """Log that a request has to come again."""
    _log.warning("request put off", code=failure.code, retry_after_s=failure.retry_after_s)


def problem_pages() -> Router:
    """Return the explanations that the `type` of a problem leads to."""

    @get("/problems/{slug:str}", media_type=MediaType.HTML)
    async def explain(slug: FromPath[str]) -> Response[str]:
        code = slug.replace("-", "_").upper()
        kind = KINDS.get(code)
        if kind is None or problem_uri(code) != f"/problems/{slug}":
            return page("Unknown problem", "<p>There is no problem of this name.</p>", status_code=404)
        return page(
            kind.title,
            f"<p>{_marked(kind.remedy)}</p><p class=quiet>HTTP status {kind.status} · code {code}</p>",
        )

    return Router("/", route_handlers=[explain])


def _marked(text: str) -> str:
    """Return *text* as HTML, what stands between backticks as code."""
    return "".join(
        f"<code>{escaped(part)}</code>" if number % 2 else escaped(part) for number, part in enumerate(text.split("`"))
    )


def _of_problem(request: Request[Any, Any, Any], error: ProblemError) -> Response[bytes]:
    return problem_response(error.code, request.url.path, detail=error.detail, where=error.where, headers=error.headers)


def _of_temporary_failure(request: Request[Any, Any, Any], error: TemporaryFailure) -> Response[bytes]:
    log_put_off(error)
    code = error.code if error.code in KINDS else "NOT_READY"
    return problem_response(code, request.url.path, headers=retry_after(error))


def _of_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    if isinstance(error, InternalServerException):
        # The framework's word for a caller that went away in the middle of its body.
        _log.info("request body ended early")
        return problem_response("REQUEST_INVALID", request.url.path)
    code = _CODE_OF_STATUS.get(error.status_code, "REQUEST_INVALID" if error.status_code < 500 else "INTERNAL_ERROR")  # noqa: PLR2004
    if code == "INTERNAL_ERROR":
        log_fault(error)
    allowed = {name: value for name, value in (error.headers or {}).items() if name.lower() == "allow"}
    return problem_response(code, request.url.path, headers=allowed)


def _of_fault(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log_fault(error)
    return problem_response("INTERNAL_ERROR", request.url.path)


_CODE_OF_STATUS = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "BODY_TOO_LARGE"}
