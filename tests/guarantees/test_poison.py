"""Of poisoned jobs each becomes an incident that says what to mend and quotes nobody; the good ones are done."""

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
import stamina
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from tests.guarantees.poison_tasks import ACTS
from tests.guarantees.worker_processes import working
from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.local import RunningEngine
from waggle.engine.records import IncidentValue, Ledger, RecordStream

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.guarantee, pytest.mark.timeout(300)]

JOBS, POISONED = 2000, 100
# Whoever of these turns up in an incident or a log was quoted.
CANARIES = ("ada.quellwort@example.com", "+48 600 700 800", "Quellwort")
CANARY = f"Ada {CANARIES[2]} <{CANARIES[0]}> {CANARIES[1]}"

BPMN = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="Definitions_Meal" targetNamespace="http://bpmn.io/schema/bpmn">
  <bpmn:process id="{process_id}" isExecutable="true">
    <bpmn:startEvent id="Event_Start"><bpmn:outgoing>Flow_1</bpmn:outgoing></bpmn:startEvent>
    <bpmn:serviceTask id="Task_Swallow">
      <bpmn:extensionElements><zeebe:taskDefinition type="{task_type}" /></bpmn:extensionElements>
      <bpmn:incoming>Flow_1</bpmn:incoming><bpmn:outgoing>Flow_2</bpmn:outgoing></bpmn:serviceTask>
    <bpmn:endEvent id="Event_End"><bpmn:incoming>Flow_2</bpmn:incoming></bpmn:endEvent>
    <bpmn:sequenceFlow id="Flow_1" sourceRef="Event_Start" targetRef="Task_Swallow" />
    <bpmn:sequenceFlow id="Flow_2" sourceRef="Task_Swallow" targetRef="Event_End" />
  </bpmn:process>
