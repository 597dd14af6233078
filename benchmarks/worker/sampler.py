"""Where a process spends its processor time, seen by looking at all its threads hundreds of times a second.

Each look charges what a thread has used since the look before to the place where it is now; code written in C counts
where it was called from. A thread that is seen waiting has worked somewhere in between: that is told as `unplaced`.
"""

import json
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_LOOK_EVERY_S = 0.003
_TURNS_EVERY_S = 0.0001
"""How soon a busy thread makes way for the look: by default only where it would have made way by itself."""
_WAITS = frozenset(
    {
        "selectors:select",
        "threading:wait",
        "concurrent.futures.thread:_worker",
        "waggle.storage.line:_write_for_ever",
    }
)
_TOLD = 30
_ROOMS = 3
"""How much of a module's name is told where packages are added up: waggle.engine.worker, sqlalchemy.engine."""


@contextmanager
def sampled(file: Path) -> Iterator[None]:
    """Look while the context lasts, then write JSON: seconds by thread, by the deepest own package, and by place."""
    looker, before_s = _Looker(), sys.getswitchinterval()
    sys.setswitchinterval(_TURNS_EVERY_S)
    thread = threading.Thread(target=looker.look_on, name="sampler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        looker.stop.set()
        thread.join()
        sys.setswitchinterval(before_s)
        file.write_text(json.dumps(looker.told(), indent=1), "utf-8")


class _Looker:
    def __init__(self) -> None:
        self.stop = threading.Event()
        self._used_s: dict[int, float] = {}
        self._unplaced_s = 0.0
        self._by_thread: defaultdict[str, float] = defaultdict(float)
        self._by_room: defaultdict[str, float] = defaultdict(float)
        self._by_own_room: defaultdict[str, float] = defaultdict(float)
        self._by_place: defaultdict[str, float] = defaultdict(float)

    def look_on(self) -> None:
        while not self.stop.wait(_LOOK_EVERY_S):
            frames = sys._current_frames()  # noqa: SLF001 -- there is no other way to see them
            for thread in threading.enumerate():
                if thread is threading.current_thread() or thread.ident not in frames:
                    continue
                now_s = time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
                used_s = now_s - self._used_s.get(thread.ident, now_s)
                self._used_s[thread.ident] = now_s
                if used_s > 0:
                    self._charge(thread.name, frames[thread.ident], used_s)

    def told(self) -> dict[str, object]:
        """Return the seconds, the greatest first."""
        tables = {
            "by_thread_s": self._by_thread,
            "by_package_s": self._by_room,
            "on_behalf_of_s": self._by_own_room,
            "by_place_s": self._by_place,
        }
        return {
            "sum_s": round(sum(self._by_thread.values()), 3),
            "unplaced_s": round(self._unplaced_s, 3),
            **{name: _greatest(table) for name, table in tables.items()},
        }

    def _charge(self, thread: str, frame: FrameType, used_s: float) -> None:
        place = f"{_module(frame)}:{frame.f_code.co_name}"
        self._by_thread[thread.rstrip("0123456789_-")] += used_s
        if place in _WAITS:
            self._unplaced_s += used_s
            return
        self._by_room[_room(frame)] += used_s
        self._by_place[place] += used_s
        self._by_own_room[_own_room(frame)] += used_s


def _greatest(table: Mapping[str, float]) -> dict[str, float]:
    ordered = sorted(table.items(), key=lambda entry: -entry[1])
    return {key: round(seconds, 3) for key, seconds in ordered[:_TOLD]}


def _own_room(frame: FrameType | None) -> str:
    """Return the deepest package of the product on whose behalf *frame* runs."""
    while frame is not None:
        if _module(frame).startswith(("waggle.", "workers.", "connectors.")):
            return _room(frame)
        frame = frame.f_back
    return "none of ours"


def _room(frame: FrameType) -> str:
    return ".".join(_module(frame).split(".")[:_ROOMS])


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "?"))
