"""The clients that are compared, and how each is started."""

import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import python
from benchmarks.worker.given import Given
from waggle.engine.local.cache import Cache
from waggle.engine.local.java import JAVA
from waggle.engine.local.progress import Silent

_SOURCE = Path(__file__).with_name("BenchWorker.java")
_RELEASE = "17"


@dataclass(frozen=True, slots=True)
class Client:
    """A worker client."""

    name: str
    command: Callable[[Given], list[str]]


class NoCompiler(Exception):
    """The machine has no `javac`, so that the engine's own client cannot be measured."""


def python_clients() -> Mapping[str, Client]:
    """Return the clients that need nothing but this Python."""
    made = (
        Client("ours", lambda given: python("benchmarks.worker.ours", *given.arguments())),
        Client("pyzeebe-polling", lambda given: python("benchmarks.worker.theirs", *given.arguments())),
        Client("pyzeebe-streaming", lambda given: python("benchmarks.worker.theirs", *given.arguments(), "--stream")),
    )
    return {client.name: client for client in made}


NAMES: Sequence[str] = (*python_clients(), "java")


def java_client(folder: Path) -> Client:
    """Compile the engine's own client into *folder*, against the jars that the broker itself runs on.

    Raises:
        NoCompiler: there is no `javac` on this machine.
    """
    compiler = shutil.which("javac")
    if compiler is None:
        raise NoCompiler
    jars = Cache().engine(Silent()) / "lib" / "*"
    subprocess.run([compiler, "--release", _RELEASE, "-cp", str(jars), "-d", str(folder), str(_SOURCE)], check=True)
    path = f"{folder}:{jars}"
    return Client("java", lambda given: [str(JAVA), "-cp", path, "BenchWorker", *given.arguments()])
