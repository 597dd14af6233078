"""The description of the API for machines (OpenAPI 3.1), made from the same tables that the API works by."""

from functools import cache
from typing import Any

import msgspec
from litestar import MediaType, Response, Router, get

from waggle.api.answers import empty, json, pages, problems
from waggle.api.body import MAX_EVENTS
from waggle.api.door_reference import door_paths, door_schemas
from waggle.api.privacy_reference import privacy_paths
from waggle.api.problem import KINDS
from waggle.api.reading_reference import reading_paths, reading_schemas
from waggle.api.webhooks import webhook_paths
from waggle.domain.event import FACTS
from waggle.services.field_rules import MAX_ID_CHARS

_REFERENCE = "#/components/schemas/{name}"
_ID = {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARS}
_UNKNOWN = pages({404: "A page: unknown"})


def reference_route() -> Router:
    """Return the route of the description; no page shows it, since such pages load their scripts from other hosts."""

    @get("/openapi.json", media_type=MediaType.JSON)
    async def openapi() -> Response[bytes]:
        return Response(_encoded(), media_type=MediaType.JSON)

    return Router("/", route_handlers=[openapi])


@cache
def _encoded() -> bytes:
    return msgspec.json.encode(openapi_document())


def openapi_document() -> dict[str, Any]:
    """Return the description as OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "Waggle", "version": "1", "description": "Events in; questions of the shop; links of mails."},
        "paths": {
            "/v1/events": {"post": _receive_events()},
            **door_paths(),
            **reading_paths(),
            **privacy_paths(),
            **webhook_paths(),
            "/c/{token}": {
                "get": _link("Follow a link of a message", empty({302: "To the link's target"}) | _UNKNOWN),
                "head": _link("Check a link; counts no click", empty({200: "Always"})),
            },
            "/u/{token}": {
                "get": _link("Ask whether to unsubscribe; changes nothing", pages({200: "A page"}) | _UNKNOWN),
                "head": _link("The same without the page", pages({200: "Headers"}) | _UNKNOWN),
                "post": _link(
                    "Unsubscribe at once (RFC 8058)",
                    pages({200: "A page that confirms"}) | _UNKNOWN | problems(408, 413),
                ),
            },
            "/livez": {"get": _health("Does the process live?"), "head": _health("Does the process live?")},
            "/readyz": {
                "get": _health("Can it do its work?", 503),
                "head": _health("Can it do its work?", 503),
            },
            "/problems/{code}": {
                "get": _link("Explain a problem to a person", pages({200: "A page"}) | _UNKNOWN, "code")
            },
            "/openapi.json": {
                "get": {"summary": "This description", "responses": {"200": json("OpenAPI 3.1", {"type": "object"})}}
            },
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "write_key": {"type": "http", "scheme": "bearer"},
                "write_key_as_user": {"type": "http", "scheme": "basic", "description": "The key as user, no password"},
            },
        },
    }


def _link(summary: str, answers: dict[str, Any], name: str = "token") -> dict[str, Any]:
    return {
        "summary": summary,
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}],
        "responses": answers,
    }


def _health(summary: str, *failing: int) -> dict[str, Any]:
    told = {"type": "object", "required": ["status"], "properties": {"status": {"enum": ["alive", "ready"]}}}
    return {"summary": summary, "responses": {"200": json("It does", told), **problems(*failing)}}


def _receive_events() -> dict[str, Any]:
    one, many = {"$ref": _REFERENCE.format(name="Event")}, {"$ref": _REFERENCE.format(name="Batch")}
    answer = {"$ref": _REFERENCE.format(name="Receipt")}
    statuses = {kind.status for kind in KINDS.values()} - {404, 405}
    responses: dict[str, Any] = {
        "202": {
            "description": "Durable: a new event, or a batch, whose results say what became of each event",
            "content": {
                "application/json": {"schema": {"anyOf": [answer, {"$ref": _REFERENCE.format(name="Results")}]}}
            },
        },
        "200": {"description": "A known event; nothing changed", "content": {"application/json": {"schema": answer}}},
    }
    responses |= problems(*statuses)
    return {
        "operationId": "receiveEvents",
        "summary": "Send one event or a batch",
        "security": [{"write_key": []}],
        "requestBody": {
            "required": True,
            "content": {
                "application/cloudevents+json": {"schema": one},
                "application/cloudevents-batch+json": {"schema": many},
                "application/json": {"schema": {"anyOf": [one, many]}},
            },
        },
        "responses": responses,
    }


def _schemas() -> dict[str, Any]:
    _, schemas = msgspec.json.schema_components(FACTS.values(), ref_template=_REFERENCE)
    one_of = [
        {
            "properties": {"type": {"const": name}, "data": {"$ref": _REFERENCE.format(name=fact.__name__)}},
        }
        for name, fact in FACTS.items()
    ]
    return (
        schemas
        | door_schemas()
        | reading_schemas()
        | {
            "Event": {
                "type": "object",
                "description": "CloudEvents 1.0",
                "required": ["specversion", "id", "type", "data"],
                "properties": {
                    "specversion": {"const": "1.0"},
                    "id": _ID,
                    "source": {"type": "string", "description": "If given, the source of the write key"},
                    "type": {"enum": list(FACTS)},
                    "time": {"type": "string", "format": "date-time"},
                    "subject": _ID,
                    "data": {"type": "object"},
                },
                "oneOf": one_of,
            },
            "Batch": {"type": "array", "maxItems": MAX_EVENTS, "items": {"$ref": _REFERENCE.format(name="Event")}},
            "Receipt": {
                "type": "object",
                "required": ["id", "status"],
                "properties": {
                    "id": {"type": ["string", "null"]},
                    "status": {"enum": ["accepted", "duplicate", "refused"]},
                    "problem": {"$ref": _REFERENCE.format(name="Problem")},
                },
            },
            "Results": {
                "type": "object",
                "required": ["results"],
                "properties": {"results": {"type": "array", "items": {"$ref": _REFERENCE.format(name="Receipt")}}},
            },
            "Problem": {
                "type": "object",
                "description": "RFC 9457",
                "required": ["type", "title", "code", "detail"],
                "properties": {
                    "type": {"type": "string", "format": "uri-reference"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "instance": {"type": "string", "format": "uri-reference"},
                    "code": {"enum": sorted(KINDS)},
                    "where": {"type": "string", "description": "Path of what is wrong, such as $.data.items[0].sku"},
                },
            },
        }
    )
