"""`waggle keys`, `waggle people` and `waggle audit` as people use them."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine
from tests.cli.place import Place


def listed(waggle: CommandLine, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(waggle(*words, "--json").out)
    return found


def test_a_key_is_made_rotated_and_revoked(waggle: CommandLine) -> None:
    waggle("keys", "create", "backoffice", "--scopes", "customers:read", "orders:read", "--expires", "P90D")
    [made] = listed(waggle, "keys", "list")

    rotated = waggle("keys", "rotate", str(made["key_id"]), "--overlap", "PT24H")
    old, new = sorted(listed(waggle, "keys", "list"), key=lambda each: each["replaced_by"] is None)
    revoked = waggle("keys", "revoke", str(old["key_id"]), "--why", "seen in a log")

    assert (made["name"], made["scopes"], made["source"]) == ("backoffice", ["customers:read", "orders:read"], None)
    assert rotated.out.startswith("wk_")
    assert old["replaced_by"] == new["key_id"]
    assert (revoked.code, revoked.out) == (0, f"{old['key_id']} is revoked.\n")
    assert [each["key_id"] for each in listed(waggle, "keys", "list")] == [new["key_id"]]
    assert [each["state"] for each in listed(waggle, "keys", "list", "--all")] == ["revoked", "good"]


def test_keys_are_shown_to_people_without_themselves(waggle: CommandLine) -> None:
    assert waggle("keys", "list").out == "There are no keys; `waggle keys create SOURCE` makes one.\n"
    token = waggle("keys", "create", "shop").out.strip()

    shown = waggle("keys", "list").out

    assert token not in shown
    assert f"wk_...{token[-4:]}" in shown
    assert "events:write" in shown
    assert "0 days old, last used: never" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("create", "shop", "--scopes", "everything"), 2, "everything"),
        (("create", "Shop"), 2, "SOURCE_NAME"),
        (("create", "shop", "--expires", "PT0S"), 2, "EXPIRY_PAST"),
        (("rotate", "k-0"), 1, "KEY_UNKNOWN"),
        (("revoke", "k-0", "--why", "gone"), 1, "KEY_UNKNOWN"),
        (("revoke", "k-0"), 2, "--why"),
    ],
)
def test_what_cannot_be_done_with_keys_is_said(
    waggle: CommandLine, words: tuple[str, ...], code: int, said: str
) -> None:
    ended = waggle("keys", *words)

    assert ended.code == code
    assert said in ended.out + ended.err


def test_once_people_were_added_only_they_decide(waggle: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Nobody was added" in waggle("people", "list").out
    assert waggle("people", "add", "kim", "--role", "owner").out == "kim is owner.\n"
    assert waggle("people", "add", "robin", "--role", "operator", "--by", "kim").code == 0

    nobody = waggle("keys", "create", "shop")
    robin = waggle("keys", "create", "shop", "--by", "robin")
    stranger = waggle("keys", "create", "shop", "--by", "sam")
    monkeypatch.setenv("WAGGLE_PERSON", "kim")
    kim = waggle("keys", "create", "shop")

    assert (nobody.code, "PERSON_MISSING" in nobody.err) == (2, True)
    assert (robin.code, "SCOPE_MISSING" in robin.err) == (1, True)
    assert (stranger.code, "PERSON_UNKNOWN" in stranger.err) == (1, True)
    assert kim.code == 0
    entries = listed(waggle, "audit", "list")
    assert [(each["actor"], each["action"]) for each in entries][1:] == [
        ("kim", "person-added"),
        ("robin", "scope-missing"),
        ("kim", "key-created"),
    ]


def test_people_have_roles_and_tokens(waggle: CommandLine) -> None:
    waggle("people", "add", "kim", "--role", "owner", "--by", "root")
    token = waggle("people", "token", "kim", "--expires", "P1D", "--by", "kim").out
    roles = json.loads(waggle("people", "roles", "--json").out)

    assert token.startswith("wp_")
    assert [(each["name"], each["tokens"]) for each in listed(waggle, "people", "list")] == [("kim", 1)]
    assert "admin" in roles["owner"]
    assert max(map(len, waggle("people", "roles").out.splitlines())) <= 80
    assert waggle("people", "remove", "kim", "--by", "kim").out == "kim is removed.\n"


def test_the_audit_log_is_shown_verified_and_exported(waggle: CommandLine, tmp_path: Path) -> None:
    assert waggle("audit", "list").out == "There is no such entry.\n"
    waggle("keys", "create", "shop", "--by", "kim")
    [key] = listed(waggle, "keys", "list")
    waggle("keys", "revoke", str(key["key_id"]), "--by", "kim", "--why", "seen in a log")

    shown = waggle("audit", "list", "--subject", str(key["key_id"]), "--since", "2000-01-01").out
    verified = waggle("audit", "verify")
    exported = waggle("audit", "export", "--jsonl", str(tmp_path / "audit.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text(encoding="utf-8").splitlines()]

    assert "key-revoked" in shown
    assert "seen in a log" in shown
    assert (verified.code, verified.out) == (0, "All 2 rows are as they were written.\n")
    assert exported.out == f"2 entries are in {tmp_path / 'audit.jsonl'}.\n"
    assert [each["event"]["action"] for each in lines] == ["key-created", "key-revoked"]
    assert waggle("audit", "export").out.count("\n") == 2


def test_what_was_changed_or_cut_off_is_found(waggle: CommandLine, place: Place, tmp_path: Path) -> None:
    checkpoints = str(tmp_path / "checkpoints.jsonl")
    for source in ("shop", "tracker"):
        waggle("keys", "create", source, "--by", "kim")
        waggle("audit", "checkpoint", "--to", checkpoints)
    public_key = str(place.home / "keys" / "audit.pub.pem")
    whole = waggle("audit", "verify", "--checkpoints", checkpoints, "--public-key", public_key)
    with sqlite3.connect(place.home / "waggle.db") as database:
        database.execute("DELETE FROM audit WHERE sequence = 2")
        database.execute("UPDATE audit_head SET sequence = 1, row_hash = (SELECT row_hash FROM audit)")
    database.close()

    without = waggle("audit", "verify")
    cut_off = waggle("audit", "verify", "--checkpoints", checkpoints)
    with sqlite3.connect(place.home / "waggle.db") as database:
        database.execute("UPDATE audit SET actor = 'robin'")
    database.close()
    changed = waggle("audit", "verify")

    assert whole.out == "All 2 rows are as they were written, and 2 checkpoints agree.\n"
    assert (without.code, cut_off.code, changed.code) == (0, 1, 1)
    assert cut_off.out.startswith("Row 2 and what came after it were cut off")
    assert changed.out.startswith("Row 1 is not as it was written")


def test_the_signing_key_is_for_its_owner_only(waggle: CommandLine, place: Place) -> None:
    waggle("audit", "checkpoint")

    assert (place.home / "keys" / "audit.pem").stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_used_is_named(waggle: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "nonsense").write_text("nonsense", encoding="utf-8")

    for words in (
        ("verify", "--checkpoints", str(tmp_path / "none")),
        ("verify", "--checkpoints", str(tmp_path / "nonsense")),
        ("verify", "--checkpoints", str(tmp_path / "nonsense"), "--public-key", str(tmp_path / "nonsense")),
        ("export", "--jsonl", str(tmp_path / "none" / "audit.jsonl")),
    ):
        ended = waggle("audit", *words)
        assert ended.code == 2
        assert str(tmp_path) in ended.err or "CHECKPOINT_UNREADABLE" in ended.err
