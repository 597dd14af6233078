"""Processor time: of the programs that are measured, and of everybody else, which tells how quiet the machine was."""

from collections.abc import Mapping

import psutil


class Effort:
    """What has been used since it was made."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        """Watch the processes *pids*, by name, and what they start; this one is the `driver`."""
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()} | {"driver": psutil.Process()}
        self._used_s = dict.fromkeys(self._processes, 0.0)
        self._before_s = dict(self._look())
        self._machine_before_s = _machine_s()

    def spent(self) -> dict[str, float]:
        """Return processor seconds by name, with `_cpu_s` behind it; `others` is all that is none of them."""
        spent = {name: used_s - self._before_s[name] for name, used_s in self._look().items()}
        others = _machine_s() - self._machine_before_s - sum(spent.values())
        return {f"{name}_cpu_s": round(used_s, 2) for name, used_s in {**spent, "others": max(0.0, others)}.items()}

    def _look(self) -> dict[str, float]:
        for name, process in self._processes.items():
            try:
                # All else is a child of the driver.
                family = [] if name == "driver" else process.children(recursive=True)
                self._used_s[name] = sum(map(_process_s, (process, *family)))
            except psutil.NoSuchProcess:
                continue
        return self._used_s.copy()


def _process_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _machine_s() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)
