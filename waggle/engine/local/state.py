"""What is written down about an engine, so that whoever comes next finds it."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import msgspec

from waggle.engine.local.files import write_durably
from waggle.engine.local.ports import Ports
from waggle.engine.local.processes import Child

_FILE = "engine.json"


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How an engine is to be run."""

    home: Path
    """Its data, logs and notes; made if absent."""
    with_operate: bool = True
    port_offset: int | None = None
    """None: the smallest offset whose ports are all free."""
    controlled_clock: bool = False
    """For simulation and tests only: lets `advance_clock` move the engine's time."""
    durable: bool = True
    """Flush every record to the disk before it counts; off in tests only."""
    records_url: str | None = None
    """Where a RecordStream listens."""
    records_together: int = 1
    """Sent in one request, or what there is after a second: 1 is soonest seen, more cost the engine less."""
    quick: bool = False
    """Starts faster, works at half the speed: for short tests."""

    def resolved(self) -> "EngineOptions":
        """Return the same with an absolute home."""
        return replace(self, home=self.home.absolute())


@dataclass(frozen=True, slots=True)
class State:
    """What engine.json in the home says."""

    options: EngineOptions
    ports: Ports
    children: tuple[Child, ...]
    """Empty: it was stopped."""
    is_complete: bool
    """False while a start is under way: processes may run that are not listed yet."""


def read(home: Path) -> State | None:
    """Return what is known of the engine in *home*; nothing, if nothing is or the note is of another version."""
    try:
        return msgspec.json.decode((home / _FILE).read_bytes(), type=State, dec_hook=_decoded)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def write(state: State) -> None:
    """Note *state* durably."""
    text = msgspec.json.encode(asdict(state), enc_hook=str).decode()
    write_durably(state.options.home / _FILE, text, mode=0o600)


def write_stopped(home: Path) -> None:
    """Note that no engine runs in *home*; its ports stay known, so that clients find the next one where this was."""
    if known := read(home):
        write(replace(known, children=(), is_complete=True))


def _decoded(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    # A note that does not fit is a note of another version.
    raise TypeError(f"no {kind.__name__}")
