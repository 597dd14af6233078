"""Who is logged in to the console is known by a cookie that holds no token, and only while the token is good."""

from datetime import timedelta

import pytest

from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.access import Access, hashed
from waggle.services.console_sessions import GOOD_FOR, ConsoleSessions
from waggle.services.keys import Keys
from waggle.services.people import People
from waggle.services.write_keys import WriteKeys
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def sessions(store: UnitOfWork, clock: HandClock) -> ConsoleSessions:
    return ConsoleSessions(store, Access(store, clock), clock)


@pytest.fixture
async def token(store: UnitOfWork, clock: HandClock) -> str:
    people = People(store, clock)
    await people.add("olga", "owner", by="setup")
    return (await people.token("olga", expires=timedelta(days=90), by="setup")).token


async def test_a_person_comes_in_for_a_working_day(sessions: ConsoleSessions, clock: HandClock, token: str) -> None:
    secret = await sessions.begin(token, "192.0.2.1")
    assert secret is not None

    visitor = await sessions.visitor(secret)

    assert visitor is not None
    assert (visitor.name, visitor.role) == ("olga", "owner")
    clock.advance(GOOD_FOR)
    assert await sessions.visitor(secret) is None


async def test_the_cookie_is_not_kept_and_is_not_the_token(
    sessions: ConsoleSessions, store: UnitOfWork, token: str
) -> None:
    secret = await sessions.begin(token, "192.0.2.1")

    assert secret is not None
    assert secret != token
    assert await store.read(lambda tx: tx.console_sessions.get(secret)) is None
    assert await store.read(lambda tx: tx.console_sessions.get(hashed(secret))) is not None
    assert await sessions.visitor(hashed(secret)) is None


async def test_each_cookie_has_a_form_token_of_its_own(sessions: ConsoleSessions, token: str) -> None:
    visitors = []
    for _ in range(2):
        secret = await sessions.begin(token, "192.0.2.1")
        assert secret is not None
        visitors.append(await sessions.visitor(secret))

    first, second = visitors
    assert first is not None
    assert second is not None
    assert first.form_token != second.form_token


async def test_who_leaves_or_loses_their_token_is_out(
    sessions: ConsoleSessions, store: UnitOfWork, clock: HandClock, token: str
) -> None:
    left, revoked = await sessions.begin(token, "192.0.2.1"), await sessions.begin(token, "192.0.2.1")
    assert left is not None
    assert revoked is not None

    await sessions.end(left)
    assert await sessions.visitor(left) is None
    keys = Keys(store, clock, remind_after=timedelta(days=90))
    [line] = [each for each in await keys.list() if each.name == "olga"]
    await keys.revoke(line.key_id, by="setup", why="lost")
    assert await sessions.visitor(revoked) is None


async def test_a_program_is_no_person(sessions: ConsoleSessions, store: UnitOfWork, clock: HandClock) -> None:
    key = await WriteKeys(store, clock, Access(store, clock)).create("shop")

    assert await sessions.begin(key, "192.0.2.1") is None
    assert await sessions.begin("wp_" + "x" * 43, "192.0.2.1") is None
