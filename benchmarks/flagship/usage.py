"""Processor time and memory of the parts."""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one part with its child processes."""

    cpu_s: float
    """Since the part began."""
    rss_bytes: int


def usage(pids: Mapping[str, int]) -> dict[str, Usage]:
    """Return what each part in *pids* has used; one that is gone is left out."""
    found = {}
    for name, pid in pids.items():
        try:
            process = psutil.Process(pid)
            family = [process, *process.children(recursive=True)]
            found[name] = Usage(sum(map(_cpu_s, family)), sum(each.memory_info().rss for each in family))
        except psutil.NoSuchProcess:
            continue
    return found


def own_usage() -> Usage:
    """Return what this process alone has used: all parts are children of it too."""
    process = psutil.Process()
    return Usage(_cpu_s(process), process.memory_info().rss)


def cpu_between(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, float]:
    """Return the processor seconds of each part that was there at both times."""
    return {name: round(after[name].cpu_s - before[name].cpu_s, 2) for name in before if name in after}


def rss_mb(now: Mapping[str, Usage]) -> dict[str, float]:
    """Return the resident memory of each part."""
    return {name: round(each.rss_bytes / 1e6, 1) for name, each in now.items()}


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
