"""A key tells whose it is, and is kept as a hash only."""

import pytest

from waggle.errors import BadSettings
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.write_keys import OWN_SOURCE, WriteKeys
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def keys(store: UnitOfWork, clock: HandClock) -> WriteKeys:
    return WriteKeys(store, clock)


async def test_each_key_belongs_to_its_source_and_older_ones_stay_good(keys: WriteKeys) -> None:
    shop, tracker, newer = [await keys.create(source) for source in ("shop/eu", "tracker", "shop/eu")]

    assert [await keys.source_of(key) for key in (shop, tracker, newer)] == ["shop/eu", "tracker", "shop/eu"]
    assert len({shop, tracker, newer}) == 3


async def test_a_wrong_key_belongs_to_nobody(keys: WriteKeys) -> None:
    key = await keys.create("shop")

    for wrong in (key[:-1], key + "x", key.upper(), "", "shop"):
        assert await keys.source_of(wrong) is None


async def test_the_key_itself_is_not_stored(keys: WriteKeys, store: UnitOfWork) -> None:
    key = await keys.create("shop")

    [kept] = await store.read(lambda tx: tx.keys.all())
    assert await store.read(lambda tx: tx.keys.by_hash(key)) is None
    assert key not in repr(kept)
    assert kept.hint == f"wk_...{key[-4:]}"
    assert await store.read(lambda tx: tx.keys.sources()) == ["shop"]


@pytest.mark.parametrize("source", ["", "Shop", "a b", "ü", "/shop", "a" * 101, "shop@example.com", OWN_SOURCE])
async def test_a_name_that_is_none_or_is_ours_is_refused(keys: WriteKeys, source: str) -> None:
    with pytest.raises(BadSettings, match="SOURCE_NAME"):
        await keys.create(source)
