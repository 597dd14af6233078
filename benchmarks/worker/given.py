"""What every client is told on its command line, whatever language it is written in."""

import argparse
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Given:
    """How to work."""

    address: str
    """host:port of the gateway."""
    calls: Path
    """Where each call of a handler is noted: journey, element, end in nanoseconds since the epoch, tabs between."""
    task_types: tuple[str, ...]
    block_s: float
    """How long a handler blocks its thread; 0: it returns at once."""
    at_once: int
    """Blocking handlers that run at the same time; jobs in hand where handlers do not block."""
    lease_s: float

    def arguments(self) -> list[str]:
        """Return the command line that `given` reads."""
        return [
            *("--address", self.address, "--calls", str(self.calls), "--task-types", ",".join(self.task_types)),
            *("--block-ms", str(round(self.block_s * 1000)), "--at-once", str(self.at_once)),
            *("--lease-ms", str(round(self.lease_s * 1000))),
        ]


def parser(program: str) -> argparse.ArgumentParser:
    """Return what reads the command line of *program*."""
    made = argparse.ArgumentParser(prog=f"python -m {program}")
    made.add_argument("--address", required=True)
    made.add_argument("--calls", type=Path, required=True)
    made.add_argument("--task-types", required=True)
    made.add_argument("--block-ms", type=int, default=0)
    made.add_argument("--at-once", type=int, default=32)
    made.add_argument("--lease-ms", type=int, default=10_000)
    return made


def given(program: str) -> Given:
    """Read the command line of *program*."""
    return read(parser(program).parse_args())


def read(asked: argparse.Namespace) -> Given:
    """Return what *asked*, from `parser`, says."""
    return Given(
        address=asked.address,
        calls=asked.calls,
        task_types=tuple(asked.task_types.split(",")),
        block_s=asked.block_ms / 1000,
        at_once=asked.at_once,
        lease_s=asked.lease_ms / 1000,
    )
