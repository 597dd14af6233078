"""What a person sees when something cannot be done just now."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, Response
from litestar.types import ExceptionHandlersMap

from waggle.api.page import page
from waggle.api.problem import log_fault, log_put_off, retry_after
from waggle.errors import TemporaryFailure


def page_handlers() -> ExceptionHandlersMap:
    """Return what answers failures with a page, for routes that people open."""
    return {TemporaryFailure: _busy, Exception: _fault}


def _busy(_request: Request[Any, Any, Any], error: TemporaryFailure) -> Response[str]:
    log_put_off(error)
    return _later(503, retry_after(error))


def _fault(_request: Request[Any, Any, Any], error: Exception) -> Response[str]:
    log_fault(error)
    return _later(500, {})


def _later(status_code: int, headers: Mapping[str, str]) -> Response[str]:
    return page(
        "Please try again in a minute",
        "<p>We could not do this just now, so nothing has changed.</p>",
        status_code=status_code,
        headers=headers,
    )
