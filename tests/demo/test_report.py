from dataclasses import replace
from datetime import timedelta
from io import StringIO

from rich.console import Console

from waggle.demo.oracle.mails import sort_mails
from waggle.demo.oracle.rules import Rules
from waggle.demo.report import Conclusion, EngineNumbers, Evidence, conclude
from waggle.demo.scenario import Scenario
from waggle.demo.view import Snapshot, View, final_table

ENGINE = EngineNumbers(version="8.6.0", ready_s=3.2)


def concluded(scenario: Scenario, evidence: Evidence, rules: Rules) -> Conclusion:
    return conclude(scenario, evidence, rules, engine=ENGINE, wall_s=61.04)


def test_every_abandoned_cart_is_accounted_for(scenario: Scenario, evidence: Evidence, rules: Rules) -> None:
    report = concluded(scenario, evidence, rules).report

    assert report["abandoned"] == report["sent"] + sum(report["not_sent"].values())
    assert {"no_consent", "no_contact", "holdout", "frequency_cap", "out_of_stock", "ordered"} <= set(
        report["not_sent"]
    )


def test_the_report_has_the_keys_that_were_agreed(scenario: Scenario, evidence: Evidence, rules: Rules) -> None:
    report = concluded(scenario, evidence, rules).report

    assert list(report) == [
        "shoppers",
        "carts",
        "abandoned",
        "sent",
        "reminders",
        "held",
        "not_sent",
        "duplicates",
        "incidents",
        "differences",
        "abandonment_to_send_s",
        "engine",
        "wall_s",
    ]
    assert (report["shoppers"], report["duplicates"], report["incidents"], report["differences"]) == (60, 0, 0, 0)


def test_mails_held_over_night_do_not_count_as_slow(scenario: Scenario, evidence: Evidence, rules: Rules) -> None:
    report = concluded(scenario, evidence, rules).report

    assert report["held"] > 0
    assert 20 * 60 <= report["abandonment_to_send_s"]["p50"] <= report["abandonment_to_send_s"]["max"] <= 23 * 60


def test_a_mailed_shopper_orders_more_often_than_one_held_out(
    scenario: Scenario, evidence: Evidence, rules: Rules
) -> None:
    conclusion = concluded(scenario, evidence, rules)

    assert conclusion.mailed.carts == conclusion.report["sent"]
    assert conclusion.held_out.carts == conclusion.report["not_sent"]["holdout"]
    assert conclusion.mailed.rate > conclusion.held_out.rate
    assert conclusion.mailed.per_cart_minor > conclusion.held_out.per_cart_minor


def test_a_clean_demo_ends_with_code_0(scenario: Scenario, evidence: Evidence, rules: Rules) -> None:
    assert concluded(scenario, evidence, rules).exit_code == 0


def test_a_duplicate_is_counted_and_makes_the_exit_code_1(scenario: Scenario, evidence: Evidence, rules: Rules) -> None:
    first = evidence.mails[0]
    again = replace(first, arrived_at=first.arrived_at + timedelta(minutes=1))

    conclusion = concluded(scenario, replace(evidence, mails=[*evidence.mails, again]), rules)

    assert conclusion.report["duplicates"] == 1
    assert conclusion.report["sent"] == len(sort_mails(scenario, evidence.mails)[0])
    assert conclusion.exit_code == 1


def test_an_incident_makes_the_exit_code_1(scenario: Scenario, evidence: Evidence, rules: Rules) -> None:
    facts = replace(evidence.facts, incidents=2)

    assert concluded(scenario, replace(evidence, facts=facts), rules).exit_code == 1


def test_a_demo_without_a_single_mail_still_has_numbers(scenario: Scenario, rules: Rules, evidence: Evidence) -> None:
    report = concluded(scenario, replace(evidence, mails=[]), rules).report

    assert report["abandonment_to_send_s"] == {"p50": 0.0, "p99": 0.0, "max": 0.0}


def test_the_table_shows_sums_recovery_and_where_to_look(scenario: Scenario, evidence: Evidence, rules: Rules) -> None:
    console = Console(width=120, record=True, file=StringIO())

    console.print(final_table(concluded(scenario, evidence, rules), {"Operate": "http://127.0.0.1:8080"}))

    shown = console.export_text()
    for words in ("First mails", "Duplicates", "held out", "http://127.0.0.1:8080", "no consent"):
        assert words in shown


def test_off_a_terminal_the_view_is_one_line_at_a_time(scenario: Scenario) -> None:
    console = Console(width=120, record=True, file=StringIO(), force_terminal=False)
    snapshot = Snapshot(scenario.starts_at, {"running": 12, "ended: ordered": 3}, {"first-mail sent": 5}, incidents=1)

    with View(console) as view:
        view.show(snapshot)

    assert console.export_text().splitlines() == ["Mon 09:30   12 journeys open, 5 mails sent   1 incidents"]
