"""The part of the API's description that is about who sends and who looks after it."""

from typing import Any

from waggle.api.problem import PROBLEM_JSON
from waggle.api.segment import BATCH_PATHS, KINDS_OF_PATHS

_REFERENCE = "#/components/schemas/{name}"
_ID: dict[str, Any] = {"type": "string"}
_WHO = {"userId": _ID, "anonymousId": _ID, "messageId": _ID, "timestamp": {"type": "string", "format": "date-time"}}


def door_paths() -> dict[str, Any]:
    """Return the description of the routes in Segment's words, of webhooks, quarantine and customers' rights."""
    calls = {path: {"post": _segment(f"Call {kind}, as Segment's libraries do", "Call")} for path, kind in _NAMED}
    batches = {path: {"post": _segment("Calls, as Segment's libraries send them", "Calls")} for path in BATCH_PATHS}
    return {
        **calls,
        **batches,
        "/v1/webhooks/{source}": {
            "post": _operation("Take a call of a system that is set as a source", "200", in_path="source"),
            "get": _operation("Answer the challenge of a system that asks first", "200", in_path="source"),
        },
        "/v1/quarantine": {
            "get": _operation("What waits for somebody, without what it says (events:manage)", "200")
            | {"parameters": [_query("after", 0, 2**53), _query("limit", 1, 1_000)], "security": [{"write_key": []}]}
        },
        "/v1/privacy/requests": {
            "post": _operation("Open a request of a customer (privacy:manage)", "201", body="PrivacyRequest"),
            "get": _operation("Requests of customers (privacy:manage)", "200")
            | {"parameters": [{"name": "all_states", "in": "query", "schema": {"type": "boolean"}}]},
        },
        "/v1/privacy/requests/{request_id}": {
            "get": _operation("A request of a customer (privacy:manage)", "200", in_path="request_id")
        },
        **{
            path: {
                "get": _operation(f"{what}; changes nothing", "200", in_path="token"),
                "head": _operation("The same without the page", "200", in_path="token"),
                "post": _operation(f"{what}: do it", "200", in_path="token"),
            }
            for path, what in (
                ("/p/{token}", "What a customer agrees to"),
                ("/o/{token}", "What a link of a mail does"),
            )
        },
        "/waggle.js": {"get": _operation("The tracker for pages of the shop", "200")},
    }


def door_schemas() -> dict[str, Any]:
    """Return the schemas that these refer to."""
    return {
        "Call": {
            "type": "object",
            "properties": {
                **_WHO,
                "writeKey": _ID,
                "event": {"type": "string", "examples": ["Order Completed"]},
                "properties": {"type": "object"},
                "traits": {"type": "object"},
                "context": {"type": "object"},
            },
        },
        "Calls": {
            "type": "object",
            "required": ["batch"],
            "properties": {
                "batch": {
                    "type": "array",
                    "maxItems": 500,
                    "items": {
                        "allOf": [
                            {"$ref": _REFERENCE.format(name="Call")},
                            {
                                "required": ["type"],
                                "properties": {"type": {"enum": sorted(set(KINDS_OF_PATHS.values()))}},
                            },
                        ]
                    },
                },
                "sentAt": {"type": "string", "format": "date-time"},
                "writeKey": _ID,
            },
        },
        "PrivacyRequest": {
            "type": "object",
            "required": ["customer_id", "right"],
            "additionalProperties": False,
            "properties": {"customer_id": {"type": "string", "minLength": 1, "maxLength": 200}, "right": _ID},
        },
    }


_NAMED = sorted(KINDS_OF_PATHS.items())


def _segment(summary: str, schema: str) -> dict[str, Any]:
    described = _operation(summary, "200", body=schema)
    content = described["requestBody"]["content"]
    content["text/plain"] = content["application/json"]
    return described | {"security": [{"write_key_as_user": []}, {"write_key": []}]}


def _operation(summary: str, good: str, *, in_path: str = "", body: str = "") -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": summary,
        "responses": {good: {"description": "Done"}, "default": {"description": "A problem", "content": _PROBLEM}},
    }
    if in_path:
        described["parameters"] = [{"name": in_path, "in": "path", "required": True, "schema": {"type": "string"}}]
    if body:
        schema = {"$ref": _REFERENCE.format(name=body)}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _query(name: str, least: int, most: int) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "integer", "minimum": least, "maximum": most}}


_PROBLEM = {
    PROBLEM_JSON: {"schema": {"$ref": _REFERENCE.format(name="Problem")}},
    "text/html": {"schema": {"type": "string"}},
}
