from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from waggle.demo.oracle.comparison import compare
from waggle.demo.oracle.expectation import Expected, expect
from waggle.demo.oracle.mails import Difference, sort_mails
from waggle.demo.oracle.rules import Rules
from waggle.demo.report import Evidence
from waggle.demo.scenario import Facts, Kind, Mail, Scenario, Shopper


@pytest.fixture
def right(scenario: Scenario, evidence: Evidence, rules: Rules) -> dict[str, Expected]:
    by_cart, _ = sort_mails(scenario, evidence.mails)
    first_mails = {cart_id: about.first[0].arrived_at for cart_id, about in by_cart.items() if about.first}
    return expect(scenario, evidence.deeds, first_mails, rules)


@pytest.fixture
def judged(scenario: Scenario, evidence: Evidence, rules: Rules) -> Callable[..., list[Difference]]:
    """Compare with some of the evidence replaced."""

    def compared(*, mails: list[Mail] | None = None, facts: Facts | None = None) -> list[Difference]:
        found = evidence.mails if mails is None else mails
        return compare(scenario, evidence.deeds, found, facts or evidence.facts, rules)

    return compared


def first_of(scenario: Scenario, kind: Kind) -> Shopper:
    """Return the shopper who shows the kind in the first round, and is therefore on the right side of the hold-out."""
    return next(shopper for shopper in scenario.shoppers if shopper.kind is kind)


def mails_to(evidence: Evidence, shopper: Shopper) -> list[Mail]:
    return [mail for mail in evidence.mails if mail.to == shopper.email]


@pytest.mark.parametrize(
    ("kind", "abandoned", "reason"),
    [
        (Kind.ABANDONED, True, ""),
        (Kind.EMPTIED, False, "emptied"),
        (Kind.ORDERED_IN_TIME, False, "ordered"),
        (Kind.ORDER_BEFORE_CART, False, "ordered"),
        (Kind.OTHER_CART_ORDERED, True, "ordered"),
        (Kind.NO_CONSENT, True, "no_consent"),
        (Kind.NO_CONTACT, True, "no_contact"),
        (Kind.CONSENT_WITHDRAWN, True, "consent_withdrawn"),
        (Kind.OUT_OF_STOCK, True, "out_of_stock"),
        (Kind.HELD_OUT, True, "holdout"),
        (Kind.LATE_EVENT, True, ""),
        (Kind.REPEATED_DELIVERY, True, ""),
        (Kind.RETURNING, True, ""),
        (Kind.PRICE_CHANGE, True, ""),
    ],
)
def test_each_kind_leads_to_what_it_stands_for(
    scenario: Scenario, right: dict[str, Expected], kind: Kind, abandoned: bool, reason: str
) -> None:
    cart = right[first_of(scenario, kind).carts[0].cart_id]

    assert (cart.abandoned, cart.reason, cart.first is None) == (abandoned, reason, bool(reason))


def test_the_second_cart_of_one_customer_is_capped(scenario: Scenario, right: dict[str, Expected]) -> None:
    first, second = first_of(scenario, Kind.TWO_CARTS).carts

    assert right[first.cart_id].first is not None
    assert right[second.cart_id].reason == "frequency_cap"


def test_who_is_asleep_gets_the_mail_at_nine_in_the_morning(scenario: Scenario, right: dict[str, Expected]) -> None:
    window = right[first_of(scenario, Kind.ASLEEP).carts[0].cart_id].first

    assert window is not None
    assert window.held
    # 09:00 in New York, less the tolerance between two readers of one clock.
    assert window.opens_at.isoformat() == "2026-11-23T13:59:55+00:00"


@pytest.mark.parametrize("kind", [Kind.UNSUBSCRIBES, Kind.CLICKS])
def test_who_answers_the_mail_gets_no_reminder(scenario: Scenario, right: dict[str, Expected], kind: Kind) -> None:
    cart = right[first_of(scenario, kind).carts[0].cart_id]

    assert cart.first is not None
    assert cart.reminder is None


def test_who_does_nothing_gets_one_reminder_a_day_later(right: dict[str, Expected]) -> None:
    reminded = [cart for cart in right.values() if cart.reminder is not None]

    assert reminded
    for cart in reminded:
        assert cart.first is not None
        assert cart.reminder is not None
        assert cart.reminder.opens_at - cart.first.opens_at >= timedelta(hours=24)


def test_a_small_cart_is_offered_no_coupon(scenario: Scenario, right: dict[str, Expected]) -> None:
    cart = right[first_of(scenario, Kind.LOW_VALUE).carts[0].cart_id]

    assert cart.first is not None
    assert cart.campaign is None


def test_a_late_picture_of_a_cart_changes_nothing(scenario: Scenario, right: dict[str, Expected]) -> None:
    [planned] = first_of(scenario, Kind.LATE_EVENT).carts

    assert right[planned.cart_id].item_names == tuple(item["name"] for item in planned.items)


def test_nothing_differs_where_everything_is_right(judged: Callable[..., list[Difference]]) -> None:
    assert judged() == []


