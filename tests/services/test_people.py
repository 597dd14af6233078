"""Once people were added, only they decide, as their role lets them."""

from datetime import timedelta

import pytest

from waggle.domain.role import ROLES, SCOPES
from waggle.errors import BadSettings, Rejected
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.people import People
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def people(store: UnitOfWork, clock: HandClock) -> People:
    return People(store, clock)


def test_the_owner_may_everything_and_only_the_owner_may_admit_others() -> None:
    assert ROLES["owner"] == set(SCOPES)
    assert [role for role, scopes in ROLES.items() if "admin" in scopes] == ["owner"]


def test_only_owner_and_privacy_officer_see_customers() -> None:
    assert [role for role, scopes in ROLES.items() if "customers:read" in scopes] == ["owner", "privacy-officer"]


async def test_while_nobody_was_added_whoever_is_there_decides(people: People) -> None:
    assert await people.acting(None, "root", "admin") == "root"
    assert await people.acting("kim", "root", "admin") == "kim"
    with pytest.raises(Rejected, match="WORDS_REFUSED"):
        await people.acting("kim@example.com", "root", "admin")


async def test_then_only_people_decide_and_what_their_role_allows(people: People, store: UnitOfWork) -> None:
    await people.add("kim", "owner", by="root")
    await people.add("robin", "operator", by="kim")

    assert await people.acting("robin", "root", "events:manage") == "robin"
    assert await people.acting(None, "kim", "admin") == "kim"
    with pytest.raises(BadSettings, match="PERSON_MISSING"):
        await people.acting(None, "root", "events:manage")
    with pytest.raises(Rejected, match="PERSON_UNKNOWN"):
        await people.acting("root", "root", "events:manage")
    with pytest.raises(Rejected, match="SCOPE_MISSING"):
        await people.acting("robin", "root", "admin")
    last = (await store.read(lambda tx: tx.audit.newest(1)))[0].entry
    assert (last.actor, last.action, last.why) == ("robin", "scope-missing", "admin")


async def test_somebody_removed_decides_nothing(people: People) -> None:
    await people.add("kim", "owner", by="root")
    await people.add("robin", "operator", by="kim")
    await people.remove("robin", by="kim")

    with pytest.raises(Rejected, match="PERSON_UNKNOWN"):
        await people.acting("robin", "root", "events:manage")
    assert [line.name for line in await people.list()] == ["kim"]


async def test_there_is_always_an_owner(people: People) -> None:
    with pytest.raises(Rejected, match="OWNER_MISSING"):
        await people.add("robin", "analyst", by="root")
    await people.add("kim", "owner", by="root")
    with pytest.raises(Rejected, match="OWNER_MISSING"):
        await people.add("kim", "analyst", by="kim")
    await people.add("robin", "analyst", by="kim")
    with pytest.raises(Rejected, match="OWNER_MISSING"):
        await people.remove("kim", by="kim")
    await people.add("robin", "owner", by="kim")
    await people.remove("kim", by="robin")

    assert [(line.name, line.role) for line in await people.list()] == [("robin", "owner")]


async def test_tokens_are_counted_and_end_with_the_person(people: People, clock: HandClock) -> None:
    await people.add("kim", "owner", by="root")
    for days in (1, 2):
        await people.token("kim", expires=timedelta(days=days), by="kim")
    assert [line.tokens for line in await people.list()] == [2]

    clock.advance(timedelta(days=1))

    assert [line.tokens for line in await people.list()] == [1]


@pytest.mark.parametrize("name", ["", "Kim", "kim@example.com", "1kim", "a" * 41, "kim lee"])
async def test_a_name_that_could_be_an_address_is_refused(people: People, name: str) -> None:
    with pytest.raises(BadSettings, match="PERSON_NAME"):
        await people.add(name, "owner", by="root")


async def test_every_decision_stands_in_the_audit_log(people: People, store: UnitOfWork) -> None:
    await people.add("kim", "owner", by="root")
    await people.add("robin", "analyst", by="kim")
    await people.add("robin", "marketer", by="kim")
    await people.remove("robin", by="kim")

    entries = await store.read(lambda tx: tx.audit.of_subject("robin"))

    assert [(each.actor, each.action, each.detail["role"]) for each in entries] == [
        ("kim", "person-added", "analyst"),
        ("kim", "role-changed", "marketer"),
        ("kim", "person-removed", "marketer"),
    ]
