"""The HTTP application, made of its routes."""

from collections.abc import Callable, Sequence

from litestar import Litestar

from waggle.api.events import WriteKeys, event_routes
from waggle.api.health import Readiness, health_routes
from waggle.api.problem import problem_handlers, problem_pages
from waggle.api.reference import reference_route
from waggle.api.tracking import Tracking, tracking_routes
from waggle.api.unsubscribe import Unsubscribing, unsubscribe_routes
from waggle.domain.event import Receipt
from waggle.services.intake import Intake


def create_app(  # noqa: PLR0913 - one for each ability, and one that hears of it
    intake: Intake,
    write_keys: WriteKeys,
    tracking: Tracking,
    unsubscribing: Unsubscribing,
    readiness: Readiness,
    *,
    tell: Callable[[Sequence[Receipt]], None] = lambda _receipts: None,
) -> Litestar:
    """Return the ASGI application; it holds no state of its own. *tell* hears what became of events."""
    return Litestar(
        route_handlers=[
            event_routes(intake, write_keys, tell),
            tracking_routes(tracking),
            unsubscribe_routes(unsubscribing),
            health_routes(readiness),
            problem_pages(),
            reference_route(),
        ],
        exception_handlers=problem_handlers(),
        openapi_config=None,  # ours says what may be sent; the framework's would only see raw bodies
        logging_config=None,
        debug=False,
    )
