"""`waggle backup` and `waggle privacy`, as an operator uses them."""

import json
from pathlib import Path

import anyio
import pytest

from waggle.app import App
from waggle.cli import main
from waggle.settings import load_settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WAGGLE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


async def tell(home: Path) -> None:
    app = App(load_settings({"WAGGLE_HOME": str(home)}))
    data = {"customer_id": "c-1", "email": "ada@example.com"}
    item = {"specversion": "1.0", "id": "e-1", "type": "customer-identified", "data": data}
    await app.intake.accept("shop", [item])
    app.close()


async def actions(home: Path) -> list[str]:
    app = App(load_settings({"WAGGLE_HOME": str(home)}))
    found = [each.entry.action async for each in app.auditing.entries()]
    app.close()
    return found


def test_a_backup_is_made_checked_and_put_back(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    anyio.run(tell, home)
    file = tmp_path / "b"

    assert run("backup", "create", str(file), "--by", "ada") == 0
    assert run("backup", "verify", str(file)) == 0
    assert "is whole" in capsys.readouterr().out
    assert run("backup", "restore", str(file)) == 2
    assert "DATABASE_NOT_EMPTY" in capsys.readouterr().err

    monkeypatch.setenv("WAGGLE_DATABASE__URL", f"sqlite:///{tmp_path / 'new' / 'waggle.db'}")
    assert run("backup", "restore", str(file), "--by", "ada") == 0
    assert "erased again: 0" in capsys.readouterr().out


def test_a_broken_backup_is_said_to_be_broken(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("backup", "create", str(tmp_path / "b")) == 0
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:-1])

    assert run("backup", "verify", str(tmp_path / "b")) == 1
    assert "BACKUP_BROKEN" in capsys.readouterr().err


def test_master_keys_are_made_rotated_and_dropped(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "keys" / "master.toml"
    assert run("privacy", "new-master-key", str(file)) == 0
    before = file.read_text()
    assert run("privacy", "new-master-key", str(file)) == 0
    assert file.read_text() == before
    assert "as it was" in capsys.readouterr().out
    anyio.run(tell, home)
    old = before.rpartition('id = "')[2].partition('"')[0]

    assert run("privacy", "drop-master-key", old) == 2
    assert run("privacy", "rotate-master-key", "--by", "ada") == 0
    assert "1 keys of persons" in capsys.readouterr().out
    assert run("privacy", "drop-master-key", old, "--by", "ada") == 0
    assert old not in file.read_text()
    assert anyio.run(actions, home) == ["master-key-rotated", "master-key-dropped"]


def test_the_record_of_processing_is_printed_for_people_and_programs(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("privacy", "record") == 0
    assert "### Customers (`customers`)" in capsys.readouterr().out
    assert run("privacy", "record", "--json") == 0
    assert any(each["table"] == "customers" for each in json.loads(capsys.readouterr().out)["activities"])
    assert not home.exists()
