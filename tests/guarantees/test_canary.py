"""Tokens stand in every personal field of every fact; then every file and everything told is searched for them."""

import asyncio
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest

from waggle.app import App
from waggle.domain.event import FACTS, personal_fields
from waggle.engine import local
from waggle.engine.local import EngineOptions, RunningEngine
from waggle.engine.records import RecordStream
from waggle.metrics import Census, Metrics
from waggle.settings import load_settings
from waggle.storage.keyring import new_key_file, read_keys
from waggle.storage.sealed_file import SealedReader
from waggle.storage.vault import Vault
from waggle.testing.chaos.postgres import PostgresServer
from waggle.testing.engine import skipped_without_its_files
from waggle.testing.forensics import files_of, found_in, opened_with
from waggle.testing.journeys import House, opened
from waggle.wiring.safekeeping import safekeeping

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
    safekeeping(house.app.database).back_up(before, house.now())
    assert search.in_the_clear(tokens) == {}
    # The search is good: what must be there is found, in the engine and behind the seals.
    assert search.in_the_clear([(await house.enrolment("cart-canary")).enrolment_id]).keys() & engine_files(search)
    assert search.with_master_keys(tokens) == tokens

    await house.tell("customer-erased", customer_id=WHO)
    await house.settle()
    await house.wait(minutes=1)
    after = house.folder / "after.backup"
    safekeeping(house.app.database).back_up(after, house.now())
    assert search.in_the_clear(tokens) == {}
    assert search.with_master_keys(tokens, content_of(house, after)) == set()
    # The older backup still holds the key; a restore of it destroys that before anything can be read.
    assert search.with_master_keys(tokens, content_of(house, before)) == tokens
    assert readable_after_restore(house, before, tokens) == set()

    told = capfd.readouterr()
    assert found_in((told.out + told.err).encode(), tokens) == set()
    assert found_in(await metrics_of(house), tokens) == set()
    assert found_in(repr(list(house.records._past)).encode(), tokens) == set()


@pytest.mark.engine
@pytest.mark.operate
@pytest.mark.timeout(900)
async def test_no_token_is_found_in_the_files_of_postgresql_nor_in_what_operate_keeps(
    planted: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    tokens, home, engine_home = words(planted), tmp_path / "house", tmp_path / "engine"
    home.mkdir()
    new_key_file(home / "master.toml")
    with RecordStream() as records:
        options = EngineOptions(engine_home, controlled_clock=True, durable=False, records_url=records.url)
        with skipped_without_its_files():
            engine = await asyncio.to_thread(local.start, options)
        try:
            async with PostgresServer(tmp_path) as database:
                key_file = str(home / "master.toml")
                async with opened(
                    engine, records, database.url(), home, WAGGLE_PRIVACY__MASTER_KEY_FILE=key_file
                ) as house:
                    await search_all(house, engine, database, planted, tokens)
        finally:
            await asyncio.to_thread(local.stop, engine_home)


async def search_all(
    house: House,
    engine: RunningEngine,
    database: PostgresServer,
    planted: dict[str, dict[str, str]],
    tokens: Collection[str],
) -> None:
    with psycopg.connect(database.url()) as connection:
        [data] = connection.execute("SHOW data_directory").fetchone() or [""]

    async def found(wanted: Collection[str]) -> dict[str, set[str]]:
        await asyncio.to_thread(checkpoint, database)
        files = files_of([Path(data), house.folder, engine.home], but=NOT_OURS)
        in_files = {str(file): some for file, content in files if (some := found_in(content, wanted))}
        in_operate = found_in(await documents_of(engine), wanted)
        return in_files | ({"operate": in_operate} if in_operate else {})

    for event_type, fields in planted.items():
        if fields:
            await house.tell(event_type, customer_id=WHO, **fields)
    await house.fill("cart-canary", WHO)
    await house.wait(minutes=25)
    assert [mail for mail in house.mails() if mail["To"] == planted["customer-identified"]["email"]]

    # The search is good: who runs through the journey is known by a word that means nothing, there and in the tables.
    enrolment_id = (await house.enrolment("cart-canary")).enrolment_id
    async with asyncio.timeout(180):
        while "operate" not in (where := await found([enrolment_id])):  # noqa: ASYNC110 -- Operate tells nobody
            await asyncio.sleep(1)
    assert any(str(data) in file for file in where)
    assert await found(tokens) == {}

    await house.tell("customer-erased", customer_id=WHO)
    await house.settle()
    await house.wait(minutes=1)
    assert await found(tokens) == {}


def checkpoint(database: PostgresServer) -> None:
    """Let what the server still holds in memory stand in its files."""
    with psycopg.connect(database.url(), autocommit=True) as connection:
        connection.execute("CHECKPOINT")


async def documents_of(engine: RunningEngine) -> bytes:
    """Return every document of the search store that Operate reads: its files are compressed."""
    base = f"http://127.0.0.1:{engine.ports.search}"
    async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=60) as client:
        answer = await client.post("/_all/_search?size=10000&expand_wildcards=all")
        answer.raise_for_status()
        total = answer.json()["hits"]["total"]["value"]
        assert 0 < total < 10_000, total
        return answer.content


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
        return b"".join(SealedReader(file, house.app.database.keyring).chunks())


def readable_after_restore(house: House, backup: Path, tokens: Collection[str]) -> set[str]:
    """Restore elsewhere, with the same keys and list of the erased, and search there."""
    home = house.folder.with_name(f"{house.folder.name}-restored")
    (home / "keys").mkdir(parents=True)
    for name in ("master.toml", "erased.jsonl"):
        (home / "keys" / name).write_bytes((house.folder / "keys" / name).read_bytes())
        (home / "keys" / name).chmod(0o600)
    restored = safekeeping(App(load_settings({"WAGGLE_HOME": str(home)})).database).restore(backup)
    assert restored.erased_again >= 1
    return Search(home, home / "engine").with_master_keys(tokens)


async def metrics_of(house: House) -> bytes:
    metrics = Metrics("canary")
    census = Census(house.app.clock)
    census.store = house.app.store
    metrics.add(census, census.refresh)
    shown, _ = await metrics.shown("text/plain")
    return shown
