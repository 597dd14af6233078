"""Master keys lie in a file of their own, are made once, and belong to one database."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from waggle.errors import BadSettings
from waggle.storage.keyring import FileKeyring, Keyring, MasterKey, MasterKeys, NoKeyring, new_key_file

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "master.toml"


def test_the_file_is_made_on_first_use_for_its_owner_only(file: Path) -> None:
    keyring = FileKeyring(file, may_make=True)
    assert not file.exists()

    first = keyring.current()

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert FileKeyring(file, may_make=False).current() == first
    assert [each.name for each in file.parent.iterdir()] == ["master.toml"]


def test_of_many_that_make_the_file_at_once_all_hold_the_same_key(file: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda _: FileKeyring(file, may_make=True).current(), range(8)))

    assert len({key.key_id for key in keys}) == 1


def test_a_named_file_that_is_missing_is_not_made_in_silence(file: Path) -> None:
    with pytest.raises(BadSettings, match="MASTER_KEY_MISSING"):
        FileKeyring(file, may_make=False).current()


def test_where_no_file_is_named_the_error_says_how_to_make_one() -> None:
    with pytest.raises(BadSettings, match="new-master-key"):
        NoKeyring().current()


def test_a_key_that_was_added_elsewhere_is_found_and_used(file: Path) -> None:
    one, other = FileKeyring(file, may_make=True), FileKeyring(file, may_make=True)
    old = other.current()

    added = one.add(NOON)

    assert added.key_id.startswith("2026-05-04-")
    assert other.current() == added
    assert other.of(old.key_id) == old


def test_blind_indexes_stay_when_master_keys_change(file: Path) -> None:
    keyring = FileKeyring(file, may_make=True)
    before = keyring.derived("blind index email")
    keyring.add(NOON)

    assert keyring.derived("blind index email") == before
    assert keyring.derived("blind index phone") != before


def test_only_a_key_that_is_out_of_use_can_be_dropped(file: Path) -> None:
    keyring = FileKeyring(file, may_make=True)
    old = keyring.current()
    with pytest.raises(BadSettings, match="MASTER_KEY_IN_USE"):
        keyring.drop(old.key_id)

    keyring.add(NOON)
    keyring.drop(old.key_id)

    with pytest.raises(BadSettings, match="MASTER_KEY_MISSING"):
        keyring.of(old.key_id)


def test_a_file_that_others_can_read_is_refused(file: Path) -> None:
    new_key_file(file)
    file.chmod(0o644)

    with pytest.raises(BadSettings, match="MASTER_KEY_OPEN"):
        FileKeyring(file, may_make=True).current()


def test_what_is_wrong_with_a_file_is_said_without_quoting_it(file: Path) -> None:
    new_key_file(file)
    secret = file.read_text().rpartition('secret = "')[2][:40]
    file.write_text(file.read_text().replace("[[master_key]]", "[[master_key"))

    with pytest.raises(BadSettings) as caught:
        FileKeyring(file, may_make=True).current()

    assert caught.value.code == "MASTER_KEY_UNREADABLE"
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None


def test_keys_do_not_show_their_secrets() -> None:
    keys = MasterKeys(b"i" * 32, (MasterKey("one", b"s" * 32),))

    assert "sss" not in repr(keys) + repr(keys.keys[0])
    assert "iii" not in repr(keys)


def test_a_key_of_the_same_name_but_of_another_database_is_recognised() -> None:
    one, other = (Keyring(MasterKeys(b"i" * 32, (MasterKey("first", secret),))) for secret in (b"a" * 32, b"b" * 32))
    wrapped = one.current().wrap(b"k" * 32)

    with pytest.raises(BadSettings, match="MASTER_KEY_WRONG"):
        other.current().unwrap(wrapped)
