"""Tokens stand in every personal field of every fact; then every file and everything told is searched for them."""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import pytest

from waggle.app import App
from waggle.domain.event import FACTS, personal_fields
from waggle.engine.local import RunningEngine
from waggle.metrics import Census, Metrics
from waggle.settings import load_settings
from waggle.storage.keyring import read_keys
from waggle.storage.sealed_file import SealedReader
from waggle.storage.vault import Vault
from waggle.testing.forensics import files_of, found_in, opened_with
from waggle.testing.journeys import House

pytestmark = [pytest.mark.anyio, pytest.mark.guarantee]

WHO = "c-canary"
NOT_OURS = ("mailbox",)
"""Stands for the outside world, to which a mail is told whom it is for."""


def token(name: str) -> str:
    """Return a value for a personal field that stands nowhere else."""
    word = secrets.token_hex(5)
    return {
        "email": f"canary-{word}@example.com",
        "phone": f"+48601{secrets.randbelow(900_000) + 100_000}",
        "birth_date": f"19{secrets.randbelow(60) + 20}-07-{secrets.randbelow(18) + 10}",
        "ip": f"2001:db8:{secrets.randbelow(60_000) + 4096:x}:{secrets.randbelow(60_000) + 4096:x}::7",
    }.get(name, f"Canary{word}")


@pytest.fixture(scope="module")
def planted() -> dict[str, dict[str, str]]:
    """Event type -> a token for each of its personal fields."""
    return {name: {field: token(field) for field in sorted(personal_fields(fact))} for name, fact in FACTS.items()}


def words(planted: dict[str, dict[str, str]]) -> set[str]:
    return {word for fields in planted.values() for word in fields.values()}


@dataclass(frozen=True)
class Search:
    """Everything of an installation that can be copied."""

    home: Path
    engine_home: Path

    def in_the_clear(self, tokens: Collection[str]) -> dict[str, set[str]]:
        """Return where which tokens can be read by anybody."""
        files = files_of([self.home, self.engine_home], but=NOT_OURS)
        return {str(file): found for file, content in files if (found := found_in(content, tokens))}

    def with_master_keys(self, tokens: Collection[str], *more: bytes) -> set[str]:
        """Return what can be read by somebody who has the master keys, too."""
        contents = [content for _, content in files_of([self.home], but=NOT_OURS)] + list(more)
        keys = [key.secret for key in read_keys(self.home / "keys" / "master.toml").keys]
        return {word for text in opened_with(keys, contents) for word in found_in(text, tokens)}


def test_every_personal_field_has_a_token(planted: dict[str, dict[str, str]]) -> None:
    assert {"email", "phone", "first_name", "last_name", "birth_date"} <= planted["customer-identified"].keys()
    assert len(words(planted)) == sum(len(fields) for fields in planted.values())


@pytest.mark.engine
@pytest.mark.timeout(400)
async def test_no_token_is_found_before_erasure_and_after_it_not_with_the_master_keys_either(
    house: House, engine: RunningEngine, planted: dict[str, dict[str, str]], capfd: pytest.CaptureFixture[str]
) -> None:
    tokens = words(planted)
    search = Search(house.folder, engine.home)
    for event_type, fields in planted.items():
        if fields:
            await house.tell(event_type, customer_id=WHO, **fields)
    await house.fill("cart-canary", WHO)
    await house.wait(minutes=25)

    # The mail has gone to where it should: all of it has been used.
    [mail] = [mail for mail in house.mails() if mail["To"] == planted["customer-identified"]["email"]][:1]
    assert planted["customer-identified"]["first_name"] in mail.as_string()
    before = house.folder / "before.backup"
    house.app.safekeeping.back_up(before, house.now())
    assert search.in_the_clear(tokens) == {}
    # The search is good: what must be there is found, in the engine and behind the seals.
    assert search.in_the_clear([(await house.enrolment("cart-canary")).enrolment_id]).keys() & engine_files(search)
    assert search.with_master_keys(tokens) == tokens

    await house.tell("customer-erased", customer_id=WHO)
    await house.settle()
    await house.wait(minutes=1)
    after = house.folder / "after.backup"
    house.app.safekeeping.back_up(after, house.now())
    assert search.in_the_clear(tokens) == {}
    assert search.with_master_keys(tokens, content_of(house, after)) == set()
    # The older backup still holds the key; a restore of it destroys that before anything can be read.
    assert search.with_master_keys(tokens, content_of(house, before)) == tokens
    assert readable_after_restore(house, before, tokens) == set()

    told = capfd.readouterr()
    assert found_in((told.out + told.err).encode(), tokens) == set()
    assert found_in(await metrics_of(house), tokens) == set()
    assert found_in(repr(list(house.records._past)).encode(), tokens) == set()


async def test_without_sealing_the_search_finds_every_token(
    tmp_path: Path, planted: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a search that finds nothing could be a bad search."""
    monkeypatch.setattr(Vault, "seal", lambda _self, _person, _place, text: text)
    app = App(load_settings({"WAGGLE_HOME": str(tmp_path)}))
    for number, (event_type, fields) in enumerate(planted.items()):
        if fields:
            data = {"customer_id": WHO, **fields}
            item = {"specversion": "1.0", "id": f"e-{number}", "type": event_type, "data": data}
            [receipt] = await app.intake.accept("shop", [item])
            assert receipt.status == "accepted", receipt
    app.close()

    found = Search(tmp_path, tmp_path / "engine").in_the_clear(words(planted))

    assert set().union(*found.values()) == words(planted)


def engine_files(search: Search) -> set[str]:
    return {str(file) for file, _ in files_of([search.engine_home])}


def content_of(house: House, backup: Path) -> bytes:
    with backup.open("rb") as file:
        return b"".join(SealedReader(file, house.app.keyring).chunks())


def readable_after_restore(house: House, backup: Path, tokens: Collection[str]) -> set[str]:
    """Restore elsewhere, with the same keys and list of the erased, and search there."""
    home = house.folder.with_name(f"{house.folder.name}-restored")
    (home / "keys").mkdir(parents=True)
    for name in ("master.toml", "erased.jsonl"):
        (home / "keys" / name).write_bytes((house.folder / "keys" / name).read_bytes())
        (home / "keys" / name).chmod(0o600)
    restored = App(load_settings({"WAGGLE_HOME": str(home)})).safekeeping.restore(backup)
    assert restored.erased_again >= 1
    return Search(home, home / "engine").with_master_keys(tokens)


async def metrics_of(house: House) -> bytes:
    metrics = Metrics("canary")
    census = Census(house.app.clock)
    census.store = house.app.store
    metrics.add(census, census.refresh)
    shown, _ = await metrics.shown("text/plain")
    return shown
