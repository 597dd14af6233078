"""What the description of the API says of people's own pages, and of their requests."""

from typing import Any

from waggle.api.answers import WITH_A_KEY, json, pages, problems
from waggle.domain.privacy import RIGHTS

_REQUEST = {
    "type": "object",
    "required": ["request_id", "right", "customer_id", "source", "state", "opened_at", "due_at", "overdue"],
    "properties": {
        "request_id": {"type": "string"},
        "right": {"enum": list(RIGHTS)},
        "customer_id": {"type": "string"},
        "source": {"type": "string", "description": "Through what it came"},
        "state": {"enum": ["unconfirmed", "open", "done", "refused"]},
        "opened_at": {"type": "string", "format": "date-time"},
        "due_at": {"type": "string", "format": "date-time"},
        "done_at": {"type": ["string", "null"], "format": "date-time"},
        "outcome": {"type": ["string", "null"]},
        "overdue": {"type": "boolean"},
    },
}
_ID = {"name": "request_id", "in": "path", "required": True, "schema": {"type": "string"}}
_NEEDS = "Needs the scope privacy:manage."
_TOKEN = {"name": "token", "in": "path", "required": True, "schema": {"type": "string"}}


def privacy_paths() -> dict[str, Any]:
    """Return the paths."""
    return {
        "/p/{token}": {
            "get": _page("See what is held about oneself; changes nothing"),
            "head": _page("The same without the page"),
            "post": _page("Decide about it: the form that the page holds", form=True),
        },
        "/o/{token}": {
            "get": _page("Ask what a link of a mail would do; changes nothing"),
            "head": _page("The same without the page"),
            "post": _once(),
        },
        "/v1/privacy/requests": {"get": _list(), "post": _open()},
        "/v1/privacy/requests/{request_id}": {
            "get": {
                "operationId": "showPrivacyRequest",
                "summary": "Show one request",
                "description": _NEEDS,
                "security": [{"write_key": []}],
                "parameters": [_ID],
                "responses": {"200": _told(_REQUEST), **problems(404, *WITH_A_KEY)},
            },
        },
    }


def _list() -> dict[str, Any]:
    listed = {
        "type": "object",
        "required": ["requests"],
        "properties": {"requests": {"type": "array", "items": _REQUEST}},
    }
    return {
        "summary": "List requests of customers about their data, the most urgent first",
        "description": _NEEDS,
        "security": [{"write_key": []}],
        "parameters": [{"name": "all_states", "in": "query", "schema": {"type": "boolean"}}],
        "responses": {"200": _told(listed), **problems(400, *WITH_A_KEY)},
    }


def _open() -> dict[str, Any]:
    asked = {
        "type": "object",
        "additionalProperties": False,
        "required": ["customer_id", "right"],
        "properties": {
            "customer_id": {"type": "string", "minLength": 1, "maxLength": 200},
            "right": {"enum": list(RIGHTS)},
        },
    }
    opened = _told(_REQUEST) | {
        "links": {
            "itself": {
                "operationId": "showPrivacyRequest",
                "parameters": {"request_id": "$response.body#/request_id"},
            }
        }
    }
    return {
        "summary": "Open a request for a customer whose identity was checked",
        "description": _NEEDS,
        "security": [{"write_key": []}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
        "responses": {"201": opened, **problems(400, 404, 408, 413, 422, *WITH_A_KEY)},
    }


def _page(summary: str, *, form: bool = False) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": [_TOKEN],
        "responses": pages({200: "A page", 404: "A page: unknown"}),
    }
    if form:
        operation["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}}
        operation["responses"] |= pages({422: "The page: a value is wrong"}) | problems(408, 413)
    return operation


def _once() -> dict[str, Any]:
    operation = _page("Do it, once: confirm, or fetch a copy", form=True)
    operation["responses"]["200"]["content"]["application/zip"] = {}
    return operation


def _told(schema: dict[str, Any]) -> dict[str, Any]:
    return json("Ids and dates, nothing of the person", schema)
