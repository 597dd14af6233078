"""Issue coupons within their budget, once per step of a journey."""

import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from waggle.domain.coupon import Coupon, CouponCampaign, new_code
from waggle.errors import BadSettings, PermanentFailure, Rejected
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import Transaction, UnitOfWork

BUDGET_EXHAUSTED = "COUPON_BUDGET_EXHAUSTED"


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    percent: int
    valid_for: timedelta
    currency: str
    max_discount_minor: int
    budget_count: int
    budget_minor: int


def load_campaigns(config_dir: Path) -> dict[str, CouponCampaign]:
    """Read `coupons.toml`.

    Raises:
        BadSettings: the file is missing or a campaign is not as it should be.
    """
    file = config_dir / "coupons.toml"
    campaigns = {}
    try:
        for name, table in tomllib.loads(file.read_text(encoding="utf-8")).items():
            keys = msgspec.convert(table, _Keys)
            campaigns[name] = CouponCampaign(name=name, **msgspec.structs.asdict(keys))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadSettings("COUPONS_WRONG", f"{file}: {error}") from error
    for campaign in campaigns.values():
        if not 1 <= campaign.percent <= 100 or campaign.max_discount_minor < 0:  # noqa: PLR2004 -- percent
            raise BadSettings("COUPONS_WRONG", f"{file}: [{campaign.name}] percent must lie between 1 and 100")
    return campaigns


class Coupons:
    """The coupon desk: reserve here, issue when the message leaves, redeem with the order, reverse if nothing left."""

    def __init__(self, store: UnitOfWork, campaigns: Mapping[str, CouponCampaign], clock: Clock) -> None:
        self._store = store
        self._campaigns = campaigns
        self._clock = clock

    async def issue(self, *, enrolment_id: str, step: str, campaign: str) -> str:
        """Set one coupon aside for this *step* and return its id; the same step always gets the same coupon.

        Raises:
            Rejected: COUPON_BUDGET_EXHAUSTED.
            PermanentFailure: CAMPAIGN_UNKNOWN or ENROLMENT_UNKNOWN.
        """
        offered = self._campaigns.get(campaign)
        if offered is None:
            raise PermanentFailure("CAMPAIGN_UNKNOWN", f"coupons.toml has no [{campaign}]")

        def reserve(tx: Transaction) -> str:
            tx.coupons.wait_for_budgets()
            return _reserve(tx, offered, enrolment_id, step, self._clock.now())

        return await self._store.run(reserve)

    async def take_back_of(self, *, enrolment_id: str, coupon_id: str | None) -> bool:
        """Take back the coupon of an enrolment and say whether it is: not one that was used or is being sent.

        Raises:
            PermanentFailure: COUPON_OF_ANOTHER.
        """

        def take(tx: Transaction) -> bool:
            coupon = tx.coupons.get(coupon_id) if coupon_id is not None else None
            if coupon is None:
                return False
            if coupon.enrolment_id != enrolment_id:
                raise PermanentFailure("COUPON_OF_ANOTHER", coupon.coupon_id)
            messages = tx.messages.of_enrolment(enrolment_id)
            under_way = {m.coupon_id for m in messages if m.state in {"claimed", "handed_over"}}
            if coupon.coupon_id not in under_way:
                take_back(tx, coupon.coupon_id, self._clock.now())
            after = tx.coupons.get(coupon.coupon_id)
            return after is not None and after.state == "reversed"

        return await self._store.run(take)


def _reserve(tx: Transaction, campaign: CouponCampaign, enrolment_id: str, step: str, now: datetime) -> str:
    known = tx.coupons.of_step(enrolment_id, step)
    if known is not None:
        return known.coupon_id
    enrolment = tx.enrolments.get(enrolment_id)
    if enrolment is None:
        raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
    if not enrolment.live:
        # A job that outlived its journey: nothing would ever give this coupon back.
        raise Rejected(BUDGET_EXHAUSTED, "no budget for a journey that has ended")
    cart = tx.carts.get(enrolment.cart_id) if enrolment.cart_id is not None else None
    if cart is not None and cart.currency != campaign.currency:
        raise Rejected(BUDGET_EXHAUSTED, f"{campaign.name} has no budget in {cart.currency}")
    cost_minor = campaign.cost_minor(cart.value_minor) if cart is not None else campaign.max_discount_minor
    use = tx.coupons.budget_use(campaign.name)
    if use.currency not in {None, campaign.currency}:
        raise PermanentFailure(
            "CAMPAIGN_CURRENCY_CHANGED", f"[{campaign.name}] began in {use.currency}: give the new one another name"
        )
    if not use.leaves_room_for(campaign, cost_minor):
        raise Rejected(BUDGET_EXHAUSTED, campaign.name)
    coupon = Coupon(
        coupon_id=str(uuid.uuid4()),
        enrolment_id=enrolment_id,
        step=step,
        campaign=campaign.name,
        code=new_code(),
        percent=campaign.percent,
        cost_minor=cost_minor,
        customer_id=enrolment.customer_id,
        state="reserved",
        reserved_at=now,
        expires_at=now + campaign.valid_for,
    )
    tx.coupons.save(coupon)
    tx.coupons.set_budget_use(campaign.name, use.and_one(cost_minor, campaign.currency))
    return coupon.coupon_id


def give_back(tx: Transaction, coupon_id: str | None, now: datetime) -> None:
    """Free the budget of a coupon that nobody has received."""
    coupon = tx.coupons.get(coupon_id) if coupon_id is not None else None
    if coupon is not None and coupon.state == "reserved":
        _reverse(tx, coupon, now)


def take_back(tx: Transaction, coupon_id: str | None, now: datetime) -> None:
    """Free the budget of a coupon whose message is now known not to have arrived, unless it was used all the same."""
    coupon = tx.coupons.get(coupon_id) if coupon_id is not None else None
    if coupon is not None and coupon.state in {"reserved", "issued"}:
        _reverse(tx, coupon, now)


def _reverse(tx: Transaction, coupon: Coupon, now: datetime) -> None:
    tx.coupons.save(replace(coupon, state="reversed", closed_at=now))
    tx.coupons.set_budget_use(coupon.campaign, tx.coupons.budget_use(coupon.campaign).less_one(coupon.cost_minor))


def hand_out(tx: Transaction, coupon_id: str | None, now: datetime) -> None:
    """Note that the message with the coupon left, or may have left."""
    coupon = tx.coupons.get(coupon_id) if coupon_id is not None else None
    if coupon is not None and coupon.state == "reserved":
        tx.coupons.save(replace(coupon, state="issued", issued_at=now))
