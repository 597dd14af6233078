"""The newest word of the customer counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from waggle.domain.consent import ConsentFact, ConsentState, Restriction, is_given, is_refused, is_restricted

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def fact(minute: int, *, given: bool) -> ConsentFact:
    at = NOON + timedelta(minutes=minute)
    state: ConsentState = "granted" if given else "withdrawn"
    return ConsentFact(customer_id="c-1", purpose="marketing", channel="email", state=state, stated_at=at)


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


def test_a_request_for_confirmation_decides_nothing() -> None:
    asked = replace(fact(9, given=True), state="requested")

    assert not is_given([asked])
    assert is_given([fact(0, given=True), asked])
    assert not is_refused([asked])


def test_a_no_of_the_form_counts_like_a_withdrawal() -> None:
    assert is_refused([fact(0, given=True), replace(fact(1, given=False), state="denied")])


def test_silence_is_neither_consent_nor_refusal() -> None:
    assert not is_given([])
    assert not is_refused([])


def test_consent_ends_with_its_term() -> None:
    until = NOON + timedelta(days=365)
    yes = replace(fact(0, given=True), valid_until=until)

    assert is_given([yes], until - timedelta(seconds=1))
    assert not is_given([yes], until)


def test_the_newest_word_restricts_and_at_equal_times_the_restriction_stands() -> None:
    def word(minute: int, *, restricted: bool) -> Restriction:
        return Restriction(customer_id="c-1", restricted=restricted, stated_at=NOON + timedelta(minutes=minute))

    assert not is_restricted([])
    assert is_restricted([word(0, restricted=True)])
    assert not is_restricted([word(1, restricted=False), word(0, restricted=True)])
    assert is_restricted([word(1, restricted=False), word(1, restricted=True)])
