"""`POST /v1/track`, `/v1/identify`, `/v1/page`, `/v1/batch` and their kin, as Segment's libraries call them."""

import base64
import binascii
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec
from litestar import MediaType, Request, Response, Router, post

from waggle.api.access import admitted, bearer_token
from waggle.api.body import MAX_BODY_BYTES, MAX_EVENTS, is_too_deep
from waggle.api.events import Door, json_answer, receipt_words, source_of, types_of
from waggle.api.problem import ProblemError
from waggle.domain.event import Receipt
from waggle.services.access import Principal
from waggle.services.segment import Call, CallKind, Ignored, translated

KINDS_OF_PATHS: dict[str, CallKind] = {
    path: kind for kind in get_args(CallKind) for path in (f"/v1/{kind}", f"/v1/{kind[0]}")
}
BATCH_PATHS = ("/v1/batch", "/v1/import", "/v1/b")
PATHS = (*KINDS_OF_PATHS, *BATCH_PATHS)

_BEACONS = frozenset({"application/json", "text/plain"})


def segment_routes(door: Door, default_currency: str) -> Router:
    """Return the routes; prices that say no currency are in *default_currency*, if there is one.

    Answers are 200 whatever became of the calls, since these libraries throw away what is answered otherwise, and what
    was refused is set aside: never is a call acknowledged and gone.
    """

    @post(list(PATHS), request_max_body_size=MAX_BODY_BYTES, media_type=MediaType.JSON, status_code=200)
    async def receive(request: Request[Any, Any, Any]) -> Response[bytes]:
        token = _token(request)
        principal = await _admitted(request, door, token) if token else None
        _require_json(request)
        async with door.limits.body_of(request) as raw:
            door.intake.require_room()
            body = _decoded(_inflated(request, raw))
            if principal is None:
                key = body.get("writeKey")
                principal = await _admitted(request, door, key if isinstance(key, str) else "")
            calls = _calls(request.url.path, body)
            door.limits.count_events(principal.key_id, len(calls))
            return await _take(door, principal, calls, default_currency)

    return Router("/", route_handlers=[receive], middleware=[door.origins.middleware])


async def _take(door: Door, principal: Principal, calls: Sequence[object], currency: str) -> Response[bytes]:
    now = door.intake.now()
    # What is no call at all is for the intake to refuse.
    read = [translated(call, now, currency) if isinstance(call, Call) else call for call in calls]
    items: list[object] = [each for each in read if not isinstance(each, Ignored)]
    only = types_of(principal)
    receipts = await door.intake.accept(source_of(principal), items, only=only, keep_refused=True)
    door.tell([*receipts, *(Receipt(each.id, "ignored") for each in read if isinstance(each, Ignored))])
    answers = iter(receipts)
    results = [
        {"id": each.id, "status": "ignored", "why": each.what} if isinstance(each, Ignored) else _words(next(answers))
        for each in read
    ]
    return json_answer({"success": True, "results": results}, 200)


def _words(receipt: Receipt) -> dict[str, object]:
    kept = {} if receipt.quarantine_id is None else {"status": "set-aside"}
    return receipt_words(receipt) | kept


def _token(request: Request[Any, Any, Any]) -> str:
    """Return the key of the header, which these libraries send as a user without password."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return bearer_token(request)
    try:
        user, _, _ = base64.b64decode(given.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return ""
    return user


async def _admitted(request: Request[Any, Any, Any], door: Door, token: str) -> Principal:
    principal = await admitted(request, token, door.access, "events:write", "events:track")
    door.origins.require_harmless(request, principal)
    door.limits.count_request(principal.key_id)
    return principal


def _require_json(request: Request[Any, Any, Any]) -> None:
    # Beacons of browsers say text/plain, or nothing: anything else would be asked about before it is sent.
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type and media_type not in _BEACONS:
        raise ProblemError("MEDIA_TYPE_UNSUPPORTED", "Send application/json or text/plain.")


def _inflated(request: Request[Any, Any, Any], raw: bytes) -> bytes:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding == "identity":
        return raw
    if encoding != "gzip":
        raise ProblemError("ENCODING_UNSUPPORTED", "Send it as it is or with gzip.")
    inflating = zlib.decompressobj(wbits=31)
    try:
        body = inflating.decompress(raw, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise ProblemError("NOT_JSON", "The body is no gzip.") from None
    if len(body) > MAX_BODY_BYTES:
        raise ProblemError("BODY_TOO_LARGE")
    return body


def _decoded(body: bytes) -> dict[str, Any]:
    if is_too_deep(body):
        raise ProblemError("TOO_DEEP")
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ProblemError("NOT_JSON") from None
    if not isinstance(found, dict):
        raise ProblemError("NOT_JSON", "Send one JSON object.")
    return found


def _calls(path: str, body: dict[str, Any]) -> Sequence[object]:
    """Return the calls of a body, and as it came what is no call."""
    kind = KINDS_OF_PATHS.get(path)
    if kind is not None:
        return [Call(kind, body, None)]
    batch = body.get("batch")
    if not isinstance(batch, list):
        raise ProblemError("NOT_JSON", "Give the calls as a list under `batch`.")
    if len(batch) > MAX_EVENTS:
        raise ProblemError("TOO_MANY_EVENTS")
    return [_call_of_batch(each, body) for each in batch]


def _call_of_batch(message: object, body: Mapping[str, Any]) -> object:
    if not isinstance(message, dict) or message.get("type") not in get_args(CallKind):
        return message
    return Call(message["type"], message, body.get("sentAt"))
