"""The checker of chaos runs sees each way in which a promise can be broken, and nothing where all were kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from waggle.testing.chaos.checker import TABLES, Budget, Evidence, Finding, check
from waggle.testing.chaos.history import History, Told, ToldEvent, read_history

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@dataclass
class World:
    """A history and a database that agree, to be spoiled."""

    told: Told = field(default_factory=Told)
    tables: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in TABLES})
    arrived: list[str] = field(default_factory=list)
    listed: set[str] = field(default_factory=set)
    kills: int = 10
    incidents: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    fell: list[str] = field(default_factory=list)

    def tell(self, event_id: str, event_type: str, second: float, **data: object) -> ToldEvent:
        """An event that took a tenth of a second to be accepted, and was applied."""
        envelope = {"id": event_id, "type": event_type, "time": at(second).isoformat(), "data": data}
        event = ToldEvent(envelope, at(second), at(second + 0.1))
        self.told.events[event_id] = event
        self.tables["events"].append({"event_id": event_id, "state": "applied", "code": None})
        match event_type:
            case "customer-identified":
                self.tables["customers"].append({"customer_id": data["customer_id"]})
            case "consent-given" | "consent-withdrawn":
                given = event_type == "consent-given"
                row = {
                    "customer_id": data["customer_id"],
                    "state": "granted" if given else "withdrawn",
                    "stated_at": at(second),
                }
                self.tables["consents"].append(row)
            case "cart-updated":
                rows = [row for row in self.tables["carts"] if row["cart_id"] != data["cart_id"]]
                told = {"cart_id": data["cart_id"], "items": data["items"], "last_activity_at": at(second)}
                self.tables["carts"] = [*rows, told]
            case "order-placed":
                self.tables["orders"].append({"order_id": data["order_id"]})
        return event

    def shopper(self, number: int = 1, *, agrees: bool = True) -> None:
        """Somebody who agrees and fills a cart."""
        self.tell(f"id-{number}", "customer-identified", 0, customer_id=f"c-{number}")
        if agrees:
            self.tell(f"yes-{number}", "consent-given", 1, customer_id=f"c-{number}")
        self.tell(f"cart-{number}", "cart-updated", 2, customer_id=f"c-{number}", cart_id=f"cart-{number}", items=[1])

    def journey(self, number: int = 1, outcome: str = "no_order", entry: int = 1) -> None:
        row = {"enrolment_id": f"e-{number}-{entry}", "cart_id": f"cart-{number}", "entry": entry, "state": "ended"}
        self.tables["enrolments"].append({**row, "outcome": outcome, "outcome_reason": ""})

    def mail(self, number: int = 1, step: str = "first-mail", state: str = "sent", second: float = 5) -> str:
        message_id = f"m-{number}-{step}"
        handed = at(second) if state in {"sent", "in_doubt"} else None
        row = {"message_id": message_id, "enrolment_id": f"e-{number}-1", "step": step, "state": state}
        self.tables["messages"].append({**row, "reason": "ok", "handed_over_at": handed})
        if state == "sent":
            self.arrived.append(message_id)
        if state == "in_doubt":
            self.listed.add(message_id)
        return message_id

    def coupon(self, number: int, second: float = 4, state: str = "issued", **changes: object) -> None:
        row = {"coupon_id": f"k-{number}", "enrolment_id": f"e-{number}-1", "step": "coupon", "campaign": "cart-5"}
        closed = at(second + 60) if state == "reversed" else None
        times = {"reserved_at": at(second), "closed_at": closed, "cost_minor": 500}
        self.tables["coupons"].append({**row, "code": f"code-{number}", "state": state, **times, **changes})

    def findings(self) -> list[tuple[str, str]]:
        return [(finding.kind, finding.subject) for finding in check(self.evidence()).findings]

    def evidence(self) -> Evidence:
        return Evidence(
            incidents=self.incidents,
            refused=self.refused,
            fell=self.fell,
            told=self.told,
            tables=self.tables,
            arrived=self.arrived,
            listed=frozenset(self.listed),
            budgets={"cart-5": Budget(count=2, cost_minor=1000)},
            lost_answers=self.kills,
        )

    def row(self, table: str, **wanted: object) -> dict[str, Any]:
        [found] = [row for row in self.tables[table] if wanted.items() <= row.items()]
        return found


@pytest.fixture
def world() -> World:
    """One cart that was left, and everything went well."""
    made = World()
    made.shopper()
    made.journey()
    made.mail()
    made.mail(step="reminder", second=8)
    return made


def test_a_run_in_which_all_went_well_is_clean(world: World) -> None:
    world.coupon(1)
    verdict = check(world.evidence())
    assert verdict.is_clean
    assert (verdict.accepted, verdict.acted, verdict.carts, verdict.mails, verdict.coupons) == (3, 3, 1, 2, 1)


def test_an_acknowledged_event_that_is_not_stored_is_lost(world: World) -> None:
    world.tables["events"].remove(world.row("events", event_id="yes-1"))
    verdict = check(world.evidence())
    what = "consent-given was acknowledged and is not stored"
    assert verdict.findings == [Finding("lost", "yes-1", what, "yes-1")]
    assert (verdict.accepted, verdict.acted) == (3, 2)


def test_an_event_that_was_never_acknowledged_may_be_stored_or_not(world: World) -> None:
    event = world.tell("late-1", "customer-identified", 9, customer_id="c-1")
    event.acknowledged_at = None
    assert not world.findings()
    world.tables["events"].remove(world.row("events", event_id="late-1"))
    assert not world.findings()


def test_an_event_that_waits_for_ever_is_lost(world: World) -> None:
    world.row("events", event_id="cart-1")["state"] = "pending"
    assert world.findings() == [("lost", "cart-1")]


def test_an_event_that_was_set_aside_is_told(world: World) -> None:
    world.row("events", event_id="cart-1").update(state="quarantined", code="ValueError")
    assert world.findings() == [("refused", "cart-1")]


def test_an_event_that_was_marked_applied_and_shows_nowhere_is_lost(world: World) -> None:
    world.tables["consents"].clear()
    world.tables["carts"].clear()
    world.tables["customers"].clear()
    assert sorted(world.findings()) == [("lost", "cart-1"), ("lost", "id-1"), ("lost", "yes-1")]


def test_an_event_that_was_applied_twice_is_doubled(world: World) -> None:
    world.tables["consents"] *= 2
    assert world.findings() == [("doubled", "yes-1")]


def test_a_cart_that_shows_an_older_picture_is_lost(world: World) -> None:
    world.tell("cart-1b", "cart-updated", 2.5, customer_id="c-1", cart_id="cart-1", items=[1, 2])
    world.row("carts", cart_id="cart-1")["last_activity_at"] = at(2)
    assert world.findings() == [("lost", "cart-1b")]


def test_an_order_that_is_not_known_is_lost(world: World) -> None:
    world.tell("order-1", "order-placed", 20, customer_id="c-1", cart_id="cart-1", order_id="o-1")
    world.tables["orders"].clear()
    assert world.findings() == [("lost", "order-1")]


def test_a_mail_that_arrived_twice_is_doubled(world: World) -> None:
    world.arrived.append("m-1-first-mail")
    assert world.findings() == [("doubled", "e-1-1")]


def test_two_rows_of_one_step_that_both_arrived_are_doubled(world: World) -> None:
    second = {**world.row("messages", step="reminder"), "message_id": "m-again"}
    world.tables["messages"].append(second)
    world.arrived.append("m-again")
    assert world.findings() == [("doubled", "e-1-1")]


def test_a_mail_that_was_due_and_never_left_is_lost(world: World) -> None:
    world.tables["messages"].remove(world.row("messages", step="reminder"))
    world.arrived.remove("m-1-reminder")
    verdict = check(world.evidence())
    assert [finding.kind for finding in verdict.findings] == ["lost"]
    assert verdict.acted == verdict.accepted - 1


def test_a_mail_that_was_due_and_was_suppressed_is_lost(world: World) -> None:
    world.row("messages", step="reminder").update(state="suppressed", reason="no_consent", handed_over_at=None)
    world.arrived.remove("m-1-reminder")
    assert world.findings() == [("lost", "cart-1")]


def test_a_mail_that_counts_as_sent_and_did_not_arrive_is_lost(world: World) -> None:
    world.arrived.remove("m-1-reminder")
    assert world.findings() == [("lost", "m-1-reminder")]


def test_a_mail_that_nobody_settled_is_lost(world: World) -> None:
    world.row("messages", step="reminder")["state"] = "handed_over"
    assert ("lost", "m-1-reminder") in world.findings()


def test_a_mail_in_doubt_that_is_listed_is_no_finding_whether_it_arrived_or_not(world: World) -> None:
    world.row("messages", step="reminder")["state"] = "in_doubt"
    world.listed.add("m-1-reminder")
    assert not world.findings()
    world.arrived.remove("m-1-reminder")
    verdict = check(world.evidence())
    assert verdict.is_clean
    assert (verdict.in_doubt, verdict.in_doubt_listed) == (1, 1)


def test_a_mail_in_doubt_that_nobody_is_told_of_is_unlisted(world: World) -> None:
    world.row("messages", step="reminder")["state"] = "in_doubt"
    assert world.findings() == [("unlisted", "m-1-reminder")]


def test_a_mail_in_doubt_that_arrived_twice_is_doubled(world: World) -> None:
    world.row("messages", step="reminder")["state"] = "in_doubt"
    world.listed.add("m-1-reminder")
    world.arrived.append("m-1-reminder")
    assert world.findings() == [("doubled", "e-1-1")]


def test_more_mails_in_doubt_than_kills_are_told(world: World) -> None:
    world.row("messages", step="reminder")["state"] = "in_doubt"
    world.listed.add("m-1-reminder")
    world.kills = 0
    assert world.findings() == [("stray", "messages")]


def test_a_mail_in_doubt_that_was_never_handed_over_is_told(world: World) -> None:
    world.row("messages", step="reminder").update(state="in_doubt", handed_over_at=None)
    world.listed.add("m-1-reminder")
    assert world.findings() == [("stray", "m-1-reminder")]


def test_a_settled_mail_that_is_still_listed_is_told(world: World) -> None:
    world.listed.add("m-1-reminder")
    assert world.findings() == [("stray", "m-1-reminder")]


def test_a_mail_that_nobody_knows_of_is_stray(world: World) -> None:
    world.arrived.append("m-unknown")
    assert world.findings() == [("stray", "m-unknown")]


def test_a_mail_that_arrived_and_counts_as_not_sent_is_stray(world: World) -> None:
    world.tell("order-1", "order-placed", 20, customer_id="c-1", cart_id="cart-1", order_id="o-1")
    world.row("messages", step="reminder").update(state="suppressed", handed_over_at=None)
    assert world.findings() == [("stray", "m-1-reminder")]


def test_a_cart_that_never_entered_is_lost(world: World) -> None:
    world.shopper(2)
    assert world.findings() == [("lost", "cart-2")]


def test_a_journey_that_never_ended_is_lost(world: World) -> None:
    world.row("enrolments", cart_id="cart-1").update(state="running", outcome=None)
    assert world.findings() == [("lost", "cart-1")]


def test_a_cart_that_entered_again_after_a_mail_is_doubled(world: World) -> None:
    world.tell("cart-1b", "cart-updated", 2.5, customer_id="c-1", cart_id="cart-1", items=[1, 2])
    world.journey(entry=2)
    assert world.findings() == [("doubled", "cart-1")]


def test_a_cart_that_entered_more_often_than_it_was_filled_is_doubled() -> None:
    world = World()
    world.shopper(agrees=False)
    world.journey(outcome="not_eligible")
    world.journey(outcome="not_eligible", entry=2)
    assert world.findings() == [("doubled", "cart-1")]


def test_a_journey_of_a_cart_that_nobody_told_of_is_stray(world: World) -> None:
    world.journey(7)
    assert world.findings() == [("stray", "cart-7")]


AGAINST: dict[str, dict[str, object]] = {
    "order-placed": {"cart_id": "cart-1", "order_id": "o-1"},
    "consent-withdrawn": {},
    "cart-updated": {"cart_id": "cart-1", "items": []},
}


@pytest.mark.parametrize(("event_type", "data"), AGAINST.items())
def test_after_somebody_said_no_nothing_is_due_and_nothing_may_leave(
    event_type: str, data: Mapping[str, object]
) -> None:
    world = World()
    world.shopper()
    world.journey(outcome="over")
    world.tell("no-1", event_type, 6, customer_id="c-1", **data)
    assert not world.findings()
    world.mail(second=6.05)
    assert not world.findings()
    world.mail(step="reminder", second=6.2)
    assert world.findings() == [("unwanted", "cart-1")]


def test_a_mail_to_somebody_who_never_agreed_is_unwanted() -> None:
    world = World()
    world.shopper(agrees=False)
    world.journey()
    world.mail()
    assert world.findings() == [("unwanted", "cart-1")]


def test_a_consent_that_may_have_come_after_the_cart_makes_nothing_due() -> None:
    world = World()
    world.shopper(agrees=False)
    world.tell("yes-1", "consent-given", 2.05, customer_id="c-1")
    world.journey(outcome="not_eligible")
    assert not world.findings()


def test_an_order_that_came_before_its_cart_keeps_it_out() -> None:
    world = World()
    world.tell("order-1", "order-placed", 1, customer_id="c-1", cart_id="cart-1", order_id="o-1")
    world.shopper()
    assert not world.findings()


def test_a_late_picture_of_an_emptied_cart_takes_nothing_back(world: World) -> None:
    world.tell("cart-0", "cart-updated", 1.5, customer_id="c-1", cart_id="cart-1", items=[])
    world.told.events["cart-0"].first_sent_at = at(2.3)
    world.row("carts", cart_id="cart-1").update(items=[1], last_activity_at=at(2))
    assert not world.findings()


def test_an_engine_message_that_was_never_published_is_lost(world: World) -> None:
    row = {"enrolment_id": "e-1-1", "name": "cart-updated", "code": None}
    world.tables["engine_messages"].append({**row, "state": "published"})
    assert not world.findings()
    world.tables["engine_messages"].append({**row, "state": "waiting"})
    assert world.findings() == [("lost", "e-1-1")]


def test_a_budget_that_is_just_used_up_is_no_finding(world: World) -> None:
    world.coupon(1)
    world.coupon(2)
    world.coupon(3, state="reversed", second=-600)
    assert not world.findings()


def test_a_budget_that_is_exceeded_is_told_in_number_and_money(world: World) -> None:
    for number in (1, 2, 3):
        world.coupon(number)
    assert world.findings() == [("overspent", "cart-5"), ("overspent", "cart-5")]


def test_a_budget_that_was_exceeded_for_a_while_is_told_too(world: World) -> None:
    world.coupon(1)
    world.coupon(2, cost_minor=100)
    world.coupon(3, cost_minor=100, state="reversed")
    assert world.findings() == [("overspent", "cart-5")]


def test_two_coupons_of_one_step_or_one_code_are_doubled(world: World) -> None:
    world.coupon(1)
    world.coupon(1)
    assert world.findings() == [("doubled", "e-1-1"), ("doubled", "code-1")]


def test_a_coupon_that_holds_budget_for_nobody_is_lost(world: World) -> None:
    world.coupon(1, state="reserved")
    assert world.findings() == [("lost", "k-1")]


def test_incidents_refusals_and_parts_that_fell_by_themselves_are_told(world: World) -> None:
    world.incidents.append("JOB_NO_RETRIES at Task_ReadCart")
    world.refused.append("cart-updated: 422")
    world.fell.append("relay")
    assert world.findings() == [("incident", "engine"), ("refused", "api"), ("fell", "relay")]


def test_a_history_is_read_back_as_it_was_written_and_half_a_line_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    event = {"id": "e-1", "type": "cart-updated", "time": NOON.isoformat(), "data": {"cart_id": "cart-1"}}
    other = {"id": "e-2", "type": "cart-updated", "time": NOON.isoformat(), "data": {"cart_id": "cart-2"}}
    with History(file) as history:
        history.sending(event)
        history.sending(event)
        history.acknowledged("e-1")
        history.acknowledged("e-1")
        history.sending(other)
        history.fault("kill", "relay")
    with file.open("ab") as torn:
        torn.write(b'{"kind": "acknowl')
    told = read_history(file)
    assert [(known.event_id, known.sent) for known in told.events.values()] == [("e-1", 2), ("e-2", 1)]
    assert [known.event_id for known in told.accepted()] == ["e-1"]
    assert told.events["e-1"].before(told.events["e-2"])
    assert [fault["part"] for fault in told.faults] == ["relay"]
