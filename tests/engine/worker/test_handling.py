import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.worker import WorkerRuntime
from waggle.errors import (
    BadSettings,
    OutcomeUnknown,
    PermanentFailure,
    Rejected,
    TemporaryFailure,
    WaggleError,
)
from waggle.task import declared_task, task
from waggle.testing.bench import Diary, working
from waggle.testing.gateway import FakeGateway, FakeJob
from waggle.testing.tasks import call

pytestmark = pytest.mark.anyio

PERSONAL = "jane.doe@example.com"


@dataclass(frozen=True, slots=True)
class Ask:
    enrolment_id: str
    number: int = 1
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    number: int
    note: str | None = None
    settings: dict[str, object] = field(default_factory=dict)
    answered_at: datetime | None = None


Answer = Callable[[Ask], object]


@task("ask", throws=("NO_ANSWER",))
async def ask(given: Ask, diary: Diary, answer: Answer) -> Answered:
    await diary.visit(given)
    return answer(given)  # type: ignore[return-value]


@task("ask", timeout_s=0.2)
async def ask_impatiently(given: Ask, diary: Diary, answer: Answer) -> Answered:
    return await ask(given, diary, answer)


NOBODY: Any = {Diary: None, Answer: None}


async def outcome(
    gateway: FakeGateway,
    diary: Diary,
    answer: Answer,
    *,
    asking: object = ask,
    retries: int = 3,
    **variables: Any,  # noqa: ANN401 - as JSON allows
) -> FakeJob:
    """Return what became of one job."""
    job = await gateway.add_job("ask", retries=retries, **variables)
    async with working(gateway, asking, services={Diary: diary, Answer: answer}):  # type: ignore[dict-item]
        await gateway.until(lambda: job.state not in ("activatable", "activated"))
    return job


def raising(error: BaseException) -> Answer:
    def answer(_given: Ask) -> object:
        raise error

    return answer


async def test_a_task_gets_typed_input_and_its_services_and_returns_typed_output(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)

    job = await outcome(
        gateway, open_diary, lambda given: Answered(given.number + 1, answered_at=at), number=41, ignored=PERSONAL
    )

    assert open_diary.entries == [Ask("enr-1", 41)]
    assert job.state == "completed"
    assert job.result == {"number": 42, "note": None, "settings": {}, "answered_at": "2026-03-01T12:00:00Z"}


async def test_only_the_declared_variables_are_fetched(gateway: FakeGateway, open_diary: Diary) -> None:
    await outcome(gateway, open_diary, lambda given: Answered(1))

    assert list(gateway.requests("ActivateJobs")[0].fetchVariable) == ["enrolment_id", "number", "note"]


@pytest.mark.parametrize("wrong", [{"number": PERSONAL}, {"number": None}, {"number": 1.5}], ids=repr)
async def test_wrong_input_is_an_incident_that_names_the_field_only(
    gateway: FakeGateway, open_diary: Diary, wrong: dict[str, Any]
) -> None:
    with capture_logs() as logs:
        job = await outcome(gateway, open_diary, lambda given: Answered(1), **wrong)

    assert (job.state, job.text) == ("incident", "INPUT_REFUSED ask enr-1 number: expected int")
    assert open_diary.entries == []
    assert PERSONAL not in str(logs)


async def test_a_missing_input_is_an_incident_that_names_it(gateway: FakeGateway, open_diary: Diary) -> None:
    job = await gateway.add_job("ask")
    job.variables.clear()
    async with working(gateway, ask, services={Diary: open_diary, Answer: raising(KeyError())}):  # type: ignore[dict-item]
        await gateway.until(lambda: job.state == "incident")

    assert job.text == "INPUT_REFUSED ask - enrolment_id: expected str"


async def test_a_service_that_nothing_provides_is_found_before_any_job_is_taken(gateway: FakeGateway) -> None:
    declared = declared_task(ask)
    assert declared is not None
    async with connect(GatewayAddress(gateway.address)) as channel:
        with pytest.raises(BadSettings, match="SERVICE_MISSING: task 'ask' needs a Diary"):
            WorkerRuntime(channel, [declared], {}, gateway.clock)

    assert gateway.calls == []


