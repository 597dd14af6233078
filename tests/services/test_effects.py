"""An effect beyond messages and coupons happens once, and what nobody knows the end of is listed."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from waggle.errors import OutcomeUnknown, PermanentFailure, Rejected, TemporaryFailure, WaggleError
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.effects import Carried, Effects
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

AFTER_THE_LEASE = timedelta(minutes=3, seconds=1)


class Desk:
    """A help desk that remembers tickets, and fails as it is told to."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.failure: BaseException | None = None

    async def open(self, key: str) -> str:
        if not isinstance(self.failure, TemporaryFailure | Rejected | PermanentFailure):
            self.keys.append(key)
        if self.failure is not None:
            raise self.failure
        return f"ticket-{len(self.keys)}"


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def effects(store: UnitOfWork, clock: HandClock) -> Effects:
    return Effects(store, clock)


Opening = Callable[[], Awaitable[Carried]]


@pytest.fixture
def opened(effects: Effects, desk: Desk, enrolment_id: str) -> Opening:
    async def carry_out() -> Carried:
        return await effects.carry_out(enrolment_id=enrolment_id, step="ticket", kind="open-ticket", act=desk.open)

    return carry_out


async def test_the_same_step_twice_is_one_effect_and_one_answer(opened: Opening, desk: Desk) -> None:
    assert [await opened(), await opened()] == [Carried("done", "ok", "ticket-1")] * 2
    assert len(desk.keys) == 1


async def test_a_refusal_for_now_is_tried_again_under_the_same_key(
    opened: Opening, desk: Desk, store: UnitOfWork, enrolment_id: str
) -> None:
    desk.failure = TemporaryFailure("DESK_AWAY")
    with pytest.raises(TemporaryFailure, match="DESK_AWAY"):
        await opened()
    desk.failure = None

    assert (await opened()).outcome == "done"
    [row] = await store.read(lambda tx: tx.effects.of_enrolment(enrolment_id))
    assert (row.attempts, desk.keys) == (2, [row.effect_id])


@pytest.mark.parametrize("refusal", [Rejected("NO_TICKETS"), PermanentFailure("NO_TICKETS")])
async def test_a_refusal_for_good_is_the_answer_for_ever(opened: Opening, desk: Desk, refusal: WaggleError) -> None:
    desk.failure = refusal
    assert await opened() == Carried("failed", "NO_TICKETS", None)
    desk.failure = None

    assert (await opened()).outcome == "failed"
    assert desk.keys == []


async def test_what_may_have_been_done_is_not_done_again_and_is_listed(
    opened: Opening, desk: Desk, effects: Effects
) -> None:
    desk.failure = OutcomeUnknown("ANSWER_LOST")
    assert (await opened()).outcome == "in_doubt"
    desk.failure = None

    assert (await opened()).outcome == "in_doubt"
    assert len(desk.keys) == 1
    assert [(each.kind, each.reason) for each in await effects.in_doubt()] == [("open-ticket", "ANSWER_LOST")]


async def test_where_a_repeat_is_known_again_a_lost_answer_is_asked_for_once_more(
    effects: Effects, desk: Desk, enrolment_id: str
) -> None:
    desk.failure = OutcomeUnknown("ANSWER_LOST")
    names = {"enrolment_id": enrolment_id, "step": "ticket", "kind": "open-ticket"}
    with pytest.raises(TemporaryFailure, match="ANSWER_LOST"):
        await effects.carry_out(**names, act=desk.open, repeatable=True)
    desk.failure = None

    assert (await effects.carry_out(**names, act=desk.open, repeatable=True)).outcome == "done"
    assert len(set(desk.keys)) == 1


async def test_a_process_that_dies_with_the_effect_in_its_hands_leaves_a_doubt_once_its_lease_is_over(
    opened: Opening, desk: Desk, clock: HandClock
) -> None:
    desk.failure = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        await opened()
    desk.failure = None
    with pytest.raises(TemporaryFailure, match="EFFECT_UNDER_WAY"):
        await opened()
    clock.advance(AFTER_THE_LEASE)

    assert await opened() == Carried("in_doubt", "answer_lost", None)
    assert len(desk.keys) == 1


async def test_a_person_settles_a_doubt_once(opened: Opening, desk: Desk, effects: Effects, store: UnitOfWork) -> None:
    desk.failure = OutcomeUnknown("ANSWER_LOST")
    await opened()
    [doubtful] = await effects.in_doubt()
    await effects.settle(doubtful.effect_id, "done", by="marta", why="found it at the desk")

    assert await effects.in_doubt() == []
    assert (await opened()).outcome == "done"
    [entry] = await store.read(lambda tx: tx.audit.of_subject(doubtful.effect_id))
    assert (entry.actor, entry.action) == ("marta", "effect-settled")
    with pytest.raises(Rejected, match="EFFECT_NOT_IN_DOUBT"):
        await effects.settle(doubtful.effect_id, "failed", by="marta", why="no, sorry")
    with pytest.raises(Rejected, match="EFFECT_UNKNOWN"):
        await effects.settle("nothing", "failed", by="marta", why="no, sorry")


async def test_an_invented_enrolment_is_a_defect_of_the_diagram(effects: Effects, desk: Desk) -> None:
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await effects.carry_out(enrolment_id="nobody", step="ticket", kind="open-ticket", act=desk.open)
