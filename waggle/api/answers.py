"""How the description of the API tells answers."""

from typing import Any

from waggle.api.problem import KINDS, PROBLEM_JSON

_PROBLEM = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_PAGE = {"text/html": {"schema": {"type": "string"}}}

WITH_A_KEY = (401, 403, 429, 500, 503)
"""How every route can fail that asks for a key."""


def problems(*statuses: int) -> dict[str, Any]:
    """Return the failures of these statuses, each by what it can mean."""
    return {
        str(status): {
            "description": " · ".join(kind.title for kind in KINDS.values() if kind.status == status),
            "content": _PROBLEM,
        }
        for status in sorted(statuses)
    }


def pages(answers: dict[int, str]) -> dict[str, Any]:
    """Return answers that are pages for people; also what they see while something is out of order."""
    later = {500: "A page: something broke", 503: "A page: try again in a minute"}
    return {
        str(status): {"description": said} | ({} if 300 <= status < 400 else {"content": _PAGE})  # noqa: PLR2004
        for status, said in (answers | later).items()
    }


def empty(answers: dict[int, str]) -> dict[str, Any]:
    """Return answers of which only status and headers count."""
    return {str(status): {"description": said} for status, said in answers.items()}


def json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return an answer that is JSON."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}
