"""Who is held out is known beforehand, by anybody who can compute a hash."""

import hashlib

from waggle.domain.enrolment import is_held_out


def test_the_side_of_a_customer_is_the_documented_hash() -> None:
    for number in range(200):
        person = f"c-{number}"
        drawn = int(hashlib.sha256(f"abandoned-cart:{person}".encode()).hexdigest()[:8], 16) % 100

        assert is_held_out("abandoned-cart", person, 10) is (drawn < 10)


def test_nobody_is_held_out_at_nought_and_everybody_at_a_hundred() -> None:
    people = [f"c-{number}" for number in range(200)]

    assert not any(is_held_out("abandoned-cart", person, 0) for person in people)
    assert all(is_held_out("abandoned-cart", person, 100) for person in people)


def test_a_tenth_is_about_a_tenth_and_another_one_in_another_journey() -> None:
    people = [f"c-{number}" for number in range(10_000)]
    here = {person for person in people if is_held_out("abandoned-cart", person, 10)}
    there = {person for person in people if is_held_out("win-back", person, 10)}

    assert 900 < len(here) < 1100
    assert 50 < len(here & there) < 150


def test_a_larger_share_keeps_everybody_who_was_held_out_before() -> None:
    people = [f"c-{number}" for number in range(1_000)]

    assert all(is_held_out("j", person, 20) for person in people if is_held_out("j", person, 10))
