"""Workers are ended and begun anew under load: nothing waits for a lease, nothing is done twice.

A job that a worker took and did not give back is seen by the engine's own record TIMED_OUT when its lease runs out; its
journey cannot end before. So "all journeys have ended and no job timed out" leaves no job that waited.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import stamina

from tests.guarantees.worker_processes import QUEUE_WAIT_S, Workers, working
from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.client import ZeebeClient
from waggle.engine.local import RunningEngine
from waggle.engine.records import Ledger, RecordStream
from waggle.engine.records.record import JobValue
from waggle.errors import TemporaryFailure
from waggle.ports.journey_engine import EngineMessage

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.guarantee, pytest.mark.timeout(300)]

STEPS = {"one": "probe-quickly", "two": "probe-slowly", "three": "probe-quickly", "four": "probe-in-a-thread"}
TASK_TYPES = tuple(dict.fromkeys(STEPS.values()))
JOURNEYS_PER_S = 10
ROUNDS = 3
LEASE_S = 4 + QUEUE_WAIT_S
WORKERS = 3

BPMN = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="Definitions_Probe" targetNamespace="http://bpmn.io/schema/bpmn">
  <bpmn:message id="Message_Begun" name="{process_id}" />
  <bpmn:process id="{process_id}" isExecutable="true">
    <bpmn:startEvent id="Event_Start"><bpmn:outgoing>Flow_one</bpmn:outgoing>
      <bpmn:messageEventDefinition id="Definition_Start" messageRef="Message_Begun" /></bpmn:startEvent>
    {tasks}
    <bpmn:endEvent id="Event_End"><bpmn:incoming>Flow_end</bpmn:incoming></bpmn:endEvent>
    {flows}
  </bpmn:process>
</bpmn:definitions>
"""

TASK = """<bpmn:serviceTask id="Task_{step}"><bpmn:extensionElements><zeebe:taskDefinition type="{task_type}" />
      <zeebe:ioMapping><zeebe:input source="=&quot;{step}&quot;" target="step" /></zeebe:ioMapping>
      </bpmn:extensionElements><bpmn:incoming>Flow_{step}</bpmn:incoming><bpmn:outgoing>Flow_{following}</bpmn:outgoing>
    </bpmn:serviceTask>"""

FLOW = '<bpmn:sequenceFlow id="Flow_{flow}" sourceRef="{source}" targetRef="{target}" />'


def diagram(process_id: str) -> str:
    flows = [*STEPS, "end"]
    elements = ["Event_Start", *(f"Task_{step}" for step in STEPS), "Event_End"]
    following = zip(STEPS.items(), flows[1:], strict=True)
    return BPMN.format(
        process_id=process_id,
        tasks="\n    ".join(
            TASK.format(step=step, task_type=task_type, following=after) for (step, task_type), after in following
        ),
        flows="\n    ".join(
            FLOW.format(flow=flow, source=source, target=target)
            for flow, source, target in zip(flows, elements, elements[1:], strict=False)
        ),
    )


@dataclass
class Load:
    """Journeys that begin at a steady pace."""

    client: ZeebeClient
    process_id: str
    begun: list[str] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not stop.is_set():
            enrolment_id = f"{self.process_id}-{len(self.begun)}"
            start = EngineMessage(self.process_id, enrolment_id, enrolment_id, 60, {"enrolment_id": enrolment_id})
            # A machine that has too much to do may leave the engine without an answer for a while: a repeat is refused.
            async for attempt in stamina.retry_context(on=TemporaryFailure, attempts=None, timeout=60):
                with attempt:
                    await self.client.publish(start)
            self.begun.append(enrolment_id)
            await asyncio.sleep(max(0.0, began + len(self.begun) / JOURNEYS_PER_S - loop.time()))

    def calls_due(self) -> Counter[str]:
        """Return what the diary holds if every job of every journey was handed out once."""
        return Counter(f"{enrolment_id} {step}" for enrolment_id in self.begun for step in STEPS)


@asynccontextmanager
async def loaded(engine: RunningEngine, process_id: str, folder: Path) -> AsyncIterator[Load]:
    """Begin journeys while the context lasts."""
    file = folder / f"{process_id}.bpmn"
    file.write_text(diagram(process_id), encoding="utf-8")
    async with connect(GatewayAddress(engine.grpc_address)) as channel:
        client = ZeebeClient(channel, frozenset({"enrolment_id"}), address=engine.grpc_address)
        async for attempt in stamina.retry_context(on=TemporaryFailure, attempts=None, timeout=60):
            with attempt:
                await client.deploy([file])
        load = Load(client, process_id)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as running:
            running.create_task(load.run(stop))
            try:
                yield load
            finally:
                stop.set()


async def all_ended(records: RecordStream, workers: Workers, load: Load) -> None:
    """Return when every journey has ended; each needs a call for each step, so that none was missed."""

    def is_over(ledger: Ledger) -> bool:
        is_open = any(each.bpmn_process_id == load.process_id for each in ledger.open_instances.values())
        return not is_open and load.calls_due().keys() <= workers.calls().keys()

    await records.wait_until(is_over, timeout_s=150)


@asynccontextmanager
async def watched(records: RecordStream) -> AsyncIterator[list[str]]:
    """Give the list to which every lease that runs out while the context lasts is added, with its time and job."""
    found: list[str] = []

    async def watch() -> None:
        async for record in records:
            if isinstance(record.value, JobValue) and record.intent == "TIMED_OUT":
                found.append(f"{record.at:%H:%M:%S.%f} {record.value}")  # noqa: PERF401 -- no end

    watching = asyncio.create_task(watch())
    # Lets it begin to listen.
    await asyncio.sleep(0)
    try:
        yield found
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


# What the gateway pushes in the instant in which a stream is closed is lost to a lease: its protocol has no word for
# "no more". That instant is below a millisecond, unless processes wait for a processor that others have.
@pytest.mark.alone
async def test_a_rolling_restart_under_load_strands_no_job_and_repeats_none(
    engine: RunningEngine, records: RecordStream, tmp_path: Path
) -> None:
    async with (
        watched(records) as timed_out,
        working(tmp_path, engine.grpc_address, *TASK_TYPES, count=WORKERS) as workers,
    ):
        async with loaded(engine, "rolling", tmp_path) as load:
            for _ in range(ROUNDS):
                for worker in list(workers.running):
                    await workers.drained(worker)
                    await workers.start()
        await all_ended(records, workers, load)

    assert len(load.begun) > WORKERS * ROUNDS
    assert timed_out == [], f"leases last {LEASE_S:g} s; workers ended at {workers.ended}"
    assert workers.calls() == load.calls_due()


async def test_control_a_worker_that_is_killed_instead_lets_leases_run_out_and_jobs_repeat(
    engine: RunningEngine, records: RecordStream, tmp_path: Path
) -> None:
    async with (
        watched(records) as timed_out,
        working(tmp_path, engine.grpc_address, *TASK_TYPES, count=WORKERS) as workers,
    ):
        async with loaded(engine, "killed", tmp_path) as load:
            for worker in list(workers.running):
                await asyncio.sleep(1)
                await workers.killed(worker)
                await workers.start()
        await all_ended(records, workers, load)

    assert timed_out
    assert any(count > 1 for count in workers.calls().values())
