"""What an installation sets, in the words of the services that go by it."""

from pathlib import Path

from waggle.domain.freshness import KINDS, FreshnessLimits
from waggle.domain.quiet_hours import QuietHours
from waggle.domain.score import ScoreBounds
from waggle.errors import BadSettings
from waggle.services.composing import Sender
from waggle.services.freshness import Caller, Freshness
from waggle.services.message_checks import SendingPolicy
from waggle.services.occasions import OccasionRules, load_lasts
from waggle.settings import FreshnessSettings, OccasionSettings, PolicySettings, ScoreSettings, Settings
from waggle.wiring.sections import Sections


def messages_together(settings: Settings) -> int:
    """Return how many messages may share a transaction.

    An SQLite file has one writer at a time, and a commit costs the same whatever it holds. On PostgreSQL each process
    has its writer: what a long transaction has read, others change before it ends, and it is begun again and again.
    """
    return 32 if settings.database_url.startswith("sqlite:") else 1


def freshness_of(settings: FreshnessSettings, sections: Sections) -> Freshness:
    """Return how old facts may be when a message leaves, and who tells of what.

    Raises:
        BadSettings: SETTING_WRONG, if a source covers what is no kind of fact.
    """
    given = {"stock": settings.stock, "price": settings.price, "order": settings.order, "cart": settings.cart}
    callers = []
    for section in sections.sources():
        common = sections.of_source(section)
        if set(common.covers) - set(KINDS):
            raise BadSettings("SETTING_WRONG", f"{section.section}.covers: give some of: {', '.join(KINDS)}")
        if common.covers:
            callers.append(Caller(source=section.name, covers=common.covers, expect_within=common.expect_within))
    return Freshness(
        limits=FreshnessLimits({kind: limit for kind, limit in given.items() if limit is not None}),
        callers=callers,
        look_again_after=settings.look_again_after,
    )


def sending_policy(settings: PolicySettings, freshness: Freshness) -> SendingPolicy:
    """Return the shop's rules for marketing messages."""
    return SendingPolicy(
        quiet_hours=QuietHours(settings.quiet_from, settings.quiet_until),
        default_time_zone=settings.default_time_zone,
        cap_messages=settings.cap_messages,
        cap_window=settings.cap_window,
        message_valid_for=settings.message_valid_for,
        freshness=freshness,
    )


def sender_of(settings: Settings) -> Sender:
    """Return who writes to customers."""
    shop = settings.shop
    return Sender(
        shop_name=shop.name,
        sender=shop.sender,
        list_id=shop.list_id,
        postal_address=shop.postal_address,
        shop_url=shop.url,
        public_url=settings.api.public_url.rstrip("/"),
        default_time_zone=settings.policy.default_time_zone,
    )


def score_bounds(settings: ScoreSettings) -> ScoreBounds:
    """Return what separates good customers from others."""
    return ScoreBounds(
        recent=settings.recent,
        lapsed_after=settings.lapsed_after,
        frequent_orders=settings.frequent_orders,
        regular_orders=settings.regular_orders,
        premium_minor=settings.premium_minor,
        average_minor=settings.average_minor,
    )


def occasion_rules(settings: OccasionSettings, config_dir: Path) -> OccasionRules:
    """Return when a birthday, a long silence or an empty jar is an occasion.

    Raises:
        BadSettings: REPLENISHMENT_WRONG.
    """
    return OccasionRules(
        lapsed_after=settings.lapsed_after,
        lapsed_until=settings.lapsed_until,
        unengaged_messages=settings.unengaged_messages,
        unengaged_within=settings.unengaged_within,
        birthday_ahead=settings.birthday_ahead,
        replenish_ahead=settings.replenish_ahead,
        lasts=load_lasts(config_dir),
    )
