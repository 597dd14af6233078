"""The body of a request, taken only while it keeps to the limits."""

import asyncio
import json
import re
from typing import Any, NoReturn

import msgspec
from litestar import Request

from waggle.api.problem import ProblemError
from waggle.services.intake import Unreadable

MAX_BODY_BYTES = 1_048_576
MAX_DEPTH = 32
MAX_EVENTS = 500
SMALL_BODY_WITHIN_S = 10.0

_ONE = frozenset({"application/cloudevents+json"})
_MANY = frozenset({"application/cloudevents-batch+json"})
_EITHER = frozenset({"application/json"})
_PLAIN_TYPES = _ONE | _MANY | _EITHER

# The closing quote is optional, else a body full of escaped quotes that never closes costs the square of its length.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKETS_ALIKE = bytes.maketrans(b"{}", b"[]")
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


async def small_body(request: Request[Any, Any, Any]) -> bytes:
    """Return the whole body of a *request* whose route takes few bytes, and asks no key for them or counts none.

    Raises:
        ProblemError: BODY_TOO_SLOW.
        RequestEntityTooLarge: over the route's limit.
    """
    try:
        async with asyncio.timeout(SMALL_BODY_WITHIN_S):
            return await request.body()
    except TimeoutError:
        raise ProblemError("BODY_TOO_SLOW", headers={"Connection": "close"}) from None


def media_type_of(request: Request[Any, Any, Any]) -> str:
    """Return the media type of the body that *request* brings; to be asked before the body is read.

    Raises:
        ProblemError: MEDIA_TYPE_UNSUPPORTED, ENCODING_UNSUPPORTED.
    """
    given = request.headers.get("content-type", "")
    if given in _PLAIN_TYPES:
        media_type, charset = given, "utf-8"
    else:
        media_type, options = request.content_type
        charset = options.get("charset", "utf-8").lower()
    if media_type not in _PLAIN_TYPES:
        raise ProblemError("MEDIA_TYPE_UNSUPPORTED")
    if request.headers.get("content-encoding", "identity") != "identity" or charset not in {"utf-8", "us-ascii"}:
        raise ProblemError("ENCODING_UNSUPPORTED")
    return media_type


def events_in(body: bytes, media_type: str) -> tuple[bool, list[object]]:
    """Return whether the body is a batch, and its events, decoded; of two equal keys in one object the last counts.

    Raises:
        ProblemError: NOT_JSON, TOO_DEEP, TOO_MANY_EVENTS.
    """
    body = body.strip(b" \t\r\n")
    is_batch = body.startswith(b"[")
    if (media_type in _ONE and is_batch) or (media_type in _MANY and not is_batch):
        raise ProblemError("NOT_JSON", f"{media_type} is a JSON {'array' if media_type in _MANY else 'object'}.")
    if not is_batch:
        _require_shallow(body)
        return False, [_decoded(body, alone=True)]
    items = _items(body)
    if len(items) > MAX_EVENTS:
        raise ProblemError("TOO_MANY_EVENTS")
    return True, items


def is_too_deep(body: bytes, depth: int = MAX_DEPTH) -> bool:
    """Say whether brackets outside of strings nest deeper than *depth*.

    Looks at bytes only, so it may be asked of anything; JSON that is cut off may pass with up to twice the depth.
    """
    if body.count(b"[") + body.count(b"{") <= depth:
        return False
    brackets = _STRING.sub(b"", body).translate(_BRACKETS_ALIKE, _ALL_BUT_BRACKETS)
    for _ in range(depth):
        # Takes the innermost level away, at the speed of C.
        brackets = brackets.replace(b"[]", b"")
    return b"[]" in brackets or brackets.count(b"[") > depth


def _require_shallow(body: bytes, depth: int = MAX_DEPTH) -> None:
    if is_too_deep(body, depth):
        raise ProblemError("TOO_DEEP")


def _items(body: bytes) -> list[object]:
    try:
        raw_items = [bytes(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except RecursionError:
        raise ProblemError("TOO_DEEP") from None
    except msgspec.DecodeError:
        _require_shallow(body)
        return list(_decoded_leniently(body))
    # One by one: few have as many brackets as may be nested, so that nothing need be looked at twice.
    for raw in raw_items:
        _require_shallow(raw, MAX_DEPTH - 1)
    return [_decoded(raw, alone=False) for raw in raw_items]


def _decoded(body: bytes, *, alone: bool) -> object:
    try:
        return msgspec.json.decode(body)
    except msgspec.ValidationError:
        return Unreadable(body)
    except UnicodeDecodeError:
        if alone:
            raise ProblemError("NOT_JSON", "Send UTF-8.") from None
        return Unreadable(body)
    except msgspec.DecodeError:
        return _decoded_leniently(body)


def _decoded_leniently(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    r"""Decode with the standard library, which also takes half a surrogate pair (`"\ud83d"`).

    Senders that cut a text in the middle of an emoji write such JSON; only the item that holds it is to be refused.
    """
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except ValueError:
        raise ProblemError("NOT_JSON") from None


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError
