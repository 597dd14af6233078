"""`/console`: all its pages."""

from litestar import Router

from waggle.console.approvals import Approvals, approval_routes
from waggle.console.gate import Gate, Sessions
from waggle.console.login import login_routes
from waggle.ports.clock import Clock


def console_routes(sessions: Sessions, approvals: Approvals, clock: Clock, *, secure: bool) -> Router:
    """Return the pages; *secure* if browsers reach them by https."""
    gate = Gate(sessions, secure=secure)
    return Router("/", route_handlers=[login_routes(gate), approval_routes(gate, approvals, clock)])
