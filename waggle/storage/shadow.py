"""A second store in a folder of its own, into which the events are read anew; it goes when that is done."""

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from waggle.errors import TemporaryFailure
from waggle.ports.state import Position
from waggle.storage.keyring import Keyring
from waggle.storage.store import Store, open_store

_MARK, _POSITION, _LOCK = "mark", "position.json", "lock"


class FileBookmark:
    """Implements waggle.ports.state.Bookmark. Written after the shadow's commit: what lies between is read twice."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def load(self) -> Position:
        """Return the position, the beginning if there is none."""
        try:
            found = json.loads(self._file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Position()
        return Position(found["sequence"], tuple(found["waiting"]))

    def save(self, position: Position) -> None:
        """Keep *position* in the place of the one before."""
        prepared = self._file.with_suffix(".new")
        prepared.write_text(json.dumps(asdict(position)), encoding="utf-8")
        prepared.replace(self._file)


@dataclass(frozen=True, slots=True)
class Shadow:
    """The store, and how far it is."""

    store: Store
    bookmark: FileBookmark


@contextmanager
def open_shadow(folder: Path, keyring: Keyring, mark: str) -> Iterator[Shadow]:
    """Give the shadow in *folder*; after an error it stays there, to go on with.

    *mark* says what it is a shadow of and by which rules: one with another mark is begun anew.

    Raises:
        TemporaryFailure: REPLAY_RUNNING, another process uses it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise TemporaryFailure("REPLAY_RUNNING", f"another process reads the events anew in {folder}") from error
        marked = folder / _MARK
        if not marked.is_file() or marked.read_text(encoding="utf-8") != mark:
            _empty(folder)
            marked.write_text(mark, encoding="utf-8")
        # Who is forgotten is listed where the events come from.
        store = open_store(f"sqlite:///{folder / 'shadow.db'}", keyring=keyring, erased=folder / "erased.jsonl")
        try:
            yield Shadow(store, FileBookmark(folder / _POSITION))
        finally:
            store.close()
        _empty(folder)


def _empty(folder: Path) -> None:
    for each in folder.iterdir():
        if each.is_dir():
            shutil.rmtree(each)
        elif each.name != _LOCK:
            each.unlink()
