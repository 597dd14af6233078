"""A rule says what it means, and a wrong one says how to mend it."""

from datetime import UTC, datetime, timedelta

import pytest

from waggle.domain.segment import PersonFacts, Segment, SegmentRule, Value, problem_with

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = PersonFacts(
    customer_id="c-1",
    country="DE",
    consents=frozenset({"marketing/email"}),
    order_count=2,
    last_order_at=NOW - timedelta(days=30, hours=5),
    spent_minor={"EUR": 5000},
)
NOBODY = PersonFacts(customer_id="c-2")


def rule(field: str, word: str, value: Value = None, currency: str = "") -> SegmentRule:
    return SegmentRule(field=field, rule=word, value=value, currency=currency)


@pytest.mark.parametrize(
    ("asked", "of_ada", "of_nobody"),
    [
        (rule("country", "equals", "DE"), True, False),
        (rule("country", "one_of", ("AT", "DE")), True, False),
        (rule("language", "unknown"), True, True),
        (rule("country", "known"), True, False),
        (rule("consent", "given", "marketing/email"), True, False),
        (rule("consent", "not_given", "marketing/sms"), True, True),
        (rule("order_count", "at_least", 2), True, False),
        (rule("order_count", "equals", 0), False, True),
        (rule("days_since_order", "at_least", 30), True, False),
        (rule("days_since_order", "at_most", 29), False, False),
        (rule("days_since_order", "unknown"), False, True),
        (rule("total_spent", "at_least", 5000, "EUR"), True, False),
        (rule("total_spent", "at_most", 100, "PLN"), True, True),
        (rule("has_cart", "equals", value=False), True, True),
        (rule("tier", "equals", "gold"), False, False),
    ],
)
def test_a_rule_holds_for_whom_it_describes(asked: SegmentRule, of_ada: bool, of_nobody: bool) -> None:
    assert problem_with(asked) == ""
    assert (asked.holds(ADA, NOW), asked.holds(NOBODY, NOW)) == (of_ada, of_nobody)


def test_a_segment_needs_all_one_of_any_and_none_of_the_rest() -> None:
    german, polish = rule("country", "equals", "DE"), rule("country", "equals", "PL")
    asleep = rule("days_since_order", "at_least", 365)

    assert Segment(name="s", title="S", all_of=(german,), any_of=(polish, german), none_of=(asleep,)).contains(ADA, NOW)
    assert not Segment(name="s", title="S", all_of=(german, polish)).contains(ADA, NOW)
    assert not Segment(name="s", title="S", any_of=(polish, asleep)).contains(ADA, NOW)
    assert not Segment(name="s", title="S", all_of=(german,), none_of=(german,)).contains(ADA, NOW)


def test_only_what_the_rules_ask_for_is_read() -> None:
    both = Segment(name="s", title="S", all_of=(rule("order_count", "at_least", 1),), none_of=(rule("tier", "known"),))

    assert both.parts == {"orders", "tier"}
    assert Segment(name="s", title="S", all_of=(rule("country", "known"),)).parts == frozenset()
    assert Segment(name="s", title="S", all_of=(rule("consent", "given", "a/b"),)).consents == {"a/b"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (rule("email", "equals", "ada@example.com"), "encrypted with a key per person and cannot be filtered on"),
        (rule("colour", "equals", "red"), 'no field "colour": use one of country'),
        (rule("country", "at_least", 3), "use one of equals, one_of"),
        (rule("country", "one_of", "DE"), "a list of texts"),
        (rule("country", "known", "DE"), "leave the value out"),
        (rule("order_count", "at_least", "two"), "a whole number"),
        (rule("order_count", "at_least", value=True), "a whole number"),
        (rule("has_cart", "equals", "yes"), "true or false"),
        (rule("consent", "given", "marketing"), '"purpose/channel"'),
        (rule("total_spent", "at_least", 10), 'add currency = "EUR"'),
        (rule("country", "equals", "DE", "EUR"), "has no currency"),
    ],
)
def test_a_wrong_rule_says_how_to_mend_it(wrong: SegmentRule, said: str) -> None:
    assert said in problem_with(wrong)
