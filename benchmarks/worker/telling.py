"""The report of the worker benchmark: its table's columns, its conditions, its picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.picture import dots, save, sheet
from benchmarks.report import Report, Row, number, summed_up
from benchmarks.worker import poison, rounds
from benchmarks.worker.ground import Ground
from benchmarks.worker.plan import Plan, Played
from benchmarks.worker.verdict import goals

BY = ("load", "client", "database")
COLUMNS: Mapping[str, str] = {
    "journeys_per_s": "journeys/s",
    "completed": "completed",
    "repeated_jobs": "repeated jobs",
    "worker_cpu_s": "worker CPU s",
    "worker_cpu_ms_per_journey": "ms per journey",
    "rss_mb": "RSS MB",
    "latency_ms.p50": "p50 ms",
    "latency_ms.p99": "p99 ms",
    "broker_cpu_s": "broker CPU s",
    "others_cpu_s": "others CPU s",
}
_SUMMED = (*COLUMNS, "sink_cpu_s", "database_cpu_s", "driver_cpu_s", "good_jobs_per_s", "incidents", "elapsed_s")
_FIRST_PANEL = {
    "no-op": "journeys_per_s",
    "overload": "completed",
    "journey": "journeys_per_s",
    "poison": "good_jobs_per_s",
}
_OTHER_PANELS = ("repeated_jobs", "worker_cpu_ms_per_journey", "latency_ms.p50")
_HEADINGS = {
    "no-op": "Handlers that do nothing",
    "overload": "More than can be done: handlers of 100 ms, six at once",
    "journey": "The abandoned cart, with all effects and with none",
    "poison": "Good jobs, beside poison and alone",
}
_PANEL_TITLES = {
    "journeys_per_s": "journeys a second",
    "completed": "journeys completed in the window",
    "good_jobs_per_s": "good jobs a second",
    "repeated_jobs": "jobs run more than once",
    "worker_cpu_ms_per_journey": "worker's processor time per journey, ms",
    "latency_ms.p50": "start to end of the last handler, p50 ms",
}


def report(played: Played, plan: Plan, ground: Ground) -> Report:
    """Return what is to be written down."""
    summary = summed_up(played.rows, by=BY, of=_SUMMED)
    return Report(
        benchmark="worker",
        how=_how(plan, ground, played),
        rows=played.rows,
        summary=summary,
        goals=goals(played.rows, summary),
        notes=played.notes,
    )


def draw(told: Report, file: Path) -> None:
    """Draw the rounds of *told*: a row of panels for each load, a line for each client."""
    shown = {load: rows for load in _HEADINGS if (rows := _of_load(told.rows, load))}
    if not shown:
        return
    lines = [len(_groups(rows, "completed")) for rows in shown.values()]
    machine = told.machine
    subtitle = (
        f"Dots are rounds, bars are medians. {machine['processor']}, {machine['cores']} cores for broker, driver and "
        f"worker together. {told.measured_at}, commit {told.commit}."
    )
    columns = 1 + len(_OTHER_PANELS)
    figure, axes = sheet("Worker clients on one broker", subtitle, lines=lines, columns=columns)
    for (load, rows), line in zip(shown.items(), axes, strict=True):
        for panel, axis in zip((_FIRST_PANEL[load], *_OTHER_PANELS), line, strict=True):
            groups = _groups(rows, panel)
            heading = _HEADINGS[load] if axis is line[0] else ""
            ours = [name for name in groups if _is_ours(name)]
            dots(axis, groups, title=_PANEL_TITLES[panel], ours=ours, heading=heading)
            if axis is not line[0]:
                axis.set_yticklabels([])
    save(figure, file)


def _of_load(rows: Sequence[Row], load: str) -> list[Row]:
    also = {"journey": "journey-no-op", "poison": "poison-clean"}.get(load)
    return [row for row in rows if row["load"] in (load, also) and "skipped" not in row]


def _groups(rows: Sequence[Row], name: str) -> dict[str, list[float]]:
    groups: dict[str, list[float]] = {}
    for row in rows:
        values = groups.setdefault(_line(row), [])
        value = number(row, name)
        if value is not None:
            values.append(value)
    return groups


def _line(row: Row) -> str:
    """Return what a line is called: the client, or what else sets it apart."""
    match row["load"]:
        case "journey":
            return f"effects, {row['database']}"
        case "journey-no-op":
            return f"no effects, {row['database']}"
        case "poison":
            return "beside poison"
        case "poison-clean":
            return "clean"
    return str(row["client"])


def _is_ours(line: str) -> bool:
    return line == "ours" or line.startswith(("effects", "beside"))


def _how(plan: Plan, ground: Ground, played: Played) -> dict[str, object]:
    no_op, overload = (load.scaled(plan.scale) for load in (rounds.NO_OP, rounds.OVERLOAD))
    dose = poison.Dose.scaled(plan.scale)
    return {
        "rounds": plan.rounds,
        "scale": plan.scale,
        "engine": ground.broker.facts(),
        "order": "the clients of a load take turns in every round, another one first each time",
        "warm_up": "one round that does not count, for the broker; in each round a few journeys first, for the client",
        "driver": "publishes start messages, at most 32 under way, again until each is taken",
        "completed": "process instances by the broker's own counter zeebe_executed_instances_total",
        "repeated_jobs": "calls of a handler beyond the first for one element of one journey, noted by each client",
        "latency_ms": "from the first try of a journey's start to the end of its last handler",
        "worker_cpu_s": "between the first start and the end of the round; starting and getting warm are not in it",
        "others_cpu_s": "of the whole machine, less worker, broker, driver, database and mail sink: how quiet it was",
        "no_op": f"{no_op.journeys} journeys of 4 jobs, 4 task types, handlers that return at once",
        "overload": f"{overload.journeys} journeys at once of 4 jobs, one task type, handlers that block 100 ms, "
        f"{overload.at_once} at once, lease {overload.lease_s:g} s, window {overload.window_s:g} s",
        "journey": f"{plan.cart_journeys} abandoned carts, both mails sent, waits of 1 s; the worker as shipped; the "
        "carts lay in the database before, the start messages are those of the relay, published by the driver",
        "poison": f"{dose.journeys} journeys of 4 jobs, in {dose.poisoned} of which the last job cannot be done: "
        + ", ".join(poison.POISONS),
        "ours": "WorkerRuntime, streaming and polling; jobs in hand as for the others (32), six threads under overload",
        "pyzeebe": "4.7 ZeebeWorker with its defaults (max_running_jobs 32); its pool has six threads under overload",
        "java": "zeebe-client-java of the engine's version with its defaults, streaming; six threads under overload, "
        "else one; does not wait for the answer to a completion; on the engine's Java runtime",
        "profiles": played.profiles,
    }
