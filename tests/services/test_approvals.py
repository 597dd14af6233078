"""A journey asks a person once, somebody else than who wanted it answers once, and all of it is on record."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from waggle.domain.approval import Given
from waggle.domain.role import Role
from waggle.errors import BadSettings, PermanentFailure, Rejected
from waggle.metrics import Census
from waggle.ports.unit_of_work import UnitOfWork
from waggle.resources import shipped
from waggle.services.approvals import Approvals, Decision, Reply, load_questions
from waggle.services.enrolments import Enrolments
from waggle.services.forms import load_forms, read_form
from waggle.services.journeys import JourneyBook
from waggle.services.people import People
from waggle.testing.campaigns import stage
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio

TASK = "Task_Approve"
SHOWN: dict[str, Given] = {"recipients": 12_000, "tests": 2}
TICKED = {"test_was_read": "yes", "remarks": "fine"}


@pytest.fixture
def approvals(store: UnitOfWork, clock: HandClock) -> Approvals:
    return Approvals(store, load_questions(shipped("bpmn")), clock)


@pytest.fixture
async def campaign(shop: Shop, store: UnitOfWork, clock: HandClock) -> str:
    """An enrolment of the campaign that kim asked for."""
    return await stage(store, clock, RecordingSender()).begin(shop, by="kim")


async def ask(approvals: Approvals, enrolment_id: str) -> Reply | None:
    return await approvals.ask(enrolment_id, TASK, step=None, shown=SHOWN)


async def people(store: UnitOfWork, clock: HandClock, **roles: Role) -> None:
    for name, role in {"olga": "owner", **roles}.items():
        await People(store, clock).add(name, role, by="setup")


async def test_it_is_asked_once_and_waits_until_somebody_has_answered(approvals: Approvals, campaign: str) -> None:
    assert [await ask(approvals, campaign) for _ in range(3)] == [None, None, None]
    [line] = await approvals.list()
    assert (line.title, line.subject, line.requested_by) == ("Approve the campaign", "news-1", "kim")
    assert line.roles == ("owner", "marketer")

    await approvals.decide(line.approval_id, "approved", by="marta", comment="go", given=TICKED)

    # What was written freely stays here.
    assert await ask(approvals, campaign) == Reply("approved", {"test_was_read": True})
    assert await approvals.list() == []
    [over] = await approvals.list(all_states=True)
    assert (over.answer, over.decided_by, over.comment) == ("approved", "marta", "go")


async def test_the_metrics_say_how_many_wait_and_since_when(
    approvals: Approvals, campaign: str, store: UnitOfWork, clock: HandClock
) -> None:
    async def shown() -> tuple[float, float]:
        census = Census(clock)
        census.store = store
        await census.refresh()
        [count] = [family.samples[0].value for family in census.collect() if family.name == "waggle_approvals_waiting"]
        name = "waggle_approvals_waiting_oldest_seconds"
        [oldest_s] = [family.samples[0].value for family in census.collect() if family.name == name]
        return count, oldest_s

    assert await shown() == (0, 0)

    await ask(approvals, campaign)
    clock.advance(timedelta(hours=2))
    assert await shown() == (1, 7200)

    [line] = await approvals.list()
    await approvals.decide(line.approval_id, "approved", by="marta", given=TICKED)
    assert await shown() == (0, 0)


async def test_the_form_shows_what_the_journey_says(approvals: Approvals, campaign: str) -> None:
    await ask(approvals, campaign)
    [line] = await approvals.list()

    found = await approvals.show(line.approval_id)

    assert found.form is not None
    assert found.form.fields[0].text_with(found.shown).startswith("12,000 persons are in the segment now.")


async def test_who_asked_for_it_does_not_approve_it(approvals: Approvals, campaign: str, store: UnitOfWork) -> None:
    await ask(approvals, campaign)
    [line] = await approvals.list()

    with pytest.raises(Rejected, match="OWN_REQUEST"):
        await approvals.decide(line.approval_id, "approved", by="kim", given=TICKED)

    assert await ask(approvals, campaign) is None
    [*_, last] = await store.read(lambda tx: tx.audit.newest(1))
    assert (last.entry.actor, last.entry.action, last.entry.subject) == ("kim", "approval-barred", line.approval_id)


async def test_only_the_roles_of_the_diagram_answer(
    approvals: Approvals, campaign: str, store: UnitOfWork, clock: HandClock
) -> None:
    await people(store, clock, ann="analyst", marta="marketer", mo="marketer")
    await ask(approvals, campaign)
    [line] = await approvals.list()

    for name in ("ann", "nobody"):
        with pytest.raises(Rejected, match="SCOPE_MISSING"):
            await approvals.decide(line.approval_id, "approved", by=name, given=TICKED)
    await approvals.decide(line.approval_id, "approved", by="marta", given=TICKED)

    with pytest.raises(Rejected, match=r"APPROVAL_OVER: .*approved by marta"):
        await approvals.decide(line.approval_id, "refused", by="mo", comment="too late")
    entries = await store.read(lambda tx: tx.audit.of_subject(line.approval_id))
    assert [(entry.actor, entry.action) for entry in entries] == [
        ("ann", "scope-missing"),
        ("nobody", "scope-missing"),
        ("marta", "approval-approved"),
    ]


async def test_the_same_answer_again_changes_nothing(approvals: Approvals, campaign: str, store: UnitOfWork) -> None:
    await ask(approvals, campaign)
    [line] = await approvals.list()

    for _ in range(2):
        await approvals.decide(line.approval_id, "approved", by="marta", given=TICKED)

    assert len(await store.read(lambda tx: tx.audit.of_subject(line.approval_id))) == 1


@pytest.mark.parametrize(
    ("decision", "comment", "given", "code"),
    [
        ("approved", "", {}, "ANSWER_WRONG"),
        ("refused", "", {}, "COMMENT_MISSING"),
        ("refused", "ask ada@example.com", {}, "WORDS_REFUSED"),
        ("approved", "", {**TICKED, "remarks": "x" * 501}, "ANSWER_WRONG"),
    ],
)
async def test_a_wrong_answer_is_none(  # noqa: PLR0917 -- the answer and where it goes
    approvals: Approvals, campaign: str, decision: Decision, comment: str, given: dict[str, str], code: str
) -> None:
    await ask(approvals, campaign)
    [line] = await approvals.list()

    with pytest.raises(Rejected, match=code):
        await approvals.decide(line.approval_id, decision, by="marta", comment=comment, given=given)

    assert await ask(approvals, campaign) is None


async def test_a_stop_takes_the_question_back(
    approvals: Approvals, campaign: str, store: UnitOfWork, clock: HandClock
) -> None:
    await ask(approvals, campaign)
    played = stage(store, clock, RecordingSender())

    await played.desk.wish("news-1", "stop", by="kim")

    assert await ask(approvals, campaign) == Reply("withdrawn", {})
    assert (await played.running.finish(campaign)).outcome == "stopped"


async def test_a_question_of_a_journey_that_ended_is_over(
    approvals: Approvals, campaign: str, store: UnitOfWork, clock: HandClock
) -> None:
    await ask(approvals, campaign)
    [line] = await approvals.list()

    await Enrolments(store, JourneyBook({}), clock).end(campaign, "not_approved", "")

    assert await approvals.list() == []
    with pytest.raises(Rejected, match="APPROVAL_OVER"):
        await approvals.decide(line.approval_id, "approved", by="marta", given=TICKED)


async def test_what_no_diagram_asks_is_an_incident(approvals: Approvals, campaign: str) -> None:
    with pytest.raises(PermanentFailure, match="QUESTION_UNKNOWN"):
        await approvals.ask(campaign, "Task_Invented", step=None, shown={})
    with pytest.raises(PermanentFailure, match="ENROLMENT_UNKNOWN"):
        await ask(approvals, "invented")
    with pytest.raises(Rejected, match="APPROVAL_UNKNOWN"):
        await approvals.show("invented")


FORM: dict[str, Any] = {"id": "f", "type": "default", "components": []}
CHOICE = {
    "type": "select",
    "key": "share",
    "label": "Share",
    "values": [{"label": "Half", "value": "half"}, {"label": "All", "value": "all"}],
}


def written(folder: Path, *components: dict[str, Any], **changes: Any) -> Path:  # noqa: ANN401 -- JSON
    file = folder / "f.form"
    file.write_text(json.dumps({**FORM, "components": components, **changes}))
    return file


def test_answers_are_typed_by_the_form(tmp_path: Path) -> None:
    number = {"type": "number", "key": "limit", "label": "Limit", "validate": {"min": 1, "max": 9}}
    tick = {"type": "checkbox", "key": "sure", "label": "Sure"}
    form = read_form(written(tmp_path, CHOICE, number, tick))

    assert form.answers({"share": "half", "limit": "5"}) == {"share": "half", "limit": 5, "sure": False}
    for given, said in (
        ({"share": "third"}, "none of the options"),
        ({"limit": "10"}, "bounds"),
        ({"limit": "x"}, "number"),
    ):
        with pytest.raises(Rejected, match=said):
            form.answers(given)


@pytest.mark.parametrize(
    ("component", "said"),
    [
        ({"type": "iframe", "label": "Shop"}, '"Shop" is a iframe, which our page cannot show'),
        ({"type": "select", "key": "share", "label": "Share"}, "offers nothing"),
        ({"type": "textfield", "key": "Bad Key", "label": "L"}, 'the key "Bad Key"'),
        ({"type": "checkbox", "key": "answer", "label": "L"}, 'not "answer"'),
    ],
)
def test_a_form_that_cannot_be_shown_says_how_to_mend_it(tmp_path: Path, component: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSettings, match="FORM_WRONG") as raised:
        read_form(written(tmp_path, component))

    assert said in raised.value.message


def test_what_is_shipped_can_be_shown() -> None:
    assert "approve-campaign" in load_forms(shipped("bpmn"))


def test_a_user_task_without_its_form_is_named(tmp_path: Path) -> None:
    (tmp_path / "journeys").mkdir()
    diagram = shipped("bpmn") / "journeys/campaign.bpmn"
    (tmp_path / "journeys/campaign.bpmn").write_bytes(diagram.read_bytes())

    with pytest.raises(BadSettings, match=r"FORM_UNKNOWN: .*Task_Approve"):
        load_questions(tmp_path)
