"""One task whose jobs are good or poisoned in many ways, each of which met somebody somewhere.

What the handler is to do stands in the job, so that one process gets all of it mixed, as in life.
"""

import asyncio
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.guarantees.probe_tasks import note
from waggle.errors import OutcomeUnknown, PermanentFailure, Rejected
from waggle.task import task

FAR_TOO_LARGE = 6_000_000
"""Characters: more than the engine takes in one command."""


@dataclass(frozen=True, slots=True)
class Swallow:
    enrolment_id: str
    act: str
    """A name in ACTS, or `good`."""
    text: str
    count: int
    settings: dict[str, str]


@dataclass(frozen=True, slots=True)
class Swallowed:
    settings: Any


@task("swallow", throws=("BAD_TASTE",), timeout_s=3, concurrency=16, retries=1)
async def swallow(job: Swallow) -> Swallowed:
    """Do what the job says."""
    if job.act == "good":
        note(job.enrolment_id)
        return Swallowed({"taste": "good"})
    result = ACTS[job.act](job.text)
    return Swallowed(await result if asyncio.iscoroutine(result) else result)


def _raised(error: Callable[[str], BaseException]) -> Callable[[str], object]:
    def act(text: str) -> object:
        raise error(text)

    return act


def _nested(text: str) -> object:
    found: object = text
    for _ in range(100_000):
        found = [found]
    return found


def _circle(text: str) -> object:
    found: list[object] = [text]
    found.append(found)
    return found


def _without_end(text: str) -> object:
    return _without_end(text + " ")


class _Unspeakable(Exception):
    def __str__(self) -> str:
        raise ValueError("there are no words")


ACTS: dict[str, Callable[[str], object]] = {
    "an error that quotes": _raised(lambda text: ValueError(f"cannot write to {text}")),
    "an error that quotes as its code": _raised(PermanentFailure),
    "an error without words": _raised(lambda _: _Unspeakable()),
    "a group of errors": _raised(lambda text: ExceptionGroup(text, [ValueError(text), KeyError(text)])),
    "a code nobody declared": _raised(lambda _: Rejected("NO_SUCH_CODE")),
    "a code that quotes": _raised(Rejected),
    "a code nobody catches": _raised(lambda _: Rejected("BAD_TASTE")),
    "an unknown outcome": _raised(lambda _: OutcomeUnknown("ANSWER_LOST")),
    "an end of the program": sys.exit,
    "an interrupt": _raised(KeyboardInterrupt),
    "a cancellation of its own": _raised(asyncio.CancelledError),
    "a recursion without end": _without_end,
    "a name with a null byte": lambda text: Path(f"\0{text}").stat(),
    "no end": lambda _: asyncio.sleep(3600),
    "a result that is no data": lambda _: object(),
    "a result that quotes": lambda text: {"mail": text},
    "a result with a key that quotes": lambda text: {text: "x"},
    "a result with half a character": lambda _: {"half": "\ud800"},
    "a result that is no number": lambda _: {"number": math.nan},
    "a result of too many bits": lambda _: {"number": 2**80},
    "a result in a circle": _circle,
    "a result nested too deep": _nested,
    "a result far too large": lambda _: ["x" * 200] * (FAR_TOO_LARGE // 200),
}
