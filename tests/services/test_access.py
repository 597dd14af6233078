"""Whose a token is, without asking the database each time, and for no longer than it is good."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import pytest

from waggle.errors import TemporaryFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.access import Access
from waggle.services.keys import Keys
from waggle.services.people import People
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

T = TypeVar("T")
ADDRESS = "203.0.113.7"


class CountingStore:
    """Remembers how often it was asked."""

    def __init__(self, store: UnitOfWork) -> None:
        self._store = store
        self.reads = 0
        self.writes = 0

    async def run(self, work: Callable[[Transaction], T]) -> T:
        self.writes += 1
        return await self._store.run(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        self.reads += 1
        return await self._store.read(work)


@pytest.fixture
def counted(store: UnitOfWork) -> CountingStore:
    return CountingStore(store)


@pytest.fixture
def access(counted: CountingStore, clock: HandClock) -> Access:
    return Access(counted, clock)


@pytest.fixture
def keys(store: UnitOfWork, clock: HandClock) -> Keys:
    return Keys(store, clock)


async def actions(store: UnitOfWork) -> list[tuple[str, str, str]]:
    found = await store.read(lambda tx: tx.audit.newest(100))
    return [(each.entry.action, each.entry.subject, each.entry.detail.get("count", "")) for each in found]


async def test_a_key_says_who_asks_and_what_they_may_do(access: Access, keys: Keys) -> None:
    made = await keys.create("backoffice", scopes=("customers:read", "orders:read"), by="kim")

    who = await access.principal_of(made.token)

    assert who is not None
    assert (who.key_id, who.name, who.kind, who.source, who.role) == (made.key_id, "backoffice", "program", None, None)
    assert who.scopes == {"customers:read", "orders:read"}


async def test_what_is_no_token_of_ours_never_reaches_the_database(access: Access, counted: CountingStore) -> None:
    for text in ("", "wk_", "wk_" + "a" * 42, "wk_" + "a" * 44, "wx_" + "a" * 43, "wk_" + "ä" * 43, "x" * 10_000):
        assert await access.principal_of(text) is None
    assert counted.reads == 0


async def test_a_key_that_is_used_all_the_time_is_looked_at_every_few_seconds(
    access: Access, keys: Keys, counted: CountingStore, clock: HandClock
) -> None:
    token = (await keys.create("shop", by="kim")).token
    for _ in range(100):
        assert await access.principal_of(token) is not None
        clock.advance(timedelta(milliseconds=100))

    assert counted.reads <= 1 + 10 // 2


async def test_a_revoked_key_is_good_nowhere_after_five_seconds(access: Access, keys: Keys, clock: HandClock) -> None:
    made = await keys.create("shop", by="kim")
    assert await access.principal_of(made.token) is not None

    await keys.revoke(made.key_id, by="kim", why="the partner left")
    clock.advance(timedelta(seconds=5))

    assert await access.principal_of(made.token) is None


async def test_a_key_ends_on_time_even_if_it_was_just_looked_at(access: Access, keys: Keys, clock: HandClock) -> None:
    token = (await keys.create("shop", expires=timedelta(seconds=1), by="kim")).token
    assert await access.principal_of(token) is not None

    clock.advance(timedelta(seconds=1))

    assert await access.principal_of(token) is None


async def test_a_new_key_is_good_at_once_even_if_it_was_tried_before_it_was_made(access: Access, keys: Keys) -> None:
    stranger = "wk_" + "a" * 43
    assert await access.principal_of(stranger) is None

    assert await access.principal_of((await keys.create("shop", by="kim")).token) is not None


async def test_the_last_use_is_noted_at_most_once_a_minute(
    access: Access, keys: Keys, counted: CountingStore, clock: HandClock
) -> None:
    token = (await keys.create("shop", by="kim")).token
    for _ in range(5):
        await access.admit(token, ADDRESS)
    clock.advance(timedelta(seconds=59))
    await access.admit(token, ADDRESS)
    await access.close()
    assert counted.writes == 1

    clock.advance(timedelta(seconds=1))
    await access.admit(token, ADDRESS)
    await access.close()

    [line] = await keys.list()
    assert counted.writes == 2
    assert line.last_used_at == clock.now()


async def test_an_address_may_try_unknown_keys_only_so_often(access: Access, clock: HandClock) -> None:
    for number in range(30):
        assert await access.admit(f"wk_{number:043}", ADDRESS) is None

    with pytest.raises(TemporaryFailure, match="TOO_MANY_TRIES"):
        await access.admit("wk_" + "a" * 43, ADDRESS)
    assert await access.admit("wk_" + "a" * 43, "203.0.113.8") is None
    clock.advance(timedelta(minutes=1))
    assert await access.admit("wk_" + "a" * 43, ADDRESS) is None
    await access.close()


async def test_all_addresses_of_one_ipv6_network_are_one(access: Access) -> None:
    for number in range(30):
        await access.admit("nonsense", f"2001:db8::{number:x}")

    with pytest.raises(TemporaryFailure, match="TOO_MANY_TRIES"):
        await access.admit("nonsense", "2001:db8::ffff")
    assert await access.admit("nonsense", "2001:db8:0:1::1") is None
    await access.close()


async def test_whoever_was_admitted_is_not_held_up_by_others_of_their_address(access: Access, keys: Keys) -> None:
    token = (await keys.create("shop", by="kim")).token
    await access.admit(token, ADDRESS)
    for _ in range(31):
        try:
            await access.admit("nonsense", ADDRESS)
        except TemporaryFailure:
            break

    assert await access.admit(token, ADDRESS) is not None
    await access.close()


async def test_refusals_stand_in_the_audit_log_counted(
    access: Access, keys: Keys, store: UnitOfWork, clock: HandClock
) -> None:
    made = await keys.create("backoffice", scopes=("orders:read",), by="kim")
    who = await access.admit(made.token, ADDRESS)
    assert who is not None
    for _ in range(3):
        await access.admit("nonsense", ADDRESS)
        access.scope_missing(who, "customers:read")
    await access.close()

    assert sorted((await actions(store))[1:]) == [
        ("scope-missing", made.key_id, "1"),
        ("scope-missing", made.key_id, "2"),
        ("tokens-refused", "-", "1"),
        ("tokens-refused", "-", "2"),
    ]


async def test_a_database_that_is_away_does_not_keep_uses_from_being_admitted(
    access: Access, keys: Keys, counted: CountingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = (await keys.create("shop", by="kim")).token

    async def away(work: Callable[[Transaction], T]) -> T:
        raise TemporaryFailure("DATABASE_LOCKED")

    monkeypatch.setattr(counted, "run", away)

    assert await access.admit(token, ADDRESS) is not None
    await access.close()


async def test_a_person_may_what_their_role_says_now(access: Access, store: UnitOfWork, clock: HandClock) -> None:
    people = People(store, clock)
    await people.add("kim", "owner", by="root")
    await people.add("robin", "operator", by="kim")
    token = (await people.token("robin", expires=timedelta(days=1), by="kim")).token
    before = await access.principal_of(token)

    await people.add("robin", "privacy-officer", by="kim")
    clock.advance(timedelta(seconds=5))
    after = await access.principal_of(token)

    assert before is not None
    assert after is not None
    assert token.startswith("wp_")
    assert (after.name, after.kind, after.role) == ("robin", "person", "privacy-officer")
    assert "events:manage" in before.scopes
    assert "events:manage" not in after.scopes
    await people.remove("robin", by="kim")
    clock.advance(timedelta(seconds=5))
    assert await access.principal_of(token) is None
