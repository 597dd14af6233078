"""The HTTP application, made of its routes."""

from collections.abc import Callable, Sequence

from litestar import Litestar, Router

from waggle.api.access import NotingAccess
from waggle.api.events import Door, event_routes
from waggle.api.health import Readiness, health_routes
from waggle.api.limits import Limits, LimitSettings
from waggle.api.origins import Origins
from waggle.api.preferences import preference_routes
from waggle.api.privacy import privacy_routes
from waggle.api.problem import problem_handlers, problem_pages
from waggle.api.quarantine import Waiting, quarantine_route
from waggle.api.reading import reading_routes
from waggle.api.reference import reference_route
from waggle.api.segment import segment_routes
from waggle.api.tracker import tracker_route
from waggle.api.tracking import Tracking, tracking_routes
from waggle.api.unsubscribe import Unsubscribing, unsubscribe_routes
from waggle.api.webhooks import Webhooks, webhook_routes
from waggle.domain.event import Receipt
from waggle.services.intake import Intake
from waggle.services.one_time_actions import OneTimeActions
from waggle.services.preferences import PreferenceCentre
from waggle.services.privacy_requests import PrivacyRequestBook
from waggle.services.reading import Reading


def create_app(  # noqa: PLR0913 - one for each ability, and one that hears of it
    intake: Intake,
    access: NotingAccess,
    tracking: Tracking,
    unsubscribing: Unsubscribing,
    readiness: Readiness,
    *,
    webhooks: Webhooks | None = None,
    limits: Limits | None = None,
    origins: Origins | None = None,
    segment_currency: str = "",
    quarantine: Waiting | None = None,
    reading: Reading | None = None,
    preferences: tuple[PreferenceCentre, OneTimeActions] | None = None,
    privacy_requests: PrivacyRequestBook | None = None,
    pages: Sequence[Router] = (),
    tell: Callable[[Sequence[Receipt]], None] = lambda _receipts: None,
    tell_read: Callable[[str], None] = lambda _name: None,
) -> Litestar:
    """Return the ASGI application; it holds no state of its own.

    *pages* are served beside its own. *tell* hears what became of events, *tell_read* who was shown personal fields.
    """
    door = Door(intake, access, limits or Limits(LimitSettings()), origins or Origins(()), tell)
    return Litestar(
        route_handlers=[
            event_routes(door),
            segment_routes(door, segment_currency),
            *([quarantine_route(quarantine, access)] if quarantine is not None else []),
            tracking_routes(tracking),
            unsubscribe_routes(unsubscribing),
            *([preference_routes(*preferences)] if preferences is not None else []),
            *([privacy_routes(privacy_requests, access)] if privacy_requests is not None else []),
            health_routes(readiness),
            problem_pages(),
            reference_route(),
            tracker_route(),
            *([reading_routes(reading, access, door.limits, tell_read)] if reading is not None else []),
            *([webhook_routes(webhooks, door.limits)] if webhooks is not None else []),
            *pages,
        ],
        exception_handlers=problem_handlers(),
        openapi_config=None,  # ours says what may be sent; the framework's would only see raw bodies
        logging_config=None,
        debug=False,
    )
