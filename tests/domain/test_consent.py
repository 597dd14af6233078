"""The newest word of the customer counts."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from waggle.domain.consent import ConsentFact, is_given

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def fact(minute: int, *, given: bool) -> ConsentFact:
    at = NOON + timedelta(minutes=minute)
    return ConsentFact(customer_id="c-1", purpose="marketing", channel="email", given=given, stated_at=at)


def test_who_said_nothing_did_not_agree() -> None:
    assert not is_given([])


def test_the_newest_fact_wins_in_whatever_order_they_are_known() -> None:
    for facts in permutations([fact(0, given=True), fact(1, given=False), fact(2, given=True)]):
        assert is_given(facts)
    for facts in permutations([fact(0, given=True), fact(1, given=True), fact(2, given=False)]):
        assert not is_given(facts)


def test_a_withdrawal_at_the_same_moment_wins() -> None:
    assert not is_given([fact(0, given=True), fact(0, given=False)])
    assert not is_given([fact(0, given=False), fact(0, given=True)])


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1))
def test_consent_holds_only_if_nothing_at_the_newest_moment_speaks_against_it(told: list[tuple[int, bool]]) -> None:
    newest = max(minute for minute, _ in told)

    expected = all(given for minute, given in told if minute == newest)

    assert is_given(fact(minute, given=given) for minute, given in told) is expected
