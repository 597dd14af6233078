"""The time of an engine whose clock is moved forward: wall time plus an offset kept on disk."""

import json
import os
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from waggle.engine.local.files import read_json, write_durably
from waggle.engine.local.locks import held
from waggle.errors import BadSettings, TemporaryFailure

_FILE = "clock.json"
_TRIES = 5
_PAUSE_S = 0.2
_LOCK_LIMIT_S = 10.0


class LocalClock:
    """The clock port for everything that works beside the engine in *home*."""

    def __init__(self, home: Path) -> None:
        self._file = home / _FILE
        self._seen: tuple[int, int] | None = None
        self._offset = timedelta()
        self._latest = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        """Return the engine's present; never earlier than an answer before."""
        try:
            facts = os.stat(self._file)  # noqa: PTH116 - half the cost of Path.stat, on a path taken per job
        except FileNotFoundError:
            facts = None
        # The file is replaced, never rewritten, so its number differs even within one tick of the clock.
        seen = (facts.st_mtime_ns, facts.st_ino) if facts else None
        if seen != self._seen:
            self._offset = timedelta(milliseconds=_stored_offset_ms(self._file))
            self._seen = seen
        self._latest = max(self._latest, datetime.now(UTC) + self._offset)
        return self._latest


def stored_offset_ms(home: Path) -> int:
    """Return by how much the clock of the engine in *home* is ahead of the wall."""
    return _stored_offset_ms(home / _FILE)


def advance(home: Path, monitoring_url: str, seconds: float) -> None:
    """Move the clock of the engine in *home* forward.

    Written down first: a broker that dies in between gets the new offset at its next start, so time never runs back.

    Raises:
        ValueError: *seconds* is not positive.
        TemporaryFailure: CLOCK_NOT_MOVED, the broker does not answer; its next start or the next move catches up.
        BadSettings: CLOCK_NOT_CONTROLLED, the engine was started without a controlled clock.
    """
    if seconds <= 0:
        raise ValueError(seconds)
    with held(home / "clock.lock", _LOCK_LIMIT_S):
        offset_ms = stored_offset_ms(home) + round(seconds * 1000)
        write_durably(home / _FILE, f'{{"offset_ms": {offset_ms}}}\n')
        apply(monitoring_url, offset_ms)


def apply(monitoring_url: str, offset_ms: int) -> None:
    """Bring the broker's clock to wall time plus *offset_ms*, unless it is there or ahead; raises as `advance` does."""
    for _ in range(_TRIES):
        try:
            if _applied(monitoring_url, offset_ms):
                return
        except (OSError, HTTPException):
            pass
        time.sleep(_PAUSE_S)
    raise TemporaryFailure("CLOCK_NOT_MOVED", f"The engine at {monitoring_url} did not move its clock.")


def _applied(monitoring_url: str, offset_ms: int) -> bool:
    # On loopback, a dozen times in a scenario that takes a second: to set up a full client would take longer.
    with closing(HTTPConnection(urlsplit(monitoring_url).netloc, timeout=5)) as connection:
        # Read before the request: the broker then lags by what the request takes and never fires a timer early.
        wanted_ms = time.time_ns() // 1_000_000 + offset_ms
        connection.request("GET", "/actuator/clock")
        answer = connection.getresponse()
        told = answer.read()
        if answer.status == HTTPStatus.NOT_FOUND:
            raise BadSettings("CLOCK_NOT_CONTROLLED", "The engine was started without a controlled clock.")
        if answer.status != HTTPStatus.OK:
            return False
        missing_ms = wanted_ms - json.loads(told)["epochMilli"]
        if missing_ms <= 0:
            return True
        move = json.dumps({"offsetMilli": missing_ms})
        connection.request("POST", "/actuator/clock/add", move, {"Content-Type": "application/json"})
        return connection.getresponse().status == HTTPStatus.OK


def _stored_offset_ms(file: Path) -> int:
    match read_json(file):
        case {"offset_ms": int(offset_ms)}:
            return offset_ms
        case None if not file.exists():
            return 0
    raise BadSettings("CLOCK_UNREADABLE", f"{file} is damaged: remove the engine's folder to begin anew.")
