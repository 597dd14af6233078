"""The database held against what is right: carts, reasons, journeys, orders, coupons."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from waggle.demo.oracle.expectation import Expected
from waggle.demo.oracle.mails import CartMails, Difference
from waggle.demo.oracle.rules import Campaign, Rules
from waggle.demo.scenario import CouponRow, EnrolmentRow, Facts, MessageRow

_NEVER = datetime.max.replace(tzinfo=UTC)
_EXITS = frozenset({"ordered", "emptied", "consent_withdrawn", "customer_erased"})


def is_abandoned(facts: Facts, rules: Rules) -> dict[str, bool]:
    """Say of every cart in the database whether it was left, with something in it and without an order."""
    ordered_at: dict[str | None, datetime] = {}
    for order in sorted(facts.orders, key=lambda order: order["placed_at"]):
        ordered_at.setdefault(order["cart_id"], order["placed_at"])
    return {
        cart["cart_id"]: cart["item_count"] > 0
        and ordered_at.get(cart["cart_id"], _NEVER) > cart["last_activity_at"] + rules.idle
        for cart in facts.carts
    }


def reasons(facts: Facts) -> dict[str, str]:
    """Return for every cart that entered the journey why no first mail left, as the database has it; "" if one did."""
    messages = {message["enrolment_id"]: message for message in facts.messages if message["step"] == "first-mail"}
    newest: dict[str, EnrolmentRow] = {}
    for enrolment in sorted(facts.enrolments, key=lambda enrolment: enrolment["entered_at"]):
        if enrolment["cart_id"] is not None:
            newest[enrolment["cart_id"]] = enrolment
    return {
        cart_id: _reason(enrolment, messages.get(enrolment["enrolment_id"])) for cart_id, enrolment in newest.items()
    }


def _reason(enrolment: EnrolmentRow, message: MessageRow | None) -> str:
    if message is not None and message["state"] in ("sent", "in_doubt"):
        return ""
    outcome = enrolment["outcome"] or enrolment["state"]
    if outcome in _EXITS:
        return outcome
    if message is not None and message["reason"]:
        return message["reason"]
    return enrolment["outcome_reason"] or outcome


def book_differences(
    expected: Mapping[str, Expected], by_cart: Mapping[str, CartMails], facts: Facts, rules: Rules
) -> Iterator[Difference]:
    """Yield what the database has of carts and coupons that is not right."""
    yield from _carts(expected, by_cart, facts, rules)
    yield from _coupons(expected, by_cart, facts, rules)


def _carts(
    expected: Mapping[str, Expected], by_cart: Mapping[str, CartMails], facts: Facts, rules: Rules
) -> Iterator[Difference]:
    abandoned = is_abandoned(facts, rules)
    noted = reasons(facts)
    held = held_carts(facts)
    for cart_id, right in expected.items():
        if cart_id not in abandoned:
            yield Difference(cart_id, "a cart in the database", "none")
        elif abandoned[cart_id] != right.abandoned:
            yield Difference(cart_id, f"abandoned in the database: {right.abandoned}", str(abandoned[cart_id]))
        if right.abandoned and noted.get(cart_id, "not_entered") != right.reason:
            found = noted.get(cart_id, "not_entered")
            yield Difference(cart_id, f"in the database: {right.reason or 'sent'}", found or "sent")
        arrived = bool(by_cart.get(cart_id, CartMails()).first)
        if arrived and right.first is not None and (cart_id in held) != right.first.held:
            yield Difference(cart_id, f"held by quiet hours: {right.first.held}", str(cart_id in held))


def held_carts(facts: Facts) -> set[str]:
    """Return the carts whose first mail was held by quiet hours."""
    held = {
        message["enrolment_id"]
        for message in facts.messages
        if message["step"] == "first-mail" and message["not_before_at"] > message["planned_at"]
    }
    return {
        each["cart_id"] for each in facts.enrolments if each["cart_id"] is not None and each["enrolment_id"] in held
    }


def _coupons(
    expected: Mapping[str, Expected], by_cart: Mapping[str, CartMails], facts: Facts, rules: Rules
) -> Iterator[Difference]:
    cart_of = {enrolment["enrolment_id"]: enrolment["cart_id"] for enrolment in facts.enrolments}
    for coupon in facts.coupons:
        cart_id = cart_of.get(coupon["enrolment_id"]) or "-"
        wanted = expected[cart_id].campaign if cart_id in expected else None
        if coupon["campaign"] != wanted:
            yield Difference(cart_id, f"a coupon of {wanted or 'no campaign'}", coupon["campaign"])
    given: dict[str, str] = {}
    for cart_id, about in by_cart.items():
        for code in about.codes:
            if given.setdefault(code, cart_id) != cart_id:
                yield Difference(cart_id, "a coupon of its own", f"the code of {given[code]}")
    for name, campaign in rules.campaigns.items():
        issued = [coupon for coupon in facts.coupons if coupon["campaign"] == name]
        wanted_by = [right for right in expected.values() if right.first is not None and right.campaign == name]
        yield from _overspent(name, campaign, issued, {right.cart_id: right for right in wanted_by}, given)
        yield from _withheld(name, campaign, issued, wanted_by, set(given.values()))


def _overspent(
    name: str,
    campaign: Campaign,
    issued: Sequence[CouponRow],
    wanted_by: Mapping[str, Expected],
    given: Mapping[str, str],
) -> Iterator[Difference]:
    """Yield budgets that are exceeded, by the codes in the mails or by the coupons in the database."""
    standing = [coupon for coupon in issued if coupon["state"] != "reversed"]
    # The code of a coupon that was reversed later is worth nothing any more, and its budget may have gone to another.
    worthless = {coupon["code"] for coupon in issued if coupon["state"] == "reversed"}
    mailed = [wanted_by[cart_id] for code, cart_id in given.items() if code not in worthless and cart_id in wanted_by]
    count = max(len(mailed), len(standing))
    if count > campaign.budget_count:
        yield Difference("-", f"at most {campaign.budget_count} coupons of {name}", str(count))
    spent_minor = max(
        sum(campaign.cost_minor(right.value_minor) for right in mailed),
        sum(coupon["cost_minor"] for coupon in standing),
    )
    if spent_minor > campaign.budget_minor:
        yield Difference("-", f"at most {campaign.budget_minor} cents for {name}", str(spent_minor))


def _withheld(
    name: str, campaign: Campaign, issued: Sequence[CouponRow], wanted_by: Iterable[Expected], given: set[str]
) -> Iterator[Difference]:
    """Yield mails without a coupon though the budget had room for it at all times."""
    room_minor = campaign.budget_minor - sum(coupon["cost_minor"] for coupon in issued)
    for right in wanted_by:
        had_room = len(issued) < campaign.budget_count and campaign.cost_minor(right.value_minor) <= room_minor
        if right.cart_id not in given and had_room:
            yield Difference(right.cart_id, f"a coupon of {name}, whose budget had room", "none")
