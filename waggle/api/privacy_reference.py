"""What the description of the API says of people's own pages, and of their requests."""

from typing import Any

from waggle.api.problem import PROBLEM_JSON
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
            "post": _page("Do it, once: confirm, or fetch a copy"),
        },
        "/v1/privacy/requests": {
            "get": {
                "summary": "List requests of customers about their data, the most urgent first",
                "security": [{"write_key": []}],
                "parameters": [{"name": "all_states", "in": "query", "schema": {"type": "boolean"}}],
                "responses": {
                    "200": _json({"type": "object", "properties": {"requests": {"type": "array", "items": _REQUEST}}}),
                    **_problems("400", "401", "403", "429", "503"),
                },
            },
            "post": {
                "summary": "Open a request for a customer whose identity was checked",
                "security": [{"write_key": []}],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "additionalProperties": False,
                                "required": ["customer_id", "right"],
                                "properties": {
                                    "customer_id": {"type": "string", "minLength": 1, "maxLength": 200},
                                    "right": {"enum": list(RIGHTS)},
                                },
                            }
                        }
                    },
                },
                "responses": {
                    "201": _json(_REQUEST),
                    **_problems("400", "401", "403", "404", "413", "422", "429", "503"),
                },
            },
        },
        "/v1/privacy/requests/{request_id}": {
            "get": {
                "summary": "Show one request",
                "security": [{"write_key": []}],
                "parameters": [_ID],
                "responses": {"200": _json(_REQUEST), **_problems("401", "403", "404", "429", "503")},
            },
        },
    }


def _page(summary: str, *, form: bool = False) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": [_TOKEN],
        "responses": {"200": {"description": "A page"}, "404": {"description": "A page: unknown"}},
    }
    if form:
        operation["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}}
        operation["responses"]["422"] = {"description": "The page: a value is wrong"}
    return operation


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "Ids and dates, nothing of the person", "content": {"application/json": {"schema": schema}}}


def _problems(*statuses: str) -> dict[str, Any]:
    problem = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": "A problem", "content": problem} for status in statuses}
