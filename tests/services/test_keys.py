"""Keys are shown once, rotated with an overlap, revoked with a reason, and never forgotten."""

from datetime import timedelta

import pytest

from waggle.errors import BadSettings, Rejected
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.access import Access
from waggle.services.keys import Keys
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def keys(store: UnitOfWork, clock: HandClock) -> Keys:
    return Keys(store, clock, remind_after=timedelta(days=90))


async def good(store: UnitOfWork, clock: HandClock, token: str) -> bool:
    """Asked by a process that never saw the key before."""
    return await Access(store, clock).principal_of(token) is not None


async def test_a_rotated_key_stays_good_for_the_overlap_only(keys: Keys, store: UnitOfWork, clock: HandClock) -> None:
    old = await keys.create("shop", by="kim")
    new = await keys.rotate(old.key_id, overlap=timedelta(hours=24), by="kim")

    assert await good(store, clock, old.token)
    assert await good(store, clock, new.token)
    clock.advance(timedelta(hours=24))
    assert not await good(store, clock, old.token)
    assert await good(store, clock, new.token)
    lines = {line.key_id: line for line in await keys.list()}
    assert lines[old.key_id].replaced_by == new.key_id
    assert lines[old.key_id].state == "expired"
    assert lines[new.key_id].scopes == ("events:write",)


async def test_a_rotation_never_lengthens_the_life_of_the_old_key_and_gives_the_new_one_the_same(
    keys: Keys, store: UnitOfWork, clock: HandClock
) -> None:
    old = await keys.create("shop", expires=timedelta(days=10), by="kim")
    clock.advance(timedelta(days=9, hours=23))

    new = await keys.rotate(old.key_id, overlap=timedelta(hours=24), by="kim")

    clock.advance(timedelta(hours=1))
    assert not await good(store, clock, old.token)
    clock.advance(timedelta(days=9))
    assert await good(store, clock, new.token)
    clock.advance(timedelta(days=1))
    assert not await good(store, clock, new.token)


async def test_a_key_is_rotated_once(keys: Keys) -> None:
    old = await keys.create("shop", by="kim")
    await keys.rotate(old.key_id, overlap=timedelta(hours=1), by="kim")

    with pytest.raises(Rejected, match="KEY_NOT_GOOD"):
        await keys.rotate(old.key_id, overlap=timedelta(hours=1), by="kim")


async def test_every_decision_stands_in_the_audit_log(keys: Keys, store: UnitOfWork) -> None:
    made = await keys.create("shop", by="kim")
    await keys.rotate(made.key_id, overlap=timedelta(), by="robin")
    await keys.revoke(made.key_id, by="kim", why="found in a log")

    entries = await store.read(lambda tx: tx.audit.of_subject(made.key_id))

    assert [(each.actor, each.action, each.why) for each in entries] == [
        ("kim", "key-created", ""),
        ("robin", "key-rotated", ""),
        ("kim", "key-revoked", "found in a log"),
    ]
    assert made.token not in repr(entries)


async def test_an_old_key_is_reminded_of_until_it_is_being_replaced(keys: Keys, clock: HandClock) -> None:
    old = await keys.create("shop", by="kim")
    clock.advance(timedelta(days=90))
    assert [line.remind for line in await keys.list()] == [True]

    await keys.rotate(old.key_id, overlap=timedelta(hours=1), by="kim")

    assert [line.remind for line in await keys.list()] == [False, False]


@pytest.mark.parametrize("scopes", [(), ("everything",), ("events:write", "root")])
async def test_scopes_that_there_are_not_are_refused(keys: Keys, scopes: tuple[str, ...]) -> None:
    with pytest.raises(BadSettings, match="SCOPE_UNKNOWN"):
        await keys.create("shop", scopes=scopes, by="kim")


async def test_a_life_that_is_over_and_an_overlap_in_the_past_are_refused(keys: Keys) -> None:
    with pytest.raises(BadSettings, match="EXPIRY_PAST"):
        await keys.create("shop", expires=timedelta(), by="kim")
    with pytest.raises(BadSettings, match="OVERLAP_WRONG"):
        await keys.rotate("k-1", overlap=timedelta(seconds=-1), by="kim")


async def test_what_is_unknown_or_ended_is_said_so(keys: Keys) -> None:
    made = await keys.create("shop", by="kim")
    await keys.revoke(made.key_id, by="kim", why="no longer used")

    with pytest.raises(Rejected, match="KEY_NOT_GOOD"):
        await keys.revoke(made.key_id, by="kim", why="again")
    with pytest.raises(Rejected, match="KEY_UNKNOWN"):
        await keys.revoke("k-0", by="kim", why="gone")
    with pytest.raises(Rejected, match="WORDS_REFUSED"):
        await keys.revoke(made.key_id, by="kim", why="ada@example.com asked")
