"""A backup is whole or none, tells nothing to who has not the master key, and brings nobody back who was erased."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, text

from waggle.domain.event import Event
from waggle.errors import BadSettings, PermanentFailure
from waggle.ports.unit_of_work import Transaction
from waggle.storage.backup import BackupContent, Restored, create_backup, restore_backup, verify_backup
from waggle.storage.erased import ErasedList
from waggle.storage.store import Store, open_engine, open_store
from waggle.storage.tables import metadata
from waggle.testing.stores import KEYRING

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)

CREATE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from waggle.storage.backup import create_backup
from waggle.testing.stores import KEYRING
print("begun", flush=True)
create_backup(sys.argv[1], KEYRING, Path(sys.argv[2]), datetime.now(UTC))
"""
RESTORE = """
import sys
from pathlib import Path
from waggle.storage.backup import restore_backup
from waggle.storage.erased import ErasedList
from waggle.testing.stores import KEYRING
print("begun", flush=True)
restore_backup(sys.argv[1], KEYRING, ErasedList(Path(sys.argv[3])), Path(sys.argv[2]))
"""


@dataclass(frozen=True)
class Ground:
    """A database in use, and another of the same kind that nobody has used."""

    store: Store
    url: str
    other_url: str
    folder: Path

    @property
    def backup(self) -> Path:
        return self.folder / "b"

    @property
    def erased(self) -> ErasedList:
        return ErasedList(self.folder / "safe" / "erased.jsonl")

    def open(self, url: str) -> Store:
        return open_store(url, keyring=KEYRING, erased=self.erased.file)

    def create(self) -> BackupContent:
        return create_backup(self.url, KEYRING, self.backup, NOON)

    def restore(self) -> Restored:
        return restore_backup(self.other_url, KEYRING, self.erased, self.backup)


@pytest.fixture
def ground(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Ground]:
    other_url = f"sqlite:///{tmp_path / 'other' / 'waggle.db'}"
    if not database_url.startswith("sqlite"):
        other_url = unused_postgresql(request.getfixturevalue("postgresql_server"))
    erased = tmp_path / "safe" / "erased.jsonl"
    store = open_store(database_url, keyring=KEYRING, erased=erased)
    yield Ground(store, database_url, other_url, tmp_path)
    store.close()


def unused_postgresql(server: str) -> str:
    maintenance = open_engine(server).execution_options(isolation_level="AUTOCOMMIT")
    with maintenance.connect() as connection:
        connection.execute(text("DROP DATABASE IF EXISTS other WITH (FORCE)"))
        connection.execute(text("CREATE DATABASE other"))
    maintenance.dispose()
    return make_url(server).set(database="other").render_as_string(hide_password=False)


async def tell(store: Store, *numbers: int) -> None:
    await store.run(lambda tx: add(tx, *numbers))


def add(tx: Transaction, *numbers: int) -> None:
    for number in numbers:
        data = {"customer_id": f"customer-{number}", "email": f"jo.{number}@example.com", "first_name": "Zoë\t\\N\nx"}
        event = Event(f"e-{number}", "shop", "customer-identified", f"customer-{number}", NOON, data)
        tx.events.add(event, NOON, "0" * 64)


def content(url: str) -> dict[str, list[dict[str, object]]]:
    engine = open_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]
            for table in metadata.sorted_tables
        }
    engine.dispose()
    return found


async def test_what_is_restored_is_what_was_there(ground: Ground) -> None:
    await tell(ground.store, *range(30))
    made = ground.create()
    assert (made.rows["events"], made.made_at) == (30, NOON)
    assert verify_backup(KEYRING, ground.backup) == made

    restored = ground.restore()

    assert (restored.content, restored.erased_again) == (made, 0)
    assert content(ground.other_url) == content(ground.url)
    again = ground.open(ground.other_url)
    events = await again.run(lambda tx: tx.events.pending(100))
    assert events[3].event.data["email"] == "jo.3@example.com"
    await tell(again, 31)
    assert [each.sequence for each in await again.run(lambda tx: tx.events.pending(100))] == list(range(1, 32))
    again.close()


async def test_who_was_erased_after_the_backup_is_not_brought_back(ground: Ground) -> None:
    await tell(ground.store, 1, 2)
    ground.create()
    await ground.store.run(lambda tx: tx.events.forget("customer-1", NOON + timedelta(hours=1)))

    assert ground.restore().erased_again == 1

    again = ground.open(ground.other_url)
    told = [
        (each.event.type, each.event.data.get("email")) for each in await again.run(lambda tx: tx.events.pending(9))
    ]
    assert told == [
        ("customer-identified", None),
        ("customer-identified", "jo.2@example.com"),
        ("customer-erased", None),
    ]
    again.close()


