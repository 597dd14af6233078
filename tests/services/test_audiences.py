"""Who is put into an advertising audience, and that everybody comes out again."""

from dataclasses import dataclass, field

import pytest

from waggle.domain.privacy import Transfer
from waggle.errors import OutcomeUnknown, PermanentFailure, TemporaryFailure, WaggleError
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.audiences import REMOVAL, Audiences, Joined
from waggle.services.effects import Effects
from waggle.services.enrolments import Enrolments
from waggle.testing import facts
from waggle.testing.clock import HandClock
from waggle.testing.facts import Shop
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio


@dataclass
class Keeper:
    """Knows members by a word of its own, and says what it is told to say."""

    name: str = "ads"
    members: set[str] = field(default_factory=set)
    calls: list[tuple[str, str]] = field(default_factory=list)
    failure: WaggleError | None = None

    async def add(self, audience: str, email: str, *, key: str) -> str:
        self.calls.append(("add", key))
        member = f"{audience}/{email[::-1]}"
        self.members.add(member)
        if self.failure is not None:
            raise self.failure
        return member

    async def remove(self, audience: str, member: str, *, key: str) -> None:
        self.calls.append(("remove", key))
        if self.failure is not None:
            raise self.failure
        self.members.discard(member)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def shop(store: UnitOfWork, clock: HandClock) -> Shop:
    return facts.shop(store, clock, RememberingEngine())


@pytest.fixture
async def enrolment_id(shop: Shop) -> str:
    await shop.customer()
    await shop.cart()
    return (await shop.enrolment()).enrolment_id


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
def audiences(shop: Shop, keeper: Keeper) -> Audiences:
    return Audiences(shop.store, Effects(shop.store, shop.clock), keeper, shop.clock)


async def add(audiences: Audiences, enrolment_id: str) -> Joined:
    return await audiences.add(enrolment_id=enrolment_id, step="membership", audience="looked-at-honey")


async def transfers(shop: Shop) -> list[Transfer]:
    return await shop.store.read(lambda tx: tx.transfers.newest(10))


async def test_a_member_is_added_once_however_often_the_job_is_worked(
    audiences: Audiences, keeper: Keeper, shop: Shop, enrolment_id: str
) -> None:
    assert [await add(audiences, enrolment_id) for _ in range(2)] == [Joined(added=True, reason="ok")] * 2

    assert len(keeper.calls) == len(keeper.members) == 1
    assert [(each.destination, each.purpose, each.count) for each in await transfers(shop)] == [
        ("ads", "sale-share", 1)
    ]


async def test_nothing_leaves_of_who_objects_to_their_data_being_passed_on(
    audiences: Audiences, keeper: Keeper, shop: Shop, enrolment_id: str
) -> None:
    await shop.tell("consent-withdrawn", {"customer_id": "c-1", "purpose": "sale-share"})

    assert await add(audiences, enrolment_id) == Joined(added=False, reason="objects_to_sharing")

    assert keeper.calls == []
    assert await transfers(shop) == []


async def test_where_nobody_keeps_audiences_nobody_is_added(shop: Shop, enrolment_id: str) -> None:
    audiences = Audiences(shop.store, Effects(shop.store, shop.clock), None, shop.clock)

    assert await add(audiences, enrolment_id) == Joined(added=False, reason="no_keeper")


async def test_a_lost_answer_is_resolved_by_adding_once_more(
    audiences: Audiences, keeper: Keeper, enrolment_id: str
) -> None:
    keeper.failure = OutcomeUnknown("AUDIENCE_ANSWER_LOST", "")
    with pytest.raises(TemporaryFailure, match="AUDIENCE_ANSWER_LOST"):
        await add(audiences, enrolment_id)
    keeper.failure = None

    assert (await add(audiences, enrolment_id)).added
    assert len({key for _, key in keeper.calls}) == len(keeper.members) == 1


async def test_who_was_refused_is_not_in_and_the_journey_goes_on(
    audiences: Audiences, keeper: Keeper, enrolment_id: str
) -> None:
    keeper.failure = PermanentFailure("AUDIENCE_REFUSED", "400")

    assert await add(audiences, enrolment_id) == Joined(added=False, reason="audience_refused")


async def test_a_member_is_taken_out_once(audiences: Audiences, keeper: Keeper, shop: Shop, enrolment_id: str) -> None:
    await add(audiences, enrolment_id)

    assert [await audiences.remove(enrolment_id) for _ in range(2)] == [True, False]

    assert keeper.members == set()
    assert {(each.purpose, each.count) for each in await transfers(shop)} == {("sale-share", 1), (REMOVAL, 1)}
    membership = await shop.store.read(lambda tx: tx.audiences.get(enrolment_id))
    assert membership is not None
    assert (membership.member, membership.removed_at) == (None, shop.clock.now())


async def test_who_was_forgotten_here_is_taken_out_there_all_the_same(
    audiences: Audiences, keeper: Keeper, shop: Shop, enrolment_id: str
) -> None:
    await add(audiences, enrolment_id)
    await shop.tell("customer-erased", {"customer_id": "c-1"})

    assert await audiences.remove(enrolment_id)
    assert keeper.members == set()


async def test_a_refused_removal_is_an_incident_and_can_be_tried_again(
    audiences: Audiences, keeper: Keeper, enrolment_id: str
) -> None:
    await add(audiences, enrolment_id)
    keeper.failure = PermanentFailure("AUDIENCE_REFUSED", "400")
    with pytest.raises(PermanentFailure):
        await audiences.remove(enrolment_id)
    keeper.failure = None

    assert await audiences.remove(enrolment_id)


async def test_whom_an_ended_journey_left_in_is_swept_out(
    audiences: Audiences, keeper: Keeper, shop: Shop, enrolment_id: str
) -> None:
    await add(audiences, enrolment_id)
    assert await audiences.sweep() == 0
    await Enrolments(shop.store, facts.book(), shop.clock).end(enrolment_id, "ordered", "")

    assert [await audiences.sweep() for _ in range(2)] == [1, 0]
    assert keeper.members == set()


async def test_nobody_is_added_for_a_journey_that_has_ended(
    audiences: Audiences, keeper: Keeper, shop: Shop, enrolment_id: str
) -> None:
    await Enrolments(shop.store, facts.book(), shop.clock).end(enrolment_id, "ordered", "")

    assert await add(audiences, enrolment_id) == Joined(added=False, reason="journey_ended")
    assert keeper.calls == []