</bpmn:definitions>
"""


@dataclass(frozen=True)
class Poison:
    """Variables of a job, and what the incident has to say."""

    what: str
    variables: dict[str, object]
    says: str
    """A regular expression."""


GOOD: dict[str, object] = {"act": "good", "text": "apple", "count": 1, "settings": {"taste": "sweet"}}


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in GOOD.items() if key != name}


def nested(depth: int, inside: object) -> object:
    for _ in range(depth):
        inside = [inside]
    return inside


INPUTS = [
    Poison("a text for a number", {**GOOD, "count": CANARY}, r"INPUT_REFUSED swallow {id} .*count"),
    Poison("a fraction for a number", {**GOOD, "count": 1.5}, r"INPUT_REFUSED swallow {id} .*count"),
    Poison("too many bits for a number", {**GOOD, "count": 1e300}, r"INPUT_REFUSED swallow {id} .*count"),
    Poison("null", {**GOOD, "text": None}, r"INPUT_REFUSED swallow {id} .*text"),
    Poison("nothing", without("text"), r"INPUT_REFUSED swallow {id} .*text"),
    Poison("an object for a text", {**GOOD, "text": {CANARY: CANARY}}, r"INPUT_REFUSED swallow {id} .*text"),
    Poison("wrong inside", {**GOOD, "settings": {CANARY: [CANARY]}}, r"INPUT_REFUSED swallow {id} .*settings"),
    Poison("nested deep", {**GOOD, "text": nested(900, CANARY)}, r"INPUT_REFUSED swallow {id} .*text"),
    Poison("large and wrong", {**GOOD, "count": CANARY * 20_000}, r"INPUT_REFUSED swallow {id} .*count"),
    Poison(
        "an id that quotes", {**GOOD, "act": "an unknown outcome", "enrolment_id": CANARY}, r"ANSWER_LOST swallow -"
    ),
    Poison("an id that is none", {**GOOD, "enrolment_id": {"mail": CANARY}}, r"INPUT_REFUSED swallow - .*enrolment_id"),
    Poison(
        "a null byte in the id", {**GOOD, "act": "no end", "enrolment_id": "e\0-1"}, r"TIMED_OUT swallow - after 3 s"
    ),
]
SAID_BY_ACTS = {
    "an error that quotes": "UNEXPECTED ValueError",
    "an error that quotes as its code": "CODE_REFUSED",
    "an error without words": "UNEXPECTED _Unspeakable|UNEXPECTED -",
    "a group of errors": "UNEXPECTED ExceptionGroup",
    "a code nobody declared": "NO_SUCH_CODE",
    "a code that quotes": "CODE_REFUSED",
    "a code nobody catches": "BAD_TASTE",
    "an unknown outcome": "ANSWER_LOST",
    "an end of the program": "UNEXPECTED SystemExit",
    "an interrupt": "UNEXPECTED KeyboardInterrupt",
    "a cancellation of its own": "UNEXPECTED CancelledError",
    "a recursion without end": "UNEXPECTED RecursionError",
    "a name with a null byte": "UNEXPECTED ValueError",
    "no end": "TIMED_OUT",
    "a result that is no data": "RESULT_REFUSED",
    "a result that quotes": "VARIABLE_REFUSED",
    "a result with a key that quotes": "VARIABLE_REFUSED",
    "a result with half a character": "RESULT_REFUSED|VARIABLE_REFUSED",
    "a result that is no number": "RESULT_REFUSED|VARIABLE_REFUSED",
    "a result of too many bits": "RESULT_REFUSED|VARIABLE_REFUSED",
    "a result in a circle": "RESULT_REFUSED",
    "a result nested too deep": "RESULT_REFUSED",
    "a result far too large": "RESULT_TOO_LARGE",
}
POISONS = INPUTS + [
    Poison(act, {**GOOD, "act": act, "text": CANARY}, f"({SAID_BY_ACTS[act]}) swallow {{id}}") for act in ACTS
]


@dataclass
class Table:
    """Serves jobs and reads the incidents that they become."""

    gateway: Any
    records: RecordStream
    process_id: str

    async def deploy(self, task_type: str) -> None:
        content = BPMN.format(process_id=self.process_id, task_type=task_type).encode()
        resource = pb.Resource(name=f"{self.process_id}.bpmn", content=content)
        request = pb.DeployResourceRequest(resources=[resource])
        # A machine that has too much to do may leave the engine without an answer for a while.
        async for attempt in stamina.retry_context(on=_is_away, attempts=None, timeout=60):
            with attempt:
                await self.gateway.DeployResource(request)

    async def serve(self, meals: Sequence[dict[str, object]]) -> list[int]:
        """Begin one journey for each and return their keys, in order."""
        together = asyncio.Semaphore(16)

        async def begin(variables: dict[str, object]) -> int:
            request = pb.CreateProcessInstanceRequest(
                bpmnProcessId=self.process_id, version=-1, variables=json.dumps(variables)
            )
            async with together:
                return await self._begin(request)

        return await asyncio.gather(*(begin(meal) for meal in meals))

    async def until_stuck(self, count: int, keys: Sequence[int]) -> None:
        """Return when *count* of the journeys have incidents and all others have ended, or in vain after 150 s."""

        ours = frozenset(keys)

        def is_over(ledger: Ledger) -> bool:
            # First what is soon counted: this is asked at every record.
            stuck = {each.process_instance_key for each in ledger.incidents.values()} & ours
            return len(stuck) == count and all(
                key in stuck or ledger.elements(key)[-1:] == [self.process_id] for key in keys
            )

        # Which are missing is told better by those who know what each was.
        with contextlib.suppress(TimeoutError):
            await self.records.wait_until(is_over, timeout_s=150)

    async def _begin(self, request: pb.CreateProcessInstanceRequest) -> int:
        while True:
            try:
                return int((await self.gateway.CreateProcessInstance(request)).processInstanceKey)
            except grpc.aio.AioRpcError as error:
                # The engine pushes back when it is busy.
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED and not _is_away(error):
                    raise
            await asyncio.sleep(0.1)

    def incidents(self) -> dict[int, IncidentValue]:
        """Return them by process instance."""
        with self.records.ledger() as ledger:
            found = [each for each in ledger.incidents.values() if each.bpmn_process_id == self.process_id]
        assert len(found) == len({each.process_instance_key for each in found})
        return {each.process_instance_key: each for each in found}

    async def clear(self) -> None:
        for key in self.incidents():
            await self.gateway.CancelProcessInstance(pb.CancelProcessInstanceRequest(processInstanceKey=key))


def _is_away(error: Exception) -> bool:
    return isinstance(error, grpc.aio.AioRpcError) and error.code() is grpc.StatusCode.UNAVAILABLE


@asynccontextmanager
async def table(engine: RunningEngine, records: RecordStream, process_id: str) -> AsyncIterator[Table]:
    async with connect(GatewayAddress(engine.grpc_address)) as channel:
        table = Table(GatewayStub(channel), records, process_id)
        yield table
        # What is stuck would be met by the tests after this one.
        await table.clear()


def quoted(texts: Sequence[str]) -> list[str]:
    """Return those in which a person is quoted."""
    return [text for text in texts if any(canary in text for canary in CANARIES)]


def meals() -> tuple[list[dict[str, object]], dict[int, Poison]]:
    """Return the variables of all jobs, and which of them are poisoned: every twentieth."""
    every: list[dict[str, object]] = []
    poisoned: dict[int, Poison] = {}
    for number in range(JOBS):
        variables = {"enrolment_id": f"meal-{number}", **GOOD}
        if number % (JOBS // POISONED) == 0:
            poisoned[number] = POISONS[len(poisoned) % len(POISONS)]
            variables = {"enrolment_id": f"meal-{number}", **poisoned[number].variables}
        every.append(variables)
    return every, poisoned


async def test_every_poisoned_job_becomes_an_incident_that_quotes_nobody_and_the_rest_is_done(
    engine: RunningEngine, records: RecordStream, tmp_path: Path
) -> None:
    every, poisoned = meals()
    async with (
        table(engine, records, "meal") as served,
        working(tmp_path, engine.grpc_address, "swallow", count=1) as workers,
    ):
        [worker] = workers.running
        await served.deploy("swallow")
        keys = await served.serve(every)
        await served.until_stuck(len(poisoned), keys)

        incidents = served.incidents()
        assert worker.process.returncode is None, worker.said()
        await workers.drained(worker)

    assert {poison.what for number, poison in poisoned.items() if keys[number] not in incidents} == set()
    assert len(incidents) == len(poisoned)
    texts = {number: incidents[keys[number]].error_message for number in poisoned}
    silent = {
        f"{poison.what}: {texts[number]!r}"
        for number, poison in poisoned.items()
        if not re.search(poison.says.format(id=f"meal-{number}"), texts[number])
    }
    assert silent == set()
    assert quoted([*texts.values(), *workers.said().splitlines()]) == []
    assert workers.calls() == Counter(f"meal-{number}" for number in range(JOBS) if number not in poisoned)


async def test_control_a_naive_worker_quotes_people_and_is_caught_by_the_same_look(
    engine: RunningEngine, records: RecordStream
) -> None:
    def deliver(text: str) -> None:
        raise ValueError(f"cannot write to {text}")

    async with table(engine, records, "naive-meal") as served:
        await served.deploy("swallow-naively")
        keys = await served.serve([{"text": CANARY}])
        await work_naively(served.gateway, "swallow-naively", deliver)
        await served.until_stuck(1, keys)

        texts = [incident.error_message for incident in served.incidents().values()]

    assert len(quoted(texts)) == 1


async def work_naively(gateway: Any, task_type: str, handler: Callable[[str], None]) -> None:  # noqa: ANN401 -- untyped
    """Do one job as many workers are written: whatever the error says is told to the engine."""
    request = pb.ActivateJobsRequest(
        type=task_type, worker="naive", timeout=5000, maxJobsToActivate=1, requestTimeout=10_000
    )
    async for answer in gateway.ActivateJobs(request):
        for job in answer.jobs:
            try:
                handler(cast("str", json.loads(job.variables)["text"]))
            except ValueError as error:
                await gateway.FailJob(pb.FailJobRequest(jobKey=job.key, retries=0, errorMessage=str(error)))
