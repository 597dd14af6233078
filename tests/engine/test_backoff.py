from waggle.engine.backoff import Backoff, at_least_s, job_wait_s


def test_waits_grow_to_the_cap_and_begin_anew_after_a_success() -> None:
    backoff = Backoff(first_s=1, cap_s=5, factor=2, spread=lambda: 0.5)

    assert [backoff.next_s() for _ in range(4)] == [1, 2, 4, 5]

    backoff.reset()
    assert backoff.next_s() == 1


def test_waits_differ_by_up_to_a_tenth() -> None:
    assert Backoff(first_s=1, spread=lambda: 0.0).next_s() == 0.9
    assert 1.09 < Backoff(first_s=1, spread=lambda: 0.999).next_s() < 1.1


def test_a_back_off_that_lasts_for_days_does_not_overflow() -> None:
    backoff = Backoff(first_s=1, cap_s=5, factor=2, spread=lambda: 0.5)
    backoff.failures = 1_000_000

    assert backoff.next_s() == 5


def test_a_failed_job_waits_longer_each_time_and_at_most_an_hour() -> None:
    assert [job_wait_s(retries, lambda: 0.0) for retries in (5, 3, 2, 1, 0)] == [10, 10, 40, 160, 640]
    assert job_wait_s(-9, lambda: 0.0) == 3600


def test_a_wait_that_was_asked_for_is_never_shortened() -> None:
    assert at_least_s(30, lambda: 0.0) == 30
    assert at_least_s(30, lambda: 0.5) == 31.5
