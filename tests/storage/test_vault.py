"""What is sealed opens for the right person at the right place only, and never again once the key is destroyed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from waggle.domain.event import Event
from waggle.errors import BadSettings, PermanentFailure
from waggle.ports.unit_of_work import Transaction
from waggle.storage.store import Store, open_store
from waggle.storage.vault import Vault
from waggle.testing.stores import keyring_for

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
PLACE = "customers.email/c-1"


def vault_of(tx: Transaction) -> Vault:
    vault = tx.person_keys
    assert isinstance(vault, Vault)
    return vault


async def seal(store: Store, person: str = "c-1", place: str = PLACE, said: str = "jo@example.com") -> str:
    return await store.run(lambda tx: vault_of(tx).seal(person, place, said))


async def opened(store: Store, sealed: str, person: str = "c-1", place: str = PLACE) -> str | None:
    return await store.read(lambda tx: vault_of(tx).open(person, place, sealed))


def identified(number: int, at: datetime, **data: object) -> Event:
    return Event(f"e-{number}", "shop", "customer-identified", "c-1", at, {"customer_id": "c-1", **data})


async def events(store: Store) -> dict[str, dict[str, object]]:
    return {stored.event.id: stored.event.data for stored in await store.run(lambda tx: tx.events.pending(100))}


async def add(store: Store, *given: Event) -> None:
    def work(tx: Transaction) -> None:
        for event in given:
            tx.events.add(event, NOON, "0" * 64)

    await store.run(work)


async def test_what_is_sealed_opens_again(store: Store) -> None:
    sealed = await seal(store, said="Zażółć 🐝 " * 100)

    assert "Zaż" not in sealed
    assert await opened(store, sealed) == "Zażółć 🐝 " * 100


async def test_the_same_text_is_never_sealed_alike(store: Store) -> None:
    assert await seal(store) != await seal(store)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda sealed: sealed[:-8] + ("AAAAAAA=" if sealed[-8:] != "AAAAAAA=" else "BBBBBBB="), id="tag"),
        pytest.param(lambda sealed: sealed[: len(sealed) // 2], id="cut"),
        pytest.param(lambda sealed: "2" + sealed[1:], id="form"),
        pytest.param(lambda sealed: sealed.replace("1.1.", "1.7.", 1), id="generation"),
        pytest.param(lambda _sealed: "jo@example.com", id="plain"),
        pytest.param(lambda _sealed: "", id="nothing"),
    ],
)
async def test_what_was_changed_does_not_open(store: Store, change: Callable[[str], str]) -> None:
    changed = change(await seal(store))

    with pytest.raises(PermanentFailure, match="SEAL_BROKEN") as caught:
        await opened(store, changed)
    assert "example.com" not in str(caught.value)


async def test_what_was_moved_does_not_open(store: Store) -> None:
    sealed = await seal(store)
    await seal(store, "c-2", "customers.email/c-2")

    with pytest.raises(PermanentFailure, match="SEAL_BROKEN"):
        await opened(store, sealed, place="customers.first_name/c-1")
    with pytest.raises(PermanentFailure, match="SEAL_BROKEN"):
        await opened(store, sealed, person="c-2")
    with pytest.raises(PermanentFailure, match="SEAL_BROKEN"):
        await opened(store, sealed, person="nobody")


async def test_a_destroyed_key_closes_for_ever_what_was_sealed(store: Store) -> None:
    sealed = await seal(store)

    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON))

    assert await opened(store, sealed) is None


async def test_somebody_who_comes_back_gets_another_key(store: Store) -> None:
    before = await seal(store)
    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON))

    after = await seal(store, said="new@example.com")

    assert (await opened(store, before), await opened(store, after)) == (None, "new@example.com")


async def test_an_erasure_that_is_told_again_does_not_touch_who_came_back(store: Store) -> None:
    await seal(store)
    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON))
    after = await seal(store)

    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON - timedelta(days=1)))
    assert await opened(store, after) is not None

    await store.run(lambda tx: tx.person_keys.destroy("c-1", NOON + timedelta(days=1)))
    assert await opened(store, after) is None


async def test_a_work_that_fails_destroys_nothing(store: Store) -> None:
    sealed = await seal(store)

    def fail(tx: Transaction) -> None:
        tx.person_keys.destroy("c-1", NOON)
        raise LookupError

    with pytest.raises(LookupError):
        await store.run(fail)
    assert await opened(store, sealed) == "jo@example.com"


async def test_within_one_transaction_a_key_is_known_no_longer_than_it_lives(store: Store) -> None:
    def work(tx: Transaction) -> tuple[str | None, str | None]:
        vault = vault_of(tx)
        sealed = vault.seal("c-1", PLACE, "jo@example.com")
        before = vault.open("c-1", PLACE, sealed)
        vault.destroy("c-1", NOON)
        return before, vault.open("c-1", PLACE, sealed)

    assert await store.run(work) == ("jo@example.com", None)


async def test_blind_values_are_keyed_and_parted_by_kind(store: Store) -> None:
    def work(tx: Transaction) -> set[str]:
        vault = vault_of(tx)
        return {
            vault.blind("email", "jo@example.com"),
            vault.blind("phone", "jo@example.com"),
            vault.blind("email", ""),
        }

    found = await store.run(work)
    assert len(found) == 3
    assert found == await store.run(work)
    assert all(len(each) == 64 for each in found)


async def test_many_keys_are_read_at_once(store: Store) -> None:
    sealed = {f"c-{number}": await seal(store, f"c-{number}", f"p/{number}") for number in range(4)}

    def work(tx: Transaction) -> list[str | None]:
        vault = vault_of(tx)
        vault.prepare([*sealed, "nobody"])
        return [vault.open(person, f"p/{person[2:]}", text) for person, text in sealed.items()]

    assert await store.read(work) == ["jo@example.com"] * 4


async def test_personal_and_unknown_fields_of_an_event_are_not_in_the_clear(store: Store) -> None:
    data = {"email": "jo@example.com", "time_zone": "Europe/Warsaw", "loyalty_card": "77-19"}
    await add(store, identified(1, NOON, **data))

    assert await events(store) == {"e-1": {"customer_id": "c-1", **data}}
    with store._engine.connect() as connection:
        plain, customer_id = connection.execute(text("SELECT data, customer_id FROM events")).one()
    assert customer_id == "c-1"
    plain = json.loads(plain) if isinstance(plain, str) else plain
    assert plain == {"customer_id": "c-1", "time_zone": "Europe/Warsaw"}


async def test_forgetting_leaves_of_an_event_only_whom_it_was_about(store: Store) -> None:
    await add(store, identified(1, NOON, email="jo@example.com", time_zone="Europe/Warsaw"))

    await store.run(lambda tx: tx.events.forget("c-1", NOON))

    assert await events(store) == {"e-1": {"customer_id": "c-1"}}


async def test_what_was_told_after_the_erasure_stays_although_it_came_before(store: Store) -> None:
    later = NOON + timedelta(hours=1)
    await add(store, identified(1, NOON, email="old@example.com"), identified(2, later, email="new@example.com"))

    await store.run(lambda tx: tx.events.forget("c-1", NOON))
    await store.run(lambda tx: tx.events.forget("c-1", NOON))

    assert await events(store) == {
        "e-1": {"customer_id": "c-1"},
        "e-2": {"customer_id": "c-1", "email": "new@example.com"},
    }


async def test_what_was_told_before_the_erasure_goes_although_it_comes_after(store: Store) -> None:
    await store.run(lambda tx: tx.events.forget("c-1", NOON))
    await add(store, identified(1, NOON - timedelta(hours=1), email="old@example.com"))

    await store.run(lambda tx: tx.events.forget("c-1", NOON))

    assert await events(store) == {"e-1": {"customer_id": "c-1"}}


async def test_a_database_opens_only_with_its_own_master_keys(store: Store, database_url: str, tmp_path: Path) -> None:
    await seal(store)
    keys = tmp_path / "keys"
    if keys.exists():
        keys.rename(tmp_path / "elsewhere")
        with pytest.raises(BadSettings, match="MASTER_KEY_MISSING"):
            open_store(database_url)
        assert not keys.exists()
        (tmp_path / "elsewhere").rename(keys)
    open_store(database_url, keyring=keyring_for(database_url)).close()
