"""What was wanted of the worker, held against what was measured."""

from collections.abc import Sequence

from benchmarks.report import Goal, Row, number

AT_LEAST_OF_BEST = 0.95
EFFECTS_GOAL = 0.9
EFFECTS_FLOOR = 0.7
BESIDE_POISON = 0.95


def goals(rows: Sequence[Row], summary: Sequence[Row]) -> list[Goal]:
    """Return each goal with what is known of it."""
    return [*_overload(rows, summary), _no_op(summary), *_effects(summary), *_poison(rows, summary)]


def _overload(rows: Sequence[Row], summary: Sequence[Row]) -> list[Goal]:
    repeats = [found for row in _of(rows, "overload", "ours") if (found := number(row, "repeated_jobs")) is not None]
    ours, java = (_median(summary, "overload", name, "completed") for name in ("ours", "java"))
    most = max(repeats) if repeats else None
    return [
        Goal("overload: jobs that ours ran more than once, in any round", "0", most, most == 0 if repeats else None),
        Goal(
            "overload: journeys that ours completed in the window",
            "at least java's" if java is None else f"at least java's {java:g}",
            ours,
            None if ours is None or java is None else ours >= java,
        ),
    ]


def _no_op(summary: Sequence[Row]) -> Goal:
    ours = _median(summary, "no-op", "ours", "journeys_per_s")
    others = [
        found
        for row in summary
        if row["load"] == "no-op" and row["client"] != "ours"
        if (found := number(row, "journeys_per_s.median")) is not None
    ]
    share = round(ours / max(others), 3) if ours is not None and others else None
    return Goal(
        "no-op: journeys a second, ours to the best other client",
        f"{AT_LEAST_OF_BEST:g}",
        share,
        None if share is None else share >= AT_LEAST_OF_BEST,
    )


def _effects(summary: Sequence[Row]) -> list[Goal]:
    found = []
    for database in dict.fromkeys(row["database"] for row in summary if row.get("database")):
        on_it = [row for row in summary if row.get("database") == database]
        real, idle = (_median(on_it, load, "ours", "journeys_per_s") for load in ("journey", "journey-no-op"))
        share = round(real / idle, 3) if real is not None and idle else None
        for name, wanted in (("goal", EFFECTS_GOAL), ("floor", EFFECTS_FLOOR)):
            met = None if share is None else share >= wanted
            found.append(Goal(f"journey on {database}: with effects to without, {name}", f"{wanted:g}", share, met))
    return found


def _poison(rows: Sequence[Row], summary: Sequence[Row]) -> list[Goal]:
    beside, alone = (_median(summary, load, "ours", "good_jobs_per_s") for load in ("poison", "poison-clean"))
    share = round(beside / alone, 3) if beside is not None and alone else None
    poisoned = _of(rows, "poison", "ours")
    crashes = sum(bool(row["worker_ended"]) for row in poisoned)
    wrong = sum(row["incidents"] != row["poisoned"] for row in poisoned)
    return [
        Goal(
            "poison: good jobs a second, beside poison to alone",
            f"{BESIDE_POISON:g}",
            share,
            None if share is None else share >= BESIDE_POISON,
        ),
        Goal("poison: rounds in which the worker ended", "0", *_count(poisoned, crashes)),
        Goal("poison: rounds in which not every poisoned job became an incident", "0", *_count(poisoned, wrong)),
    ]


def _count(rows: Sequence[Row], count: int) -> tuple[int | None, bool | None]:
    return (count, count == 0) if rows else (None, None)


def _of(rows: Sequence[Row], load: str, client: str) -> list[Row]:
    return [row for row in rows if row["load"] == load and row["client"] == client and "skipped" not in row]


def _median(summary: Sequence[Row], load: str, client: str, name: str) -> float | None:
    return next(
        (number(row, f"{name}.median") for row in summary if row["load"] == load and row["client"] == client), None
    )
