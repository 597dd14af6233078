"""The part of the API's description that is about who sends, and who looks after what could not be understood."""

from typing import Any

from waggle.api.answers import WITH_A_KEY, empty, json, problems
from waggle.api.body import MAX_EVENTS
from waggle.api.quarantine import LARGEST_NUMBER, MOST_LINES
from waggle.api.segment import BATCH_PATHS, KINDS_OF_PATHS

_REFERENCE = "#/components/schemas/{name}"
_ID: dict[str, Any] = {"type": "string"}
_WHO = {"userId": _ID, "anonymousId": _ID, "messageId": _ID, "timestamp": {"type": "string", "format": "date-time"}}
_TAKING = (400, 408, 413, 415, *WITH_A_KEY)


def door_paths() -> dict[str, Any]:
    """Return the description of the routes in Segment's words, of the quarantine, and of the tracker's script."""
    calls = {
        path: {"post": _segment(f"Call {kind}, as Segment's libraries do", "Call")}
        for path, kind in sorted(KINDS_OF_PATHS.items())
    }
    batches = {path: {"post": _segment("Calls, as Segment's libraries send them", "Calls")} for path in BATCH_PATHS}
    return {
        **calls,
        **batches,
        "/v1/quarantine": {"get": _quarantine()},
        "/waggle.js": {
            "get": {
                "summary": "The tracker for pages of the shop",
                "responses": {
                    "200": {"description": "The script", "content": {"text/javascript": {"schema": {}}}},
                    **empty({304: "What If-None-Match names still holds"}),
                },
            }
        },
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
                    "maxItems": MAX_EVENTS,
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
        "Taken": {
            "type": "object",
            "required": ["success", "results"],
            "properties": {
                "success": {"const": True},
                "results": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["id", "status"],
                        "properties": {
                            "id": {"type": ["string", "null"]},
                            "status": {"enum": ["accepted", "duplicate", "refused", "set-aside", "ignored"]},
                            "why": {"type": "string", "description": "Of what is ignored"},
                            "problem": {"$ref": _REFERENCE.format(name="Problem")},
                        },
                    },
                },
            },
        },
        "QuarantineLine": {
            "type": "object",
            "required": ["id", "source", "what", "code", "where", "set_aside_at"],
            "properties": {
                **{name: {"type": "string"} for name in ("id", "source", "what", "code", "where")},
                "set_aside_at": {"type": ["string", "null"], "format": "date-time"},
            },
        },
    }


def _segment(summary: str, schema: str) -> dict[str, Any]:
    body = {"schema": {"$ref": _REFERENCE.format(name=schema)}}
    return {
        "summary": summary,
        "security": [{"write_key_as_user": []}, {"write_key": []}],
        "requestBody": {"required": True, "content": {"application/json": body, "text/plain": body}},
        "responses": {
            "200": json("What became of each call; none is lost", {"$ref": _REFERENCE.format(name="Taken")}),
            **problems(*_TAKING),
        },
    }


def _quarantine() -> dict[str, Any]:
    lines = {"type": "array", "items": {"$ref": _REFERENCE.format(name="QuarantineLine")}}
    return {
        "summary": "What waits for somebody, without what it says",
        "description": "Needs the scope events:manage.",
        "security": [{"write_key": []}],
        "parameters": [_query("after", 0, LARGEST_NUMBER), _query("limit", 1, MOST_LINES)],
        "responses": {
            "200": json(
                "The oldest first", {"type": "object", "required": ["waiting"], "properties": {"waiting": lines}}
            ),
            **problems(400, *WITH_A_KEY),
        },
    }


def _query(name: str, least: int, most: int) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": {"type": "integer", "minimum": least, "maximum": most}}
