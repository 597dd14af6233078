"""What is said of a scenario that went otherwise than expected."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from waggle.scenarios.performance import Performance, SentMail
from waggle.scenarios.scenario import Expectation, Scenario
from waggle.scenarios.story import Path as Way

BEGAN_AT = datetime(2026, 3, 1, 10, tzinfo=UTC)


def played(expect: dict[str, Any], **found: Any) -> Performance:  # noqa: ANN401 -- fields of a Performance
    scenario = Scenario(
        journey="abandoned-cart",
        name="case",
        file=Path("case.toml"),
        title="A case",
        expect=msgspec.convert(expect, Expectation),
    )
    fields: dict[str, Any] = {
        "enrolments": [{"outcome": "ordered", "outcome_reason": "", "state": "ended"}],
        "mails": [],
        "messages": [],
        "paths": {},
        "incidents": [],
        "happenings": [],
    }
    return Performance(scenario=scenario, began_at=BEGAN_AT, took_s=1.0, **{**fields, **found})


def mail(template: str, minutes: float = 0) -> SentMail:
    return SentMail(timedelta(minutes=minutes), template, "first", "c-1@example.com", "Your cart is waiting")


def message(step: str, state: str, reason: str = "") -> dict[str, Any]:
    return {"step": step, "state": state, "reason": reason}


def test_nothing_expected_is_always_met() -> None:
    assert played({}).is_met


def test_another_outcome_is_told_with_its_reason() -> None:
    ended = [{"outcome": "not_eligible", "outcome_reason": "no_consent", "state": "ended"}]

    found = played({"outcome": "ordered"}, enrolments=ended)

    assert found.differences == ["outcome ordered was expected; it is not_eligible (no_consent)"]


def test_a_journey_that_still_runs_is_told_with_where_it_stands() -> None:
    running = [{"outcome": None, "outcome_reason": None, "state": "running"}]

    found = played(
        {"outcome": "x"}, enrolments=running, paths={"abandoned-cart": Way(waiting=["Event_ReplyWindowOver"])}
    )

    assert found.differences == ["outcome x was expected; it is still running at Event_ReplyWindowOver"]


def test_a_journey_that_was_never_entered_points_to_the_catalogue() -> None:
    [said] = played({"outcome": "ordered"}, enrolments=[]).differences

    assert said.startswith("the journey was never entered")


def test_an_enrolment_that_was_not_to_be_is_a_difference() -> None:
    assert not played({"enrolled": False}).is_met
    assert played({"enrolled": False}, enrolments=[]).is_met


def test_mails_are_compared_one_by_one_with_two_minutes_grace() -> None:
    expect = {"mails": [{"template": "a", "at": "PT20M"}, {"template": "b", "at": "PT1H", "subject": "gone"}]}

    found = played(expect, mails=[mail("a", 21.5), mail("b", 65), mail("c", 70)])

    assert found.differences == [
        "mail 2: b was expected after 1 h; it came after 1 h 5 min",
        "mail 2: 'gone' is not in its subject 'Your cart is waiting'",
        "mail c came after 1 h 10 min and was not expected",
    ]


def test_a_mail_that_did_not_come_is_named() -> None:
    assert played({"mails": [{"template": "a"}]}).differences == ["mail a was expected and did not come"]


def test_messages_that_did_not_leave_are_compared_by_step_and_reason() -> None:
    expect = {"not_sent": [{"step": "first", "reason": "no_consent"}, {"step": "third", "reason": "cap"}]}
    rows = [
        message("first", "suppressed", "cap"),
        message("second", "failed", "ADDRESS_REFUSED"),
        message("third", "sent"),
    ]

    assert played(expect, messages=rows).differences == [
        "message first was expected not to leave for no_consent; the reason is cap",
        "message third was expected not to leave for cap; it is sent",
        "message second did not leave (ADDRESS_REFUSED), which was not expected",
    ]


def test_the_way_may_be_prescribed() -> None:
    way = {"abandoned-cart": Way(nodes={"Task_A"}, flows={"Flow_A"})}

    found = played({"visits": ["Task_A", "Flow_A", "Task_B"], "avoids": ["Flow_A", "Task_C"]}, paths=way)

    assert found.differences == ["Task_B was to be passed and was not", "Flow_A was to be avoided and was not"]


def test_a_step_that_waits_for_a_person_is_never_as_expected() -> None:
    assert played({}, incidents=["Send: JOB_NO_RETRIES: TEMPLATE"]).differences == [
        "a step waits for a person: Send: JOB_NO_RETRIES: TEMPLATE"
    ]


def test_what_broke_a_scenario_off_is_all_that_is_said() -> None:
    found = played({"outcome": "x"}, broken="step 2 (click cart_url): no mail has come yet")

    assert found.differences == ["step 2 (click cart_url): no mail has come yet"]