def test_a_missing_mail_is_found(
    scenario: Scenario, evidence: Evidence, judged: Callable[..., list[Difference]]
) -> None:
    shopper = first_of(scenario, Kind.UNSUBSCRIBES)
    mails = [mail for mail in evidence.mails if mail.to != shopper.email]

    found = judged(mails=mails)

    assert (shopper.carts[0].cart_id, "none") in {(each.cart, each.found) for each in found}
    assert any("as the database says" in each.expected for each in found)


def test_a_missing_reminder_is_found(
    scenario: Scenario, evidence: Evidence, judged: Callable[..., list[Difference]]
) -> None:
    shopper = first_of(scenario, Kind.TWO_CARTS)
    first, reminder = mails_to(evidence, shopper)

    found = judged(mails=[mail for mail in evidence.mails if mail is not reminder])

    assert any(each.cart == shopper.carts[0].cart_id and "reminder" in each.expected for each in found)
    assert first.text


def test_a_duplicate_is_found(scenario: Scenario, evidence: Evidence, judged: Callable[..., list[Difference]]) -> None:
    shopper = first_of(scenario, Kind.CLICKS)
    [mail] = mails_to(evidence, shopper)
    again = replace(mail, arrived_at=mail.arrived_at + timedelta(seconds=40))

    found = judged(mails=[*evidence.mails, again])

    assert Difference(shopper.carts[0].cart_id, "one first mail", "2") in found


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Kind.ORDERED_IN_TIME, "ordered"),
        (Kind.OTHER_CART_ORDERED, "ordered"),
        (Kind.ORDER_BEFORE_CART, "ordered"),
        (Kind.HELD_OUT, "holdout"),
        (Kind.EMPTIED, "emptied"),
        (Kind.NO_CONSENT, "no_consent"),
        (Kind.CONSENT_WITHDRAWN, "consent_withdrawn"),
        (Kind.OUT_OF_STOCK, "out_of_stock"),
    ],
)
def test_a_mail_to_somebody_who_should_get_none_is_found(
    scenario: Scenario,
    evidence: Evidence,
    judged: Callable[..., list[Difference]],
    kind: Kind,
    reason: str,
) -> None:
    shopper = first_of(scenario, kind)
    wrong = mail_about(shopper, 0, scenario.ends_at)

    found = judged(mails=[*evidence.mails, wrong])

    assert (shopper.carts[0].cart_id, f"no mail: {reason}") in {(each.cart, each.expected) for each in found}


def test_a_mail_about_the_capped_cart_is_found(
    scenario: Scenario, evidence: Evidence, judged: Callable[..., list[Difference]]
) -> None:
    shopper = first_of(scenario, Kind.TWO_CARTS)

    found = judged(mails=[*evidence.mails, mail_about(shopper, 1, scenario.ends_at)])

    assert (shopper.carts[1].cart_id, "no mail: frequency_cap") in {(each.cart, each.expected) for each in found}


@pytest.mark.parametrize("kind", [Kind.UNSUBSCRIBES, Kind.CLICKS])
def test_a_reminder_after_an_answer_is_found(
    scenario: Scenario, evidence: Evidence, judged: Callable[..., list[Difference]], kind: Kind
) -> None:
    shopper = first_of(scenario, kind)
    [mail] = mails_to(evidence, shopper)
    reminder = replace(mail, arrived_at=mail.arrived_at + timedelta(hours=24, minutes=1))

    found = judged(mails=[*evidence.mails, reminder])

    assert (shopper.carts[0].cart_id, "no reminder") in {(each.cart, each.expected) for each in found}


@pytest.mark.parametrize("minutes", [-3, 15])
def test_a_mail_at_the_wrong_time_is_found(
    scenario: Scenario, evidence: Evidence, judged: Callable[..., list[Difference]], minutes: int
) -> None:
    shopper = first_of(scenario, Kind.CLICKS)
    moved = move(evidence, shopper, timedelta(minutes=minutes))

    found = judged(mails=moved)

    assert [each.cart for each in found] == [shopper.carts[0].cart_id]


def test_a_mail_in_the_night_is_found(
    scenario: Scenario, evidence: Evidence, judged: Callable[..., list[Difference]]
) -> None:
    shopper = first_of(scenario, Kind.ASLEEP)

    found = judged(mails=move(evidence, shopper, -timedelta(hours=2)))

    assert any(each.cart == shopper.carts[0].cart_id and "first mail between" in each.expected for each in found)


def test_a_mail_that_forgets_an_item_is_found(
    scenario: Scenario, evidence: Evidence, judged: Callable[..., list[Difference]]
) -> None:
    shopper = first_of(scenario, Kind.LATE_EVENT)
    forgotten = shopper.carts[0].items[0]["name"]
    mails = [
        replace(mail, text=mail.text.replace(forgotten, "")) if mail.to == shopper.email else mail
        for mail in evidence.mails
    ]

    assert any(forgotten in each.found for each in judged(mails=mails))


