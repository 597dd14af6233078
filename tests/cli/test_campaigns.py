"""`waggle segments`, `waggle campaigns` and `waggle approvals` as a marketer types them."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.cli.conftest import CommandLine
from waggle.app import App
from waggle.cli.with_app import with_app
from waggle.domain.enrolment import Enrolment
from waggle.ports.unit_of_work import Transaction


def done(work: Callable[[App], Awaitable[Any]]) -> Any:  # noqa: ANN401 -- whatever the work returns
    return with_app(work)


def asked(run: str) -> str:
    """Let the journey of *run* ask its question, and return the approval's id."""

    async def ask(app: App) -> str:
        now = app.clock.now()

        def put(tx: Transaction) -> None:
            tx.enrolments.save(
                Enrolment(
                    enrolment_id="enrolment-1",
                    journey="campaign",
                    business_key=run,
                    entry=1,
                    customer_id=None,
                    cart_id=None,
                    held_out=False,
                    state="running",
                    entered_at=now,
                )
            )

        await app.store.run(put)
        services = app.services()
        running = next(each for kind, each in services.items() if kind.__name__ == "CampaignRunning")
        await running.prepare("enrolment-1")  # type: ignore[attr-defined]
        await app.approvals.ask("enrolment-1", "Task_Approve", step=None, shown={"recipients": 0, "tests": 1})
        [line] = await app.approvals.list()
        return line.approval_id

    found: str = done(ask)
    return found


def test_segments_are_listed_with_their_rules_and_counted(waggle: CommandLine) -> None:
    listed = waggle("segments", "list")
    assert "newsletter-readers" in listed.out
    assert "consent given" in " ".join(listed.out.split())
    assert {each["name"] for each in json.loads(waggle("segments", "list", "--json").out)} >= {"newsletter-readers"}

    assert waggle("segments", "count", "newsletter-readers").out == "newsletter-readers: 0 persons\n"
    assert json.loads(waggle("segments", "count", "newsletter-readers", "--json").out)["persons"] == 0
    unknown = waggle("segments", "count", "nobody")
    assert (unknown.code, "SEGMENT_UNKNOWN" in unknown.err) == (2, True)


def test_a_campaign_is_started_approved_by_somebody_else_paused_and_stopped(waggle: CommandLine) -> None:
    run = json.loads(waggle("campaigns", "start", "spring-news", "--by", "kim", "--json").out)["campaign_id"]
    assert run in waggle("campaigns", "list").out
    approval = asked(run)
    assert approval in waggle("approvals", "list").out
    assert "--answer test_was_read=" in waggle("approvals", "show", approval).out

    own = waggle("approvals", "decide", approval, "approved", "--answer", "test_was_read=yes", "--by", "kim")
    assert (own.code, "OWN_REQUEST" in own.err) == (1, True)
    unread = waggle("approvals", "decide", approval, "approved", "--by", "marta")
    assert (unread.code, "ANSWER_WRONG" in unread.err) == (1, True)
    said = waggle("approvals", "decide", approval, "approved", "--answer", "test_was_read=yes", "--by", "marta")
    assert (said.code, "approved by marta" in said.out) == (0, True)
    assert waggle("approvals", "list").out == "Nothing waits for an answer.\n"
    [line] = json.loads(waggle("approvals", "list", "--all-states", "--json").out)
    assert (line["answer"], line["decided_by"]) == ("approved", "marta")

    assert waggle("campaigns", "pause", run, "--by", "kim").out == f"{run}: paused\n"
    assert json.loads(waggle("campaigns", "resume", run, "--by", "kim", "--json").out)["state"] == "waiting"
    assert waggle("campaigns", "stop", run, "--by", "kim").out == f"{run}: stopping\n"
    assert json.loads(waggle("campaigns", "show", run, "--json").out)["line"]["state"] == "stopping"
    again = waggle("campaigns", "resume", run, "--by", "kim")
    assert (again.code, "CAMPAIGN_STOPPED" in again.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("campaigns", "start", "autumn"), "CAMPAIGN_UNKNOWN"),
        (("campaigns", "show", "run-9"), "CAMPAIGN_UNKNOWN"),
        (("approvals", "show", "x"), "APPROVAL_UNKNOWN"),
        (("approvals", "decide", "x", "approved", "--answer", "ticked"), "ANSWER_FORM"),
    ],
)
def test_what_is_not_there_is_named(waggle: CommandLine, arguments: tuple[str, ...], code: str) -> None:
    said = waggle(*arguments)

    assert said.code in {1, 2}
    assert code in said.err
