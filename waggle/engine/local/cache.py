"""The engine's files on this machine: fetched once, verified, shared by every checkout."""

import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from waggle.engine.local import loopback, retries
from waggle.engine.local.artefacts import Artefact, Bundle, pinned
from waggle.engine.local.locks import held
from waggle.engine.local.maven import download
from waggle.engine.local.progress import Progress
from waggle.errors import BadSettings
from waggle.log import get_logger

log = get_logger(__name__)

Fetcher = Callable[[Artefact, Path, Callable[[int], None]], Path]
"""Brings an artefact into a folder, tells the size of each piece, returns the file; raises OSError if it cannot."""

_TRIES = 3
_AT_ONCE = 4
_FETCH_LIMIT_S = 3600.0
_SIZES = "sizes.json"


def cache_folder() -> Path:
    """Return $WAGGLE_CACHE, else the platform's cache folder for Waggle."""
    if own := os.environ.get("WAGGLE_CACHE"):
        return Path(own)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "waggle"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "waggle"


class Cache:
    """The folder in which bundles lie laid out, ready to run."""

    def __init__(
        self,
        folder: Path | None = None,
        fetch: Fetcher = download,
        bundles: tuple[Bundle, Bundle] | None = None,
    ) -> None:
        self.folder = (folder or cache_folder()).resolve()
        self._fetch = fetch
        self._engine, self._search = bundles or pinned()

    def engine(self, progress: Progress) -> Path:
        """Return the folder of the engine's distribution (bin, config, lib), fetching it if need be.

        Raises:
            BadSettings: ENGINE_FILES_MISSING or CACHE_UNUSABLE, with what to do.
        """
        return self.laid_out(self._engine, progress)

    def search(self, progress: Progress) -> Path:
        """Return the folder of the search store's jars, fetching them if need be; raises as `engine` does."""
        return self.laid_out(self._search, progress)

    def laid_out(self, bundle: Bundle, progress: Progress) -> Path:
        """Return the folder of any *bundle*, fetching it if need be; raises as `engine` does."""
        folder = self.folder / bundle.folder
        if _is_whole(folder):
            return folder
        try:
            with held(self.folder / f"{bundle.name}.lock", _FETCH_LIMIT_S):
                if not _is_whole(folder):
                    self._lay_out(bundle, folder, progress)
        except PermissionError as error:
            raise BadSettings(
                "CACHE_UNUSABLE",
                f"The cache folder {self.folder} cannot be written: "
                "set WAGGLE_CACHE to a folder of yours with 2 GB of free space.",
            ) from error
        return folder

    def _lay_out(self, bundle: Bundle, folder: Path, progress: Progress) -> None:
        """Fetch and unpack beside *folder*, then put it in place in one step."""
        shutil.rmtree(folder, ignore_errors=True)
        downloads = self.folder / "downloads"
        # The lock is ours: what lies here was left by a process that is no more.
        for left in self.folder.glob(f".{bundle.name}-*"):
            shutil.rmtree(left, ignore_errors=True)
        progress.began(f"Fetching the {bundle.name} files", bundle.size_bytes)
        downloads.mkdir(parents=True, exist_ok=True)
        # Most are small: opening a connection takes longer than what comes through it.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            files = list(pool.map(lambda artefact: self._verified(artefact, downloads, progress), bundle.artefacts))
        progress.began(f"Unpacking the {bundle.name} files")
        fresh = Path(tempfile.mkdtemp(prefix=f".{bundle.name}-", dir=self.folder))
        for file in files:
            if bundle.unpacked and file.name.endswith(".tar.gz"):
                _unpack(file, fresh)
            else:
                shutil.copy2(file, fresh)
        if bundle.unpacked:
            loopback.lay_out(fresh)
            retries.lay_out(fresh)
        sizes = {str(path.relative_to(fresh)): path.stat().st_size for path in fresh.rglob("*") if path.is_file()}
        (fresh / _SIZES).write_text(json.dumps(sizes), "utf-8")
        fresh.replace(folder)
        for file in files:
            file.unlink(missing_ok=True)
        log.info("engine files laid out", bundle=bundle.name, files=len(sizes))

    def _verified(self, artefact: Artefact, downloads: Path, progress: Progress) -> Path:
        """Return the downloaded file of *artefact*: an earlier one if it is whole, else a fresh one."""
        file = downloads / artefact.filename
        if artefact.matches(file):
            progress.advanced(artefact.size_bytes)
            return file
        file.unlink(missing_ok=True)
        failure: Exception | None = None
        for _ in range(_TRIES):
            arrived = _Arrived(progress)
            with tempfile.TemporaryDirectory(prefix=f".{artefact.name}-", dir=downloads) as scratch:
                try:
                    fresh = self._fetch(artefact, Path(scratch), arrived)
                except (OSError, RuntimeError) as error:
                    failure = error
                else:
                    if artefact.matches(fresh):
                        fresh.replace(file)
                        return file
            arrived.take_back()
            log.warning("download was not whole", artefact=artefact.filename)
        raise self._missing(artefact) from failure

    def _missing(self, artefact: Artefact) -> BadSettings:
        return BadSettings(
            "ENGINE_FILES_MISSING",
            f"{artefact.filename} ({artefact.size_bytes / 1e6:,.0f} MB) is not on this machine and could not be "
            "fetched from the Maven repository: run `waggle engine fetch` where there is a network, and if this "
            f"machine has none, copy that machine's cache folder to {self.folder} here.",
        )


class _Arrived:
    """Counts what one try brought, so that a failed try leaves the bar where it was."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._size_bytes = 0

    def __call__(self, size_bytes: int) -> None:
        self._size_bytes += size_bytes
        self._progress.advanced(size_bytes)

    def take_back(self) -> None:
        self._progress.advanced(-self._size_bytes)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar.gz without its single top folder."""
    with tarfile.open(archive) as tar:
        for member in tar:
            _, _, inside = member.name.partition("/")
            if inside:
                tar.extract(member.replace(name=inside), folder, filter="data")


def _is_whole(folder: Path) -> bool:
    """Say whether every file is there in its full size."""
    try:
        sizes = json.loads((folder / _SIZES).read_text("utf-8"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
