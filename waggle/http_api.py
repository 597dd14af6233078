"""What is served over HTTP, put together; only a process that serves it imports it."""

from collections.abc import Callable, Sequence

from litestar import Litestar, Router

from waggle.api.app import create_app
from waggle.api.limits import Limits, LimitSettings
from waggle.api.origins import Origins
from waggle.app import App
from waggle.console import console_routes
from waggle.domain.event import Receipt
from waggle.health import StoreReadiness
from waggle.services.reading import Reading
from waggle.services.tracking import Tracking, Unsubscribing
from waggle.settings import ApiSettings


def http_api(
    app: App,
    tell: Callable[[Sequence[Receipt]], None] = lambda _receipts: None,
    hear: Callable[[str, str], None] = lambda _source, _outcome: None,
    tell_read: Callable[[str], None] = lambda _name: None,
) -> Litestar:
    """Return the HTTP application.

    *tell* hears what became of events that sources sent, *hear* of calls of webhooks, *tell_read* who was shown
    personal fields.
    """
    settings = app.settings
    return create_app(
        app.intake,
        app.accounts.access,
        Tracking(app.store, app.intake, app.clock),
        Unsubscribing(app.store, app.intake, app.clock, settings.shop.name),
        StoreReadiness(app.store),
        webhooks=app.sources.webhooks(hear),
        limits=_limits(settings.api),
        origins=Origins(settings.api.tracker_origins.split()),
        segment_currency=settings.api.segment_currency,
        quarantine=app.quarantine,
        reading=Reading(app.store, app.clock),
        preferences=(app.privacy.preference_centre, app.privacy.one_time_actions),
        privacy_requests=app.privacy.requests,
        pages=[_console(app)],
        tell=tell,
        tell_read=tell_read,
    )


def _console(app: App) -> Router:
    secure = app.settings.api.public_url.startswith("https://")
    return console_routes(app.accounts.console_sessions, app.approvals, app.clock, secure=secure)


def _limits(settings: ApiSettings) -> Limits:
    return Limits(
        LimitSettings(
            requests_per_s=settings.requests_per_s,
            events_per_s=settings.events_per_s,
            bodies_bytes=settings.bodies_bytes,
            body_timeout_s=settings.body_timeout_s,
        )
    )
