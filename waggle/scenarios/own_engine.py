"""The engine that simulations have for themselves: found again if it is up, thrown away if it is not sound."""

import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from waggle.engine import local
from waggle.engine.local import EngineOptions, RunningEngine
from waggle.engine.local.locks import LockHeld, held
from waggle.engine.local.progress import Progress
from waggle.engine.records import RecordStream
from waggle.errors import TemporaryFailure, WaggleError

_PATIENCE_S = 2.0
_LOOPBACK = "127.0.0.1"
# One by one, each costs the engine and us more than what it tells of.
_RECORDS_TOGETHER = 32


@dataclass(frozen=True, slots=True)
class OwnEngine:
    """A broker whose clock is controlled, and what it tells."""

    engine: RunningEngine
    records: RecordStream


@contextmanager
def own_engine(home: Path, progress: Progress | None = None, *, keep: bool = False) -> Iterator[OwnEngine]:
    """Give the engine in *home*, started unless one is up; one that was started here ends here, unless to *keep*.

    Raises:
        TemporaryFailure: SIMULATION_UNDER_WAY, another process plays with it; or as `local.start`.
        BadSettings: as `local.start`.
    """
    try:
        with held(home / "simulate.lock", _PATIENCE_S):
            yield from _opened(home, progress, keep=keep)
    except LockHeld:
        raise TemporaryFailure(
            "SIMULATION_UNDER_WAY",
            f"another simulation plays in {home}: wait for its end, or set WAGGLE_HOME to another",
        ) from None


def _opened(home: Path, progress: Progress | None, *, keep: bool) -> Iterator[OwnEngine]:
    engine_home, mark, port_file = home / "engine", home / "in-use", home / "records-port"
    with _record_stream(port_file) as records:
        port_file.write_text(records.url.rpartition(":")[2], encoding="utf-8")
        options = EngineOptions(
            engine_home,
            with_operate=False,
            controlled_clock=True,
            durable=False,
            records_url=records.url,
            records_together=_RECORDS_TOGETHER,
            quick=True,
        )
        # What a run that was killed left under way is known to nobody.
        engine = None if mark.exists() else local.adopt(options)
        mark.touch()
        if engine is None:
            _throw_away(engine_home)
            engine = local.start(options, progress)
        is_sound = False
        try:
            yield OwnEngine(engine, records)
            is_sound = True
        except WaggleError:
            # What is wrong is known, and journeys were ended on the way here.
            is_sound = True
            raise
        finally:
            if not (is_sound and (keep or engine.was_adopted)):
                _throw_away(engine_home)
            mark.unlink()


def _throw_away(engine_home: Path) -> None:
    local.stop(engine_home)
    shutil.rmtree(engine_home, ignore_errors=True)


def _record_stream(port_file: Path) -> RecordStream:
    """Listen where the running engine sends its records to, if that is still free."""
    try:
        port = int(port_file.read_text(encoding="utf-8"))
        with socket.create_server((_LOOPBACK, port)):
            return RecordStream(port)
    except (OSError, ValueError):
        return RecordStream()
