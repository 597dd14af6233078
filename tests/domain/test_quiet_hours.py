"""Nobody is written to in the night, however long the night is."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from waggle.domain.quiet_hours import QuietHours

NIGHT = QuietHours(time(21), time(9))
WARSAW = ZoneInfo("Europe/Warsaw")


def local(*parts: int, zone: str = "Europe/Warsaw", fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("now", "over"),
    [
        (local(2026, 5, 4, 20, 59, 59), None),
        (local(2026, 5, 4, 21), local(2026, 5, 5, 9)),
        (local(2026, 5, 4, 23, 59), local(2026, 5, 5, 9)),
        (local(2026, 5, 5, 0), local(2026, 5, 5, 9)),
        (local(2026, 5, 5, 8, 59, 59), local(2026, 5, 5, 9)),
        (local(2026, 5, 5, 9), None),
    ],
)
def test_a_night_across_midnight_ends_in_the_morning(now: datetime, over: datetime | None) -> None:
    assert NIGHT.over_at(now, "Europe/Warsaw") == over


def test_a_rest_at_noon_ends_on_the_same_day() -> None:
    rest = QuietHours(time(12), time(14))

    assert rest.over_at(local(2026, 5, 4, 13), "Europe/Warsaw") == local(2026, 5, 4, 14)
    assert rest.over_at(local(2026, 5, 4, 11, 59), "Europe/Warsaw") is None
    assert rest.over_at(local(2026, 5, 4, 14), "Europe/Warsaw") is None


@pytest.mark.parametrize("at", [time(0), time(9), time(21)])
def test_equal_ends_mean_that_it_is_never_quiet(at: time) -> None:
    assert QuietHours(at, at).over_at(local(2026, 5, 4, 21), "Europe/Warsaw") is None


def test_the_night_in_which_summer_time_begins_is_an_hour_shorter() -> None:
    now = local(2026, 3, 28, 21)

    assert NIGHT.over_at(now, "Europe/Warsaw") == datetime(2026, 3, 29, 7, tzinfo=UTC)
    assert datetime(2026, 3, 29, 7, tzinfo=UTC) - now == timedelta(hours=11)


def test_the_night_in_which_summer_time_ends_is_an_hour_longer() -> None:
    now = local(2026, 10, 24, 21)

    assert NIGHT.over_at(now, "Europe/Warsaw") == datetime(2026, 10, 25, 8, tzinfo=UTC)
    assert datetime(2026, 10, 25, 8, tzinfo=UTC) - now == timedelta(hours=13)


def test_an_end_that_the_clock_skips_comes_an_hour_later_on_the_clock() -> None:
    early = QuietHours(time(21), time(2, 30))

    assert early.over_at(local(2026, 3, 29, 1, 59), "Europe/Warsaw") == local(2026, 3, 29, 3, 30)


def test_of_an_end_that_the_clock_shows_twice_the_next_one_counts() -> None:
    early = QuietHours(time(21), time(2, 30))
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)

    assert early.over_at(first - timedelta(minutes=20), "Europe/Warsaw") == first
    assert early.over_at(second - timedelta(minutes=20), "Europe/Warsaw") == second


@pytest.mark.parametrize(
    ("zone", "hour_utc"), [("Asia/Tokyo", 0), ("America/New_York", 13), ("Asia/Kathmandu", 3), ("Pacific/Apia", 20)]
)
def test_the_morning_is_that_of_the_customers_zone(zone: str, hour_utc: int) -> None:
    over = NIGHT.over_at(local(2026, 6, 1, 23, zone=zone), zone)

    assert over is not None
    assert over.hour == hour_utc
    assert over.astimezone(ZoneInfo(zone)).time() == time(9)


def test_a_day_that_a_zone_left_out_ends_no_night() -> None:
    """Samoa went from 29 to 31 December 2011 without a 30th."""
    over = NIGHT.over_at(local(2011, 12, 29, 22, zone="Pacific/Apia"), "Pacific/Apia")

    assert over == local(2011, 12, 31, 9, zone="Pacific/Apia")


CHANGES = st.sampled_from([datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)])
NEAR = st.integers(-26 * 60, 26 * 60)
CLOCKS = st.builds(lambda minute: time(minute // 60, minute % 60), st.integers(0, 24 * 60 - 1))


@given(change=CHANGES, minutes=NEAR, start=CLOCKS, end=CLOCKS)
def test_the_answer_is_in_the_future_at_the_end_and_not_quiet_itself(
    change: datetime, minutes: int, start: time, end: time
) -> None:
    length = (end.hour - start.hour) * 60 + end.minute - start.minute
    # Nearly a whole day of quiet would begin anew in the hour that the clock skips.
    assume(length % (24 * 60) <= 22 * 60)
    hours, now = QuietHours(start, end), change + timedelta(minutes=minutes)

    over = hours.over_at(now, "Europe/Warsaw")

    if over is None:
        return
    assert now < over <= now + timedelta(hours=25)
    assert hours.over_at(over, "Europe/Warsaw") is None
    shown = over.astimezone(WARSAW).time()
    skipped = time(2) <= end < time(3) and over.date() == datetime(2026, 3, 29, tzinfo=UTC).date()
    assert shown == (end.replace(hour=3) if skipped else end)
