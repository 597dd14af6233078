"""Log lines: one JSON object or one readable line per event, keys only, never a person."""

import logging
import sys
from typing import Literal, cast

import structlog

Form = Literal["auto", "json", "console"]


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; its events are short phrases with key=value fields."""
    return cast("structlog.stdlib.BoundLogger", structlog.get_logger(name))


def configure(form: Form, level: str) -> None:
    """Send every log line to standard error: readable on a terminal, JSON lines elsewhere, unless *form* says."""
    readable = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            # The text of an error may quote a person: its type and place say enough.
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_exception_text,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # At lower levels these write the payloads they handle, or what nobody asked for.
    for chatty in ("alembic", "pyzeebe", "mail.log", "httpx", "httpcore", "uvicorn.access", "sqlalchemy.engine"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _without_exception_text(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    failure = event.pop("exc_info", None)
    error = failure[1] if isinstance(failure, tuple) else failure
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        if trace is not None:
            event["raised_at"] = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
    return event