async def test_a_backup_tells_nothing_without_the_master_key(ground: Ground) -> None:
    await tell(ground.store, 1)
    ground.create()

    found = bytes_of(ground.backup)

    # Nothing so short that it may stand by chance in what is sealed.
    for told in (b"customer-1", b"customer-identified", b"example.com", b"wrapped_key\x00", KEYRING.current().secret):
        assert told not in found
    assert mode_of(ground.backup) == 0o600


@pytest.mark.parametrize("damage", ["byte", "head", "end", "more", "swapped", "other"])
async def test_a_backup_that_was_changed_is_recognised(ground: Ground, damage: str) -> None:
    await tell(ground.store, 1)
    file = ground.backup
    ground.create()
    whole = bytes_of(file)
    file.write_bytes(
        {
            "byte": whole[:-50] + bytes([whole[-50] ^ 1]) + whole[-49:],
            "head": whole.replace(NOON.isoformat().encode(), NOON.replace(year=2027).isoformat().encode()),
            "end": whole[: len(whole) // 2],
            "more": whole + b"x",
            "swapped": whole[:-64] + whole[-32:] + whole[-64:-32],
            "other": b"PK" + whole,
        }[damage]
    )

    with pytest.raises(PermanentFailure, match="BACKUP_BROKEN"):
        verify_backup(KEYRING, file)
    with pytest.raises(PermanentFailure, match="BACKUP_BROKEN"):
        ground.restore()
    opened = ground.open(ground.other_url)
    assert await opened.run(lambda tx: tx.events.pending(9)) == []
    opened.close()


async def test_a_database_that_holds_something_is_left_alone(ground: Ground) -> None:
    await tell(ground.store, 1)
    ground.create()
    before = content(ground.url)

    with pytest.raises(BadSettings, match="DATABASE_NOT_EMPTY"):
        restore_backup(ground.url, KEYRING, ground.erased, ground.backup)
    assert content(ground.url) == before


async def test_a_backup_never_overwrites_another(ground: Ground) -> None:
    await tell(ground.store, 1)
    ground.create()

    with pytest.raises(BadSettings, match="BACKUP_EXISTS"):
        ground.create()


async def test_a_backup_is_of_one_moment_although_writers_go_on(ground: Ground) -> None:
    await tell(ground.store, *range(20))
    made = ground.create()
    await tell(ground.store, 21)

    assert verify_backup(KEYRING, ground.backup).rows == made.rows


async def test_a_backup_of_a_newer_waggle_is_refused(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    await tell(ground.store, 1)
    monkeypatch.setattr("waggle.storage.backup.revision", lambda _engine: "9999")
    ground.create()

    with pytest.raises(PermanentFailure, match="BACKUP_IS_NEWER"):
        ground.restore()


def test_what_is_no_backup_is_named_so(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="BACKUP_MISSING"):
        verify_backup(KEYRING, tmp_path / "none")
    (tmp_path / "empty").touch()
    with pytest.raises(PermanentFailure, match="BACKUP_BROKEN"):
        verify_backup(KEYRING, tmp_path / "empty")


@pytest.mark.parametrize("after_s", [0.05, 0.3])
async def test_a_kill_leaves_no_half_backup_and_no_half_restore(ground: Ground, after_s: float) -> None:
    await tell(ground.store, *range(50))
    file = ground.backup
    kill(after_s, CREATE, ground.url, str(file))
    if not file.exists():
        ground.create()
    assert verify_backup(KEYRING, file).rows["events"] == 50
    assert left_overs(ground.folder) == []

    kill(after_s, RESTORE, ground.other_url, str(file), str(ground.erased.file))

    opened = ground.open(ground.other_url)
    there = len(await opened.run(lambda tx: tx.events.pending(100)))
    opened.close()
    assert there in {0, 50}
    if there == 0:
        ground.restore()
    assert len(content(ground.other_url)["events"]) == 50


def kill(after_s: float, program: str, *arguments: str) -> None:
    """Run *program* and kill it so long after it began."""
    with subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(after_s)
        os.kill(process.pid, signal.SIGKILL)


def left_overs(folder: Path) -> list[str]:
    """Return what a kill has left that holds anything and is not the backup itself under its earlier name."""
    found = [each for each in folder.iterdir() if each.suffix in {".partial", ".copying"}]
    return [each.name for each in found if each.stat().st_size and each.stat().st_nlink == 1]


def bytes_of(file: Path) -> bytes:
    return file.read_bytes()


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777
