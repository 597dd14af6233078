from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from waggle.demo.plots import plan, plan_stragglers
from waggle.demo.scenario import Kind, Scenario, is_held_out, next_opening

STARTS_AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


def test_the_same_words_give_the_same_plan() -> None:
    assert plan(60, 7, STARTS_AT) == plan(60, 7, STARTS_AT)


def test_another_seed_gives_another_plan() -> None:
    assert plan(60, 7, STARTS_AT).actions != plan(60, 8, STARTS_AT).actions


def test_a_shopper_does_the_same_however_many_come_along() -> None:
    assert plan(300, 1, STARTS_AT).shoppers[:20] == plan(20, 1, STARTS_AT).shoppers


def test_twenty_shoppers_show_every_kind() -> None:
    assert {shopper.kind for shopper in plan(20, 1, STARTS_AT).shoppers} == set(Kind)


@pytest.mark.parametrize("seed", range(20))
def test_in_the_first_round_only_the_held_out_one_is_held_out(seed: int) -> None:
    first_round = [shopper for shopper in plan(20, seed, STARTS_AT).shoppers if shopper.customer_id]

    held_out = [shopper.kind for shopper in first_round if is_held_out(shopper.customer_id or "", 10)]
    assert held_out == [Kind.HELD_OUT]


def test_about_a_tenth_of_many_customers_is_held_out() -> None:
    customers = [shopper.customer_id for shopper in plan(1000, 1, STARTS_AT).shoppers if shopper.customer_id]

    assert 0.07 < sum(is_held_out(customer, 10) for customer in customers) / len(customers) < 0.13


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("day", ["2026-11-23", "2026-07-06", "2026-03-16", "2026-10-28"])
def test_only_who_is_asleep_would_be_written_to_at_night(day: str, seed: int) -> None:
    scenario = plan(200, seed, next_opening(datetime.fromisoformat(f"{day}T00:00:00+00:00")))
    zones = {cart.cart_id: shopper for shopper in scenario.shoppers for cart in shopper.carts}

    for action in scenario.actions:
        if action.event["type"] != "cart-updated":
            continue
        shopper = zones[action.event["data"]["cart_id"]]
        hours = {(action.at + timedelta(minutes=m)).astimezone(ZoneInfo(shopper.time_zone)).hour for m in (20, 50)}
        assert all(hour < 9 for hour in hours) if shopper.kind is Kind.ASLEEP else all(9 <= h < 21 for h in hours)


def test_no_two_events_share_an_id_but_the_repeated_ones() -> None:
    actions = plan(300, 1, STARTS_AT).actions

    accepted = Counter(action.event["id"] for action in actions if action.answer == "accepted")
    assert set(accepted.values()) == {1}
    assert {action.event["id"] for action in actions} == set(accepted)


def test_a_repeated_delivery_comes_once_with_the_same_and_once_with_another_body() -> None:
    actions = plan(20, 1, STARTS_AT).actions
    [repeated] = [action for action in actions if action.answer == "duplicate"]
    original, same, other = [action for action in actions if action.event["id"] == repeated.event["id"]]

    assert original.event == same.event
    assert original.event != other.event
    assert other.answer == "refused"


def test_an_event_never_tells_of_the_future() -> None:
    for action in plan(300, 1, STARTS_AT).actions:
        assert datetime.fromisoformat(action.event["time"]) <= action.at


def test_two_carts_of_one_shopper_share_no_item() -> None:
    for shopper in plan(300, 1, STARTS_AT).shoppers:
        names = [item["name"] for cart in shopper.carts for item in cart.items]
        assert len(names) == len(set(names))


def test_a_cart_that_is_still_changed_is_never_left_for_as_long_as_an_abandoned_one() -> None:
    scenario = plan(300, 1, STARTS_AT)
    touched: dict[str, list[datetime]] = {}
    for action in scenario.actions:
        if action.event["type"] == "cart-updated":
            touched.setdefault(action.event["data"]["cart_id"], []).append(action.at)

    for times in touched.values():
        assert all(after - before < timedelta(minutes=15) for before, after in pairwise(times))


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        ("2026-11-22T12:00:00+00:00", "2026-11-23T08:30:00+00:00"),
        ("2026-11-23T08:30:00+00:00", "2026-11-23T08:30:00+00:00"),
        ("2026-11-27T08:30:01+00:00", "2026-11-30T08:30:00+00:00"),
        ("2026-07-06T00:00:00+00:00", "2026-07-06T07:30:00+00:00"),
    ],
)
def test_the_shop_opens_at_half_past_nine_in_warsaw_on_a_working_day(now: str, opening: str) -> None:
    assert next_opening(datetime.fromisoformat(now)) == datetime.fromisoformat(opening)


def test_stragglers_of_two_rounds_are_other_people() -> None:
    def people(scenario: Scenario) -> set[str | None]:
        return {shopper.customer_id for shopper in scenario.shoppers}

    assert not people(plan_stragglers(3, 1, STARTS_AT)) & people(plan_stragglers(3, 1, STARTS_AT, after=3))