def test_a_mail_to_a_stranger_is_found(evidence: Evidence, judged: Callable[..., list[Difference]]) -> None:
    stray = replace(evidence.mails[0], to="somebody@elsewhere.example", message_id="<stray@shop.example>")

    assert Difference("-", "no mail to a stranger or about no cart", "<stray@shop.example>") in judged(
        mails=[*evidence.mails, stray]
    )


def test_one_coupon_more_than_the_budget_holds_is_found(
    right: dict[str, Expected], scenario: Scenario, evidence: Evidence, judged: Callable[..., list[Difference]]
) -> None:
    given = {coupon["enrolment_id"].removeprefix("e-") for coupon in evidence.facts.coupons}
    without = next(
        cart_id
        for cart_id, cart in right.items()
        if cart.first is not None and cart.campaign == "cart-10" and cart_id not in given
    )
    [to] = [shopper.email for shopper in scenario.shoppers if without in {cart.cart_id for cart in shopper.carts}]
    mails = [
        replace(mail, text=f"{mail.text}\n10% off with MORE-THAN-HAVE") if mail.to == to else mail
        for mail in evidence.mails
    ]

    assert Difference("-", "at most 6 coupons of cart-10", "7") in judged(mails=mails)


def test_a_coupon_of_another_campaign_is_found(evidence: Evidence, judged: Callable[..., list[Difference]]) -> None:
    wrong, *rest = evidence.facts.coupons
    other = "cart-15" if wrong["campaign"] != "cart-15" else "cart-5"
    facts = replace(evidence.facts, coupons=[{**wrong, "campaign": other}, *rest])

    assert any(each.expected == f"a coupon of {wrong['campaign']}" for each in judged(facts=facts))


def test_a_coupon_withheld_though_there_was_room_is_found(
    evidence: Evidence, judged: Callable[..., list[Difference]]
) -> None:
    [*rest, last] = [coupon for coupon in evidence.facts.coupons if coupon["campaign"] == "cart-10"]
    others = [coupon for coupon in evidence.facts.coupons if coupon["campaign"] != "cart-10"]
    mails = [replace(mail, text=mail.text.replace(last["code"], "")) for mail in evidence.mails]

    found = judged(mails=mails, facts=replace(evidence.facts, coupons=[*rest, *others]))

    assert any("whose budget had room" in each.expected for each in found)


def test_an_empty_mailbox_is_no_success(judged: Callable[..., list[Difference]]) -> None:
    assert len(judged(mails=[])) > 10


def test_a_wrong_reason_in_the_database_is_found(
    scenario: Scenario, evidence: Evidence, judged: Callable[..., list[Difference]]
) -> None:
    cart_id = first_of(scenario, Kind.NO_CONSENT).carts[0].cart_id
    enrolments = list(evidence.facts.enrolments)
    [index] = [number for number, each in enumerate(enrolments) if each["cart_id"] == cart_id]
    enrolments[index] = {**enrolments[index], "outcome_reason": "holdout"}

    found = judged(facts=replace(evidence.facts, enrolments=enrolments))

    assert found == [Difference(cart_id, "in the database: no_consent", "holdout")]


def test_an_open_journey_an_unsettled_message_a_lost_order_and_an_incident_are_found(
    evidence: Evidence, judged: Callable[..., list[Difference]]
) -> None:
    facts = replace(
        evidence.facts,
        orders=evidence.facts.orders[1:],
        enrolments=[{**evidence.facts.enrolments[0], "state": "running"}, *evidence.facts.enrolments[1:]],
        messages=[{**evidence.facts.messages[0], "state": "in_doubt"}, *evidence.facts.messages[1:]],
        incidents=1,
    )

    found = {each.expected for each in judged(facts=facts)}

    lost = evidence.facts.orders[0]["order_id"]
    unsettled = evidence.facts.messages[0]
    assert f"{lost} in the shop and in the database" in found
    assert "a journey that has ended" in found
    assert f"a settled {unsettled['step']} of {unsettled['enrolment_id']}" in found
    assert "no incident" in found


def test_an_answer_of_the_door_that_nobody_foresaw_is_found(
    scenario: Scenario, evidence: Evidence, rules: Rules
) -> None:
    deeds = [replace(deed, answer="accepted") if deed.expected == "refused" else deed for deed in evidence.deeds]

    found = compare(scenario, deeds, evidence.mails, evidence.facts, rules)

    assert any(each.expected == "cart-updated refused" and each.found == "accepted" for each in found)


def move(evidence: Evidence, shopper: Shopper, by: timedelta) -> list[Mail]:
    first = mails_to(evidence, shopper)[0]
    return [replace(mail, arrived_at=mail.arrived_at + by) if mail is first else mail for mail in evidence.mails]


def mail_about(shopper: Shopper, cart: int, arrived_at: datetime) -> Mail:
    text = "\n".join(item["name"] for item in shopper.carts[cart].items)
    return Mail(shopper.email or "", arrived_at, "<wrong@shop.example>", text, None, None)
