"""The HTTP application, made of its routes."""

from litestar import Litestar

from waggle.api.events import WriteKeys, event_routes
from waggle.api.health import Readiness, health_routes
from waggle.api.problem import problem_handlers, problem_pages
from waggle.api.reference import reference_route
from waggle.api.tracking import Tracking, tracking_routes
from waggle.api.unsubscribe import Unsubscribing, unsubscribe_routes
from waggle.services.intake import Intake


def create_app(
    intake: Intake,
    write_keys: WriteKeys,
    tracking: Tracking,
    unsubscribing: Unsubscribing,
    readiness: Readiness,
) -> Litestar:
    """Return the ASGI application; it holds no state of its own."""
    return Litestar(
        route_handlers=[
            event_routes(intake, write_keys),
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
