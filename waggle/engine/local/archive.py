"""Archives of loaded classes (AppCDS), which halve the time a Java program takes to start.

They are made once for each pair of Java runtime and class path, from the first program that runs; a program whose
archive is missing or does not fit only starts more slowly.
"""

import hashlib
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from waggle.engine.local.java import JAVA, Program
from waggle.engine.local.locks import held
from waggle.errors import TemporaryFailure
from waggle.log import get_logger

log = get_logger(__name__)

_TOOL_LIMIT_S = 120
_UNUSED_S = 14 * 86400.0


class Archives:
    """The archives in one cache folder."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "classes"

    def options(self, program: Program) -> list[str]:
        """Return how *program* must be run: on its archive, or so that one can be made of it."""
        folder = self._folder_of(program)
        base, top = folder / "base.jsa", self._path(program)
        if top.exists():
            folder.touch()
            return [f"-XX:SharedArchiveFile={base}:{top}"]
        return self._to_be_recorded(folder, base)

    def is_missing(self, program: Program) -> bool:
        """Say whether the next start of *program* could be made faster."""
        return not self._path(program).exists()

    def record(self, program: Program, pid: int) -> None:
        """Make the archive from the running process *pid* of *program*, which stands still for some seconds."""
        top = self._path(program)
        fresh = top.with_name(f".{top.name}.{pid}")
        tool = JAVA.with_name("jcmd")
        try:
            subprocess.run(
                [tool, str(pid), "VM.cds", "dynamic_dump", str(fresh)],
                capture_output=True,
                check=True,
                timeout=_TOOL_LIMIT_S,
            )
            fresh.replace(top)
        except (OSError, subprocess.SubprocessError) as error:
            fresh.unlink(missing_ok=True)
            log.warning("class archive not made", program=program.name, error=type(error).__name__)
            return
        self._forget_unused()

    def _to_be_recorded(self, folder: Path, base: Path) -> list[str]:
        try:
            with held(self._folder / "base.lock", _TOOL_LIMIT_S):
                if not base.exists():
                    _dump_base(folder, base)
        except (OSError, subprocess.SubprocessError, TemporaryFailure) as error:
            log.warning("base class archive not made", error=type(error).__name__)
            return []
        return [f"-XX:SharedArchiveFile={base}", "-XX:+RecordDynamicDumpInfo"]

    def _path(self, program: Program) -> Path:
        return self._folder_of(program) / f"{program.main.rpartition('.')[2]}.jsa"

    def _folder_of(self, program: Program) -> Path:
        """Return a folder whose name changes with anything the runtime compares before it trusts an archive."""
        parts = [JAVA.parent.parent / "lib" / "modules", *program.jars]
        print_of = hashlib.sha256()
        for part in parts:
            facts = part.stat()
            print_of.update(f"{part}|{facts.st_size}|{facts.st_mtime_ns}\n".encode())
        return self._folder / print_of.hexdigest()[:16]

    def _forget_unused(self) -> None:
        for folder in self._folder.iterdir():
            if folder.is_dir() and time.time() - folder.stat().st_mtime > _UNUSED_S:
                shutil.rmtree(folder, ignore_errors=True)


def _dump_base(folder: Path, base: Path) -> None:
    """Archive the runtime's own classes: the packaged runtime comes without."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        fresh = Path(scratch) / base.name
        subprocess.run(
            [JAVA, f"-XX:SharedArchiveFile={fresh}", "-Xshare:dump", "-XX:+UseSerialGC"],
            capture_output=True,
            check=True,
            timeout=_TOOL_LIMIT_S,
        )
        fresh.replace(base)
