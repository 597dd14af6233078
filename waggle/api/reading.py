"""What the shop may ask: customers and their consents, orders, carts and coupons; orders, carts, products, coupons."""

import base64
import binascii
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec
from litestar import MediaType, Request, Response, Router, get, post

from waggle.api.access import NotingAccess, require
from waggle.api.body import small_body
from waggle.api.limits import Limits
from waggle.api.problem import ProblemError
from waggle.services.access import Principal
from waggle.services.field_rules import MAX_ID_CHARS
from waggle.services.normalising import email_address, phone_number
from waggle.services.reading import Part, Place, Reading

T = TypeVar("T")

MOST_ENTRIES = 200
FEWER_ENTRIES = 50
"""Entries of a list, if it is not said how many."""

_MOST_BODY_BYTES = 4_096
_MOST_CURSOR_CHARS = 1_000
_TAG_BYTES = 15
_YEARS = (2, 9998)
"""At the ends of the calendar a time has no equal in every zone."""
_READS_NOTED_EVERY = timedelta(hours=1)

_encode = msgspec.json.Encoder().encode
# Whoever keeps an answer asks whether it still holds: it may be about a person.
_HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


class Lookup(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Whom to find; in a body, since addresses are logged by whatever lies between."""

    email: str | None = None
    phone: str | None = None
    """E.164, such as +48123456789."""


class _Asking:
    """What the routes share."""

    def __init__(self, access: NotingAccess, limits: Limits, tell: Callable[[str], None]) -> None:
        self._access = access
        self._limits = limits
        self._tell = tell

    async def may(self, request: Request[Any, Any, Any], scope: str) -> Principal:
        principal = await require(request, self._access, scope)
        self._limits.count_request(principal.key_id)
        return principal

    def note_person_read(self, principal: Principal) -> None:
        self._tell(principal.name)
        self._access.count(
            "customers-read", principal.key_id, "personal fields", _READS_NOTED_EVERY, actor=principal.name
        )


def reading_routes(
    reading: Reading, access: NotingAccess, limits: Limits, tell: Callable[[str], None] = lambda _name: None
) -> Router:
    """Return the routes by which the shop asks; *tell* hears the name of who was shown personal fields."""
    asking = _Asking(access, limits, tell)
    return Router("/", route_handlers=[*_of_customers(reading, asking), *_of_things(reading, asking)])


def _of_customers(reading: Reading, asking: _Asking) -> list[Any]:
    @get("/v1/customers/{ref:str}", media_type=MediaType.JSON)
    async def customer(request: Request[Any, Any, Any]) -> Response[bytes]:
        principal = await asking.may(request, "customers:read")
        found = await reading.customer(_ref(request))
        if found is not None:
            asking.note_person_read(principal)
        return _answer(request, found)

    @post("/v1/customers/lookup", media_type=MediaType.JSON, status_code=200, request_max_body_size=_MOST_BODY_BYTES)
    async def lookup(request: Request[Any, Any, Any]) -> Response[bytes]:
        principal = await asking.may(request, "customers:read")
        wanted = _lookup(await small_body(request))
        if wanted.email is not None:
            found = await reading.customers_with("email", _normal(email_address, wanted.email, "$.email"))
        else:
            found = await reading.customers_with("phone", _normal(phone_number, wanted.phone or "", "$.phone"))
        if found:
            asking.note_person_read(principal)
        return Response(_encode({"customers": found}), media_type=MediaType.JSON, headers={"Cache-Control": "no-store"})

    @get("/v1/customers/{ref:str}/consents", media_type=MediaType.JSON)
    async def consents(request: Request[Any, Any, Any]) -> Response[bytes]:
        await asking.may(request, "consents:read")
        found = await reading.consents(_ref(request))
        return _answer(request, None if found is None else {"consents": found})

    @get("/v1/customers/{ref:str}/orders", media_type=MediaType.JSON)
    async def orders(request: Request[Any, Any, Any]) -> Response[bytes]:
        await asking.may(request, "orders:read")
        return _list(request, "orders", await reading.orders(_ref(request), *_wanted(request)))

    @get("/v1/customers/{ref:str}/carts", media_type=MediaType.JSON)
    async def carts(request: Request[Any, Any, Any]) -> Response[bytes]:
        await asking.may(request, "orders:read")
        return _list(request, "carts", await reading.carts(_ref(request), *_wanted(request)))

    @get("/v1/customers/{ref:str}/coupons", media_type=MediaType.JSON)
    async def coupons(request: Request[Any, Any, Any]) -> Response[bytes]:
        await asking.may(request, "coupons:read")
        return _list(request, "coupons", await reading.coupons(_ref(request), *_wanted(request)))

    return [customer, lookup, consents, orders, carts, coupons]


def _of_things(reading: Reading, asking: _Asking) -> list[Any]:
    @get("/v1/orders/{order_id:path}", media_type=MediaType.JSON)
    async def order(request: Request[Any, Any, Any]) -> Response[bytes]:
        await asking.may(request, "orders:read")
        return _answer(request, await reading.order(_key(request)))

    @get("/v1/carts/{cart_id:path}", media_type=MediaType.JSON)
    async def cart(request: Request[Any, Any, Any]) -> Response[bytes]:
        await asking.may(request, "orders:read")
        return _answer(request, await reading.cart(_key(request)))

    @get("/v1/products/{sku:path}", media_type=MediaType.JSON)
    async def product(request: Request[Any, Any, Any]) -> Response[bytes]:
        await asking.may(request, "products:read")
        return _answer(request, await reading.product(_key(request)))

    @get("/v1/coupons/{code:path}", media_type=MediaType.JSON)
    async def coupon(request: Request[Any, Any, Any]) -> Response[bytes]:
        await asking.may(request, "coupons:read")
        return _answer(request, await reading.coupon(_key(request)))

    return [order, cart, product, coupon]


def _ref(request: Request[Any, Any, Any]) -> str:
    """Return which customer the address names; raises as `_key` does."""
    return _decoded(_asked_for(request).split("/")[0])


def _key(request: Request[Any, Any, Any]) -> str:
    """Return what the address names; a key may hold slashes.

    Raises:
        ProblemError: NOT_FOUND, no key is like this.
    """
    return _decoded(_asked_for(request))


def _asked_for(request: Request[Any, Any, Any]) -> str:
    """Return what stands behind `/v1/orders/` as it was sent; decoded by the framework, two slashes would be one."""
    path: bytes = request.scope["raw_path"]
    parts = path.decode("ascii", "replace").split("/", 3)
    return parts[3] if len(parts) > 3 else ""  # noqa: PLR2004 -- "", v1, orders, and what is asked for


def _decoded(text: str) -> str:
    key = unquote(text)
    if not 1 <= len(key) <= MAX_ID_CHARS or not key.isprintable():
        raise ProblemError("NOT_FOUND")
    return key


def _answer(request: Request[Any, Any, Any], found: object | None) -> Response[bytes]:
    """Return *found*, or that it is what the caller has already.

    Raises:
        ProblemError: NOT_FOUND, alike for what there never was and what is none of the caller's business.
    """
    if found is None:
        raise ProblemError("NOT_FOUND")
    body = _encode(found)
    tag = f'"{base64.urlsafe_b64encode(hashlib.blake2b(body, digest_size=_TAG_BYTES).digest()).decode()}"'
    headers = {**_HEADERS, "ETag": tag}
    known = request.headers.get("if-none-match")
    if known is not None and _names(known, tag):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, media_type=MediaType.JSON, headers=headers)


def _names(known: str, tag: str) -> bool:
    """Say whether *tag* is among those of the header If-None-Match, compared weakly as RFC 9110 asks."""
    return known.strip() == "*" or tag in {each.strip().removeprefix("W/") for each in known.split(",")}


def _list(request: Request[Any, Any, Any], name: str, part: Part[T] | None) -> Response[bytes]:
    if part is None:
        return _answer(request, None)
    return _answer(request, {name: part.entries, "next": None if part.end is None else _cursor(part.end)})


def _wanted(request: Request[Any, Any, Any]) -> tuple[int, Place | None]:
    """Return how many entries are asked for, and after which.

    Raises:
        ProblemError: QUERY_INVALID.
    """
    limit = request.query_params.get("limit", str(FEWER_ENTRIES))
    if not (limit.isascii() and limit.isdigit() and len(limit) <= len(str(MOST_ENTRIES))):
        raise ProblemError("QUERY_INVALID", f"1 to {MOST_ENTRIES} may be asked for.", where="limit")
    if not 1 <= int(limit) <= MOST_ENTRIES:
        raise ProblemError("QUERY_INVALID", f"1 to {MOST_ENTRIES} may be asked for.", where="limit")
    cursor = request.query_params.get("cursor")
    return int(limit), None if cursor is None else _place(cursor)


def _cursor(place: Place) -> str:
    return base64.urlsafe_b64encode(_encode([place.at, place.id])).decode()


def _place(cursor: str) -> Place:
    try:
        raw = base64.b64decode(cursor[:_MOST_CURSOR_CHARS].encode("ascii"), altchars=b"-_", validate=True)
        at, last_id = msgspec.json.decode(raw, type=tuple[datetime, str])
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise ProblemError("QUERY_INVALID", "Send what `next` said, unchanged.", where="cursor") from None
    if at.tzinfo is None or not _YEARS[0] <= at.year <= _YEARS[1] or not last_id.isprintable():
        # None that we made: no database could compare it.
        raise ProblemError("QUERY_INVALID", "Send what `next` said, unchanged.", where="cursor")
    return Place(at, last_id)


def _lookup(body: bytes) -> Lookup:
    try:
        wanted = msgspec.json.decode(body, type=Lookup)
    except msgspec.ValidationError:
        raise ProblemError("FIELD_INVALID", "Send one text: email, or phone.", where="$") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ProblemError("NOT_JSON", "Send a JSON object in UTF-8.") from None
    if (wanted.email is None) == (wanted.phone is None):
        raise ProblemError("FIELD_INVALID", "Send one text: email, or phone.", where="$")
    return wanted


def _normal(normalise: Callable[[str], str], text: str, where: str) -> str:
    try:
        return normalise(text)
    except ValueError as error:
        raise ProblemError("FIELD_INVALID", f"This is {error}.", where=where) from None
