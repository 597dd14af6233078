"""The description of the API for machines (OpenAPI 3.1), made from the same tables that the API works by."""

from functools import cache
from typing import Any

import msgspec
from litestar import MediaType, Response, Router, get

from waggle.api.body import MAX_EVENTS
from waggle.api.door_reference import door_paths, door_schemas
from waggle.api.privacy_reference import privacy_paths
from waggle.api.problem import KINDS, PROBLEM_JSON
from waggle.api.reading_reference import reading_paths, reading_schemas
from waggle.api.webhooks import webhook_paths
from waggle.domain.event import FACTS
from waggle.services.field_rules import MAX_ID_CHARS

_REFERENCE = "#/components/schemas/{name}"
_ID = {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARS}


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
                "get": _operation("Follow a link of a message", {"302": "To the link's target"}, token=True),
                "head": _operation("Check a link; counts no click", {"200": "Always"}, token=True),
            },
            "/u/{token}": {
                "get": _operation("Ask whether to unsubscribe; changes nothing", {"200": "A page"}, token=True),
                "head": _operation("The same without the page", {"200": "Headers"}, token=True),
                "post": _operation("Unsubscribe at once (RFC 8058)", {"200": "A page that confirms"}, token=True),
            },
            "/livez": {
                "get": _operation("Does the process live?", {"200": "It does"}),
                "head": _operation("Does the process live?", {"200": "It does"}),
            },
            "/readyz": {
                "get": _operation("Can it do its work?", {"200": "It can", "503": "Not now"}),
                "head": _operation("Can it do its work?", {"200": "It can", "503": "Not now"}),
            },
            "/problems/{code}": {"get": _operation("Explain a problem to a person", {"200": "A page"}, path="code")},
            "/openapi.json": {"get": _operation("This description", {"200": "OpenAPI 3.1"})},
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "write_key": {"type": "http", "scheme": "bearer"},
                "write_key_as_user": {"type": "http", "scheme": "basic", "description": "The key as user, no password"},
            },
        },
    }


def _operation(summary: str, answers: dict[str, str], *, token: bool = False, path: str = "") -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {status: {"description": description} for status, description in answers.items()},
    }
    name = "token" if token else path
    if name:
        operation["parameters"] = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}}]
        operation["responses"]["404"] = {"description": "A page: unknown"}
    return operation


def _receive_events() -> dict[str, Any]:
    one, many = {"$ref": _REFERENCE.format(name="Event")}, {"$ref": _REFERENCE.format(name="Batch")}
    answer = {"$ref": _REFERENCE.format(name="Receipt")}
    problem = {PROBLEM_JSON: {"schema": {"$ref": _REFERENCE.format(name="Problem")}}}
    statuses = sorted({kind.status for kind in KINDS.values()} - {404, 405})
    responses: dict[str, Any] = {
        "202": {
            "description": "Durable: a new event, or a batch, whose results say what became of each event",
            "content": {
                "application/json": {"schema": {"anyOf": [answer, {"$ref": _REFERENCE.format(name="Results")}]}}
            },
        },
        "200": {"description": "A known event; nothing changed", "content": {"application/json": {"schema": answer}}},
    }
    for status in statuses:
        titles = [kind.title for kind in KINDS.values() if kind.status == status]
        responses[str(status)] = {"description": " · ".join(titles), "content": problem}
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
