from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from waggle.demo.oracle.expectation import Expected, Window, expect
from waggle.demo.oracle.rules import Rules
from waggle.demo.plots import plan_stragglers
from waggle.demo.report import Evidence
from waggle.demo.scenario import (
    CartRow,
    CouponRow,
    Deed,
    EnrolmentRow,
    Facts,
    Mail,
    MessageRow,
    OrderRow,
    Scenario,
)
from waggle.demo.shop import Shop
from waggle.demo.shop_process import Played

SATURDAY = datetime(2026, 11, 21, 12, tzinfo=UTC)


class PerfectHouse:
    """Does at each moment what the oracle would expect of it then, and keeps books as Waggle does."""

    def __init__(self, scenario: Scenario, rules: Rules, now: datetime) -> None:
        self.scenario = scenario
        self.rules = rules
        self.time = now
        self.deeds: list[Deed] = []
        self.noted_at: list[datetime] = []
        self.mails: list[Mail] = []
        self.first_mails: dict[str, datetime] = {}
        self.reminded: set[str] = set()
        self.coupons: dict[str, CouponRow] = {}
        self.events: dict[str, Mapping[str, Any]] = {}
        self.leaps: list[float] = []
        self.given = 0

    def now(self) -> datetime:
        return self.time

    async def advance(self, seconds: float) -> None:
        self.leaps.append(seconds)
        self.time += timedelta(seconds=seconds)

    async def idle(self) -> None:
        for cart_id, right in self.expected().items():
            if right.first is not None and self.is_due(right.first) and cart_id not in self.first_mails:
                self.first_mails[cart_id] = self.time
                self.mail(right, self.coupon(right))
            elif right.reminder is not None and self.is_due(right.reminder) and cart_id not in self.reminded:
                self.reminded.add(cart_id)
                self.mail(right, self.coupons.get(cart_id))

    async def next_due(self) -> datetime | None:
        return min(self.open_windows(), default=None)

    async def open_journeys(self) -> int:
        return len(self.open_windows())

    async def deliver(self, event: Mapping[str, Any]) -> str:
        known = self.events.setdefault(event["id"], event)
        if known is event:
            return "accepted"
        return "duplicate" if known == event else "refused"

    async def click(self, link: str) -> str:
        return "accepted"

    async def unsubscribe(self, link: str) -> str:
        return "accepted"

    async def new_mails(self) -> list[Mail]:
        mails, self.given = self.mails[self.given :], len(self.mails)
        return mails

    def note(self, deed: Deed) -> None:
        self.deeds.append(deed)
        self.noted_at.append(self.time)

    def expected(self) -> dict[str, Expected]:
        return expect(self.scenario, self.deeds, self.first_mails, self.rules)

    def is_due(self, window: Window) -> bool:
        return window.opens_at + timedelta(seconds=5) <= self.time

    def open_windows(self) -> list[datetime]:
        return [
            window.opens_at + timedelta(seconds=5)
            for right in self.expected().values()
            for window in (right.first, right.reminder)
            if window is not None and not self.is_due(window)
        ]

    def coupon(self, right: Expected) -> CouponRow | None:
        if right.campaign is None:
            return None
        campaign = self.rules.campaigns[right.campaign]
        taken = [coupon for coupon in self.coupons.values() if coupon["campaign"] == right.campaign]
        cost_minor = campaign.cost_minor(right.value_minor)
        if len(taken) == campaign.budget_count:
            return None
        row = CouponRow(
            enrolment_id=f"e-{right.cart_id}",
            campaign=right.campaign,
            code=f"CODE-{len(self.coupons):04d}-HONY",
            state="issued",
            cost_minor=cost_minor,
        )
        self.coupons[right.cart_id] = row
        return row

    def mail(self, right: Expected, coupon: CouponRow | None) -> None:
        [shopper] = [s for s in self.scenario.shoppers if right.cart_id in {cart.cart_id for cart in s.carts}]
        lines = [f"* 1 x {name}: EUR 1.00" for name in right.item_names]
        if coupon is not None:
            lines.append(f"{self.rules.campaigns[coupon['campaign']].percent}% off with {coupon['code']}")
        number = len(self.mails)
        # Its token looks like a coupon code.
        lines.append(f"Your data and choices: http://127.0.0.1/p/1b4e28ba-{number:04}-4111-8111-00002fa1")
        self.mails.append(
            Mail(
                to=shopper.email or "",
                arrived_at=self.time,
                message_id=f"<{number}@shop.example>",
                text="\n".join(lines),
                cart_url=f"http://127.0.0.1/c/{number}",
                unsubscribe_url=f"http://127.0.0.1/u/{number}",
            )
        )

    def facts(self) -> Facts:
        carts: dict[str, CartRow] = {}
        orders = []
        for deed in sorted(self.deeds, key=lambda deed: deed.at):
            if not deed.expected == deed.answer == "accepted":
                continue
            customer_id = deed.data.get("customer_id")
            if deed.what == "cart-updated":
                cart_id, count = deed.data["cart_id"], len(deed.data["items"])
                carts[cart_id] = CartRow(
                    cart_id=cart_id, customer_id=customer_id, last_activity_at=deed.at, item_count=count
                )
            if deed.what == "order-placed":
                orders.append(
                    OrderRow(
                        order_id=deed.data["order_id"],
                        cart_id=deed.data.get("cart_id"),
                        customer_id=customer_id,
                        placed_at=deed.at,
                        total_minor=deed.data["total_minor"],
                    )
                )
        expected = self.expected().values()
        enrolments = [enrolment_of(right) for right in expected]
        messages = [row for right in expected for row in messages_of(right)]
        return Facts(list(carts.values()), orders, enrolments, messages, list(self.coupons.values()), incidents=0)

    def evidence(self) -> Evidence:
        return Evidence(tuple(self.deeds), tuple(self.mails), self.facts())


def enrolment_of(right: Expected) -> EnrolmentRow:
    exits = ("ordered", "emptied", "consent_withdrawn")
    outcome = "no_order" if not right.reason else right.reason if right.reason in exits else "not_eligible"
    return EnrolmentRow(
        enrolment_id=f"e-{right.cart_id}",
        cart_id=right.cart_id,
        state="ended",
        outcome=outcome,
        outcome_reason=right.reason,
        entered_at=SATURDAY,
    )


def messages_of(right: Expected) -> Iterator[MessageRow]:
    for step, window in (("first-mail", right.first), ("reminder", right.reminder)):
        if window is None:
            continue
        yield MessageRow(
            enrolment_id=f"e-{right.cart_id}",
            step=step,
            state="sent",
            reason="ok",
            planned_at=window.opens_at - timedelta(hours=1) if window.held else window.opens_at,
            not_before_at=window.opens_at,
        )


class ShopInHand:
    """The shop without a process around it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.admitted = 0

    async def play(self, until: datetime) -> Played:
        return Played(await self.shop.play(until), self.shop.next_at)

    async def admit(self, stragglers: int, at: datetime) -> Played:
        sent = await self.shop.admit(plan_stragglers(stragglers, 1, at, after=self.admitted))
        self.admitted += stragglers
        return Played(sent, self.shop.next_at)


async def nobody_looks_on() -> None:
    pass