async def test_a_declared_rejection_becomes_the_bpmn_error_the_diagram_catches(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    job = await outcome(gateway, open_diary, raising(Rejected("NO_ANSWER", "none today")))

    assert (job.state, job.error_code, job.text) == ("thrown", "NO_ANSWER", "NO_ANSWER ask enr-1")


@pytest.mark.parametrize(
    "error",
    [
        Rejected("NOT_DECLARED", PERSONAL),
        PermanentFailure("NOT_DECLARED", PERSONAL),
        OutcomeUnknown("NOT_DECLARED", PERSONAL),
        WaggleError("NOT_DECLARED", PERSONAL),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_no_retry_can_help_is_an_incident_at_once(
    gateway: FakeGateway, open_diary: Diary, error: WaggleError
) -> None:
    job = await outcome(gateway, open_diary, raising(error))

    assert (job.state, job.retries) == ("incident", 0)
    mend = " is not in throws of the task" if isinstance(error, Rejected) else ""
    assert job.text == "NOT_DECLARED ask enr-1" + mend


async def test_a_temporary_failure_costs_no_retry_and_waits_as_long_as_it_says(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    job = await outcome(gateway, open_diary, raising(TemporaryFailure("MAIL_DOWN", retry_after_s=60)), retries=2)

    assert (job.state, job.retries, job.text) == ("waiting", 2, "MAIL_DOWN ask enr-1")
    assert job.wait_ms == 63_000


@pytest.mark.parametrize(("retries", "left", "wait_ms"), [(3, 2, 10_500), (2, 1, 42_000)])
async def test_an_unexpected_error_costs_a_retry_and_waits_longer_each_time(
    gateway: FakeGateway, open_diary: Diary, retries: int, left: int, wait_ms: int
) -> None:
    job = await outcome(gateway, open_diary, raising(ValueError("x")), retries=retries)

    assert (job.state, job.retries, job.wait_ms) == ("waiting", left, wait_ms)


async def test_the_last_unexpected_error_is_an_incident(gateway: FakeGateway, open_diary: Diary) -> None:
    job = await outcome(gateway, open_diary, raising(ValueError("x")), retries=1)

    assert (job.state, job.retries) == ("incident", 0)


async def test_an_incident_text_never_quotes_the_exception(gateway: FakeGateway, open_diary: Diary) -> None:
    job = await outcome(gateway, open_diary, raising(ValueError(f"no mailbox for {PERSONAL}")))

    assert job.text == "UNEXPECTED ValueError ask enr-1"


async def test_an_enrolment_id_that_is_a_person_is_not_quoted(gateway: FakeGateway, open_diary: Diary) -> None:
    job = await outcome(gateway, open_diary, raising(ValueError("x")), enrolment_id=PERSONAL)

    assert job.text == "UNEXPECTED ValueError ask -"


async def test_a_handler_that_hangs_is_stopped_and_tried_again_later(gateway: FakeGateway, diary: Diary) -> None:
    job = await outcome(gateway, diary, lambda given: Answered(1), asking=ask_impatiently)

    assert (job.state, job.retries, job.text) == ("waiting", 2, "TIMED_OUT ask enr-1 after 0.2 s")
    assert diary.present == 0


async def test_a_handler_that_cancels_itself_does_not_take_the_worker_along(
    gateway: FakeGateway, open_diary: Diary
) -> None:
    first = await outcome(gateway, open_diary, raising(asyncio.CancelledError()))
    second = await outcome(gateway, open_diary, lambda given: Answered(1))

    assert (first.state, first.text) == ("waiting", "UNEXPECTED CancelledError ask enr-1")
    assert second.state == "completed"


@pytest.mark.parametrize(
    ("result", "rule"),
    [
        pytest.param(Answered(1, note=PERSONAL), "note looks like an address", id="an address"),
        pytest.param(Answered(1, note="x" * 300), "note is longer than 256 characters", id="content"),
        pytest.param(Answered(1, settings={"deep": {"er": 1}}), "settings is a dict not a small scalar", id="a tree"),
    ],
)
async def test_a_result_that_must_not_enter_the_engine_is_an_incident_that_names_the_rule(
    gateway: FakeGateway, open_diary: Diary, result: Answered, rule: str
) -> None:
    with capture_logs() as logs:
        job = await outcome(gateway, open_diary, lambda given: result)

    assert (job.state, job.text) == ("incident", f"VARIABLE_REFUSED ask enr-1 {rule}")
    assert len(open_diary.entries) == 1
    assert gateway.count("CompleteJob") == 0
    assert PERSONAL not in str(logs)


@pytest.mark.parametrize(
    ("result", "mend"),
    [
        pytest.param(None, " returned NoneType expected Answered", id="nothing"),
        pytest.param(Answered(1, settings={"x": object()}), "", id="what JSON cannot say"),
        pytest.param([1], " returned list expected Answered", id="no dataclass"),
    ],
)
async def test_a_result_that_cannot_be_written_is_an_incident_and_not_a_loop(
    gateway: FakeGateway, open_diary: Diary, result: object, mend: str
) -> None:
    job = await outcome(gateway, open_diary, lambda given: result)

    assert (job.state, job.text) == ("incident", f"RESULT_REFUSED ask enr-1{mend}")
    assert len(open_diary.entries) == 1


async def test_a_result_of_a_megabyte_never_leaves(gateway: FakeGateway, open_diary: Diary) -> None:
    many = {f"key_{number}": "x" * 200 for number in range(5000)}

    job = await outcome(gateway, open_diary, lambda given: Answered(1, settings=dict(many)))

    assert (job.state, job.text) == ("incident", "RESULT_TOO_LARGE ask enr-1 1068946 bytes")
    assert gateway.count("CompleteJob") == 0


@pytest.mark.parametrize(("allowed", "left"), [(5, 1), (2, 1), (1, 0)])
async def test_the_task_may_allow_fewer_tries_than_the_diagram(allowed: int, left: int) -> None:
    @task("ask", retries=allowed)
    async def stumble(given: Ask) -> Answered:
        raise ValueError

    assert (await call(stumble, {"enrolment_id": "enr-1"}, retries=2))["retries"] == left


@pytest.mark.parametrize(
    ("variables", "faults"),
    [
        ({"enrolment_id": 7, "number": "x" * 10_000, "note": [PERSONAL]}, "enrolment_id: number: note:"),
        ({"enrolment_id": "enr-1", "number": 1.5e300}, "number:"),
        ({"enrolment_id": "enr-1", "number": {PERSONAL: PERSONAL}}, "number:"),
    ],
    ids=["all wrong", "a fraction", "an object"],
)
async def test_refused_input_names_every_field_and_quotes_nobody(variables: dict[str, object], faults: str) -> None:
    outcome = await call(ask, variables, services=NOBODY)

    assert (outcome["failed"], outcome["retries"]) == ("INPUT_REFUSED", 0)
    assert [word for word in outcome["text"].split() if word.endswith(":")] == faults.split()
    assert PERSONAL not in outcome["text"]
    assert len(outcome["text"]) < 200


async def test_input_deeper_than_anyone_can_read_is_an_incident(gateway: FakeGateway, open_diary: Diary) -> None:
    deep: object = 1
    for _ in range(900):
        deep = {"in": deep}

    job = await outcome(gateway, open_diary, raising(KeyError()), note=deep)

    assert (job.state, job.text.split()[0]) == ("incident", "INPUT_REFUSED")


@pytest.mark.parametrize("error", [SystemExit(PERSONAL), KeyboardInterrupt(PERSONAL)], ids=lambda e: type(e).__name__)
async def test_a_handler_that_wants_to_end_the_process_ends_itself_only(
    gateway: FakeGateway, open_diary: Diary, error: BaseException
) -> None:
    first = await outcome(gateway, open_diary, raising(error))
    second = await outcome(gateway, open_diary, lambda given: Answered(1))

    assert (first.state, first.text) == ("waiting", f"UNEXPECTED {type(error).__name__} ask enr-1")
    assert second.state == "completed"


async def test_a_code_made_of_data_reaches_neither_log_nor_incident(gateway: FakeGateway, open_diary: Diary) -> None:
    with capture_logs() as logs:
        job = await outcome(gateway, open_diary, raising(PermanentFailure(PERSONAL)))

    assert job.text == "CODE_REFUSED ask enr-1"
    assert PERSONAL not in str(logs)


async def test_a_task_can_be_called_without_an_engine(open_diary: Diary) -> None:
    variables = {"enrolment_id": "enr-1", "number": 41, "other": PERSONAL}
    done: Any = {Diary: open_diary, Answer: lambda given: Answered(given.number + 1)}
    refused: Any = {Diary: open_diary, Answer: raising(Rejected("NO_ANSWER"))}
    put_off: Any = {Diary: open_diary, Answer: raising(TemporaryFailure("MAIL_DOWN", retry_after_s=60))}

    assert (await call(ask, variables, services=done))["completed"]["number"] == 42
    assert open_diary.entries == [Ask("enr-1", 41)]
    assert await call(ask, variables, services=refused) == {"thrown": "NO_ANSWER", "text": "NO_ANSWER ask enr-1"}
    assert await call(ask, variables, services=put_off, retries=2) == {
        "failed": "MAIL_DOWN",
        "text": "MAIL_DOWN ask enr-1",
        "retries": 2,
        "wait_s": 63.0,
    }
