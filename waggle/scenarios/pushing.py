"""Whether the engine pushes jobs to the workers here: it begins a moment after they asked for it."""

import asyncio
import json
import time
from collections.abc import Set as AbstractSet
from contextlib import closing
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from waggle.engine.local import RunningEngine

_LIMIT_S = 5.0
_LOOK_EVERY_S = 0.02


async def pushed_here_only(engine: RunningEngine, task_types: AbstractSet[str]) -> None:
    """Return once the jobs of each of *task_types* are pushed to one worker; after some seconds in any case.

    Of a clock that leaps meanwhile it may happen that a worker is not heard for seconds, and what is pushed to one
    that has ended comes back only when its lease is over.
    """
    end_s = time.monotonic() + _LIMIT_S
    while time.monotonic() < end_s:
        consumers = await asyncio.to_thread(_consumers, engine)
        if all(consumers.get(task_type) == 1 for task_type in task_types):
            return
        await asyncio.sleep(_LOOK_EVERY_S)


def _consumers(engine: RunningEngine) -> dict[str, int]:
    """Return how many take the jobs of which type, as the engine tells those who run it."""
    try:
        with closing(HTTPConnection(urlsplit(engine.monitoring_url).netloc, timeout=_LIMIT_S)) as connection:
            connection.request("GET", "/actuator/jobstreams")
            answer = connection.getresponse()
            streams = json.loads(answer.read())["remote"] if answer.status == HTTPStatus.OK else []
    except (OSError, HTTPException):
        return {}
    found: dict[str, int] = {}
    for stream in streams:
        found[stream["jobType"]] = found.get(stream["jobType"], 0) + len(stream["consumers"])
    return found
