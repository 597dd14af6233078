"""FEEL as far as a check reads it: what a formula reads, calls and compares, and what is wrong with it."""

import pytest

from waggle.services.feel import Comparison, FeelMistake, read_formula, read_tests


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ('cart_state = "idle"', {"cart_state"}),
        ("offer.coupon_campaign != null", {"offer.coupon_campaign"}),
        ("date and time(send_at)", {"send_at"}),
        ('if cart_state = "idle" then eligibility_reason else ""', {"cart_state", "eligibility_reason"}),
        ("for lane in 1..settings.lanes return lane + shift", {"settings.lanes", "shift"}),
        ("some round in rounds satisfies round > least", {"rounds", "least"}),
        ("{ first: a, second: first + b }.second", {"a", "b"}),
        ("items[price > 3].name", {"items"}),
        ("function(x) x + y", {"y"}),
        ("[1, two, 3][1]", {"two"}),
        ("amount in [low..high]", {"amount", "low", "high"}),
        ('state in ("a", "b")', {"state"}),
        ("amount between low and high", {"amount", "low", "high"}),
        ("value instance of number", {"value"}),
        ("-amount * 2 ** 3 / (1 - rate)", {"amount", "rate"}),
        ('"a // b" + c // what it is for', {"c"}),
        ('@"PT1H" + wait', {"wait"}),
        ("get or else(a, 5) > 3", {"a"}),
        ("`some name` = 1", {"some name"}),
    ],
)
def test_what_is_read_is_what_others_must_have_written(text: str, reads: set[str]) -> None:
    assert read_formula(text).reads == reads


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a == 1", "it compares with =="),
        ("a => 1", "it compares with =>"),
        ("a =< 1", "it compares with =<"),
        ("a <> 1", "it compares with <>"),
        ("a && b", "it joins with &"),
        ("a || b", "it joins with |"),
        ("!a", "it says no with !"),
        ("a = 'b'", "it has a text in single quotation marks"),
        ("a = “b”", "it has a text in curved quotation marks"),
        ('a = "b', "a text has no quotation mark at its end"),
        ("${a}", "it has ${...} in it, which is another engine's way"),
        ("(a", "the ( is never closed"),
        ("a)", "the ) closes nothing"),
        ("(a]", "the ] closes nothing"),
        ("a +", "it ends after +"),
        ("", "nothing stands behind the ="),
        ("if a = 1 then b", "the word else is missing"),
        ("customer id = 1", 'the words "customer id" stand side by side'),
        ('"a" "b"', 'nothing joins "b" to what stands before it'),
        ("and a", "the word and stands where a value should be"),
        ("a % b", "it computes with %"),
        ("a; b", "it has a semicolon in it"),
        ("a § b", "it has § in it, which means nothing there"),
    ],
)
def test_a_mistake_is_told_in_words_with_what_to_write(text: str, problem: str) -> None:
    with pytest.raises(FeelMistake) as told:
        read_formula(text)

    assert told.value.problem == problem
    assert told.value.mend


def test_a_comparison_with_something_written_out_is_noticed_on_either_side() -> None:
    formula = read_formula('"idle" = cart_state and count >= 3 and proceed = true and offer.reason != null')

    assert formula.comparisons == (
        Comparison("cart_state", "=", "idle"),
        Comparison("count", ">=", 3.0),
        Comparison("proceed", "=", True),
        Comparison("offer.reason", "!=", None),
    )


def test_only_equality_is_surely_true_or_false() -> None:
    assert read_formula("a = 1").is_true_or_false
    assert read_formula("not(a = 1) or is defined(b)").is_true_or_false
    assert not read_formula("a > 1").is_true_or_false
    assert not read_formula("a").is_true_or_false


def test_bare_variables_are_named_where_true_or_false_is_needed() -> None:
    assert read_formula("eligible and a = 1 or not(done)").unsure == ("eligible", "done")


def test_a_minus_between_names_without_blanks_is_noticed() -> None:
    assert read_formula("cart-value > 1").differences == (("cart", "value"),)
    assert read_formula("total - discount").differences == ()


def test_functions_of_several_words_are_calls_of_one() -> None:
    assert read_formula('day of week(today()) = "Monday" and starts with(a, "b")').calls == (
        ("today", 0),
        ("day of week", 1),
        ("starts with", 2),
    )


@pytest.mark.parametrize("text", ["", "-", '"a","b"', "< 3000", "[1..5]", 'not("a","b")', "? > 5", ">= limit", "null"])
def test_the_cells_of_a_table_are_read(text: str) -> None:
    assert read_tests(text).reads <= {"limit"}


def test_a_cell_without_quotation_marks_reads_a_variable() -> None:
    assert read_tests("champion").reads == {"champion"}
