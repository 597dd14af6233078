import asyncio
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.client import ZeebeClient
from waggle.engine.local import LocalClock, RunningEngine
from waggle.engine.worker import WorkerOptions, WorkerRuntime
from waggle.errors import PermanentFailure
from waggle.ports.journey_engine import EngineMessage
from waggle.task import Task, declared_task, task
from waggle.testing.bench import Diary
from waggle.testing.engine import once_it_can

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

# What the first task returns is what the second reads: a visit to the second proves that the first was completed.
DIAGRAM = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="Definitions_Relay" targetNamespace="http://bpmn.io/schema/bpmn">
  <bpmn:message id="Message_Begun" name="baton-passed" />
  <bpmn:process id="{process_id}" isExecutable="true">
    <bpmn:startEvent id="Event_Start"><bpmn:outgoing>Flow_1</bpmn:outgoing>
      <bpmn:messageEventDefinition id="Definition_Start" messageRef="Message_Begun" /></bpmn:startEvent>
    <bpmn:serviceTask id="Task_First">
      <bpmn:extensionElements><zeebe:taskDefinition type="carry-baton" /></bpmn:extensionElements>
      <bpmn:incoming>Flow_1</bpmn:incoming><bpmn:outgoing>Flow_2</bpmn:outgoing></bpmn:serviceTask>
    <bpmn:serviceTask id="Task_Second">
      <bpmn:extensionElements><zeebe:taskDefinition type="drop-baton" /></bpmn:extensionElements>
      <bpmn:incoming>Flow_2</bpmn:incoming><bpmn:outgoing>Flow_3</bpmn:outgoing></bpmn:serviceTask>
    <bpmn:endEvent id="Event_End"><bpmn:incoming>Flow_3</bpmn:incoming></bpmn:endEvent>
    <bpmn:sequenceFlow id="Flow_1" sourceRef="Event_Start" targetRef="Task_First" />
    <bpmn:sequenceFlow id="Flow_2" sourceRef="Task_First" targetRef="Task_Second" />
    <bpmn:sequenceFlow id="Flow_3" sourceRef="Task_Second" targetRef="Event_End" />
  </bpmn:process>
</bpmn:definitions>
"""


@dataclass(frozen=True, slots=True)
class CarryBaton:
    enrolment_id: str


@dataclass(frozen=True, slots=True)
class BatonCarried:
    steps: int
    settings: dict[str, str]


@dataclass(frozen=True, slots=True)
class DropBaton:
    enrolment_id: str
    steps: int
    settings: dict[str, str]


@dataclass(frozen=True, slots=True)
class BatonDropped:
    is_dropped: bool


@task("carry-baton")
async def carry_baton(given: CarryBaton) -> BatonCarried:
    return BatonCarried(steps=7, settings={"reply_window": "PT24H"})


@task("drop-baton")
async def drop_baton(given: DropBaton, diary: Diary) -> BatonDropped:
    await diary.visit(given)
    return BatonDropped(is_dropped=True)


def declared(*handlers: object) -> list[Task]:
    return [found for handler in handlers if (found := declared_task(handler)) is not None]


@pytest.mark.parametrize("stream", [False, True], ids=["polling", "streaming"])
async def test_a_message_starts_a_journey_and_its_tasks_are_done_once(
    engine: RunningEngine, tmp_path: Path, *, stream: bool
) -> None:
    process_id = "baton-streamed" if stream else "baton-polled"
    diagram = tmp_path / f"{process_id}.bpmn"
    diagram.write_text(DIAGRAM.format(process_id=process_id).replace("baton-passed", process_id))
    diary = Diary()
    diary.gate.set()
    async with connect(GatewayAddress(engine.grpc_address)) as channel:
        client = ZeebeClient(channel, frozenset({"enrolment_id"}), address=engine.grpc_address)
        runtime = WorkerRuntime(
            channel,
            declared(carry_baton, drop_baton),
            {Diary: diary},
            LocalClock(engine.home),
            WorkerOptions(stream=stream, poll_s=1),
        )
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(runtime.run(stop))

            [deployed] = await once_it_can(lambda: client.deploy([diagram]))
            assert (deployed.kind, deployed.name, deployed.version) == ("process", process_id, 1)
            assert await once_it_can(lambda: client.deploy([diagram])) == [deployed]

            for number in range(20):
                enrolment_id = f"{process_id}-{number}"
                start = EngineMessage(process_id, enrolment_id, enrolment_id, 60, {"enrolment_id": enrolment_id})
                # Where an answer is late it is published again in one and the same call.
                assert await once_it_can(partial(client.publish, start)) in {"published", "already_buffered"}
                assert await once_it_can(partial(client.publish, start)) == "already_buffered"
            await diary.until(lambda: len(diary.entries) == 20)
            stop.set()

    assert sorted(str(entry) for entry in diary.entries) == sorted(
        str(DropBaton(f"{process_id}-{number}", 7, {"reply_window": "PT24H"})) for number in range(20)
    )
    assert [counters.completed for counters in runtime.counters.values()] == [20, 20]
    assert [counters.late for counters in runtime.counters.values()] == [0, 0]


async def test_the_engine_says_who_it_is(engine: RunningEngine) -> None:
    async with connect(GatewayAddress(engine.grpc_address)) as channel, asyncio.timeout(90):
        client = ZeebeClient(channel, frozenset())
        # A broker whose clock has leaped finds itself unhealthy, for a minute or so.
        while not (topology := await client.topology()).is_ready:  # noqa: ASYNC110 -- the broker tells
            await asyncio.sleep(0.5)

    assert topology.gateway_version == engine.version


async def test_a_diagram_the_engine_refuses_comes_back_with_its_reason(engine: RunningEngine, tmp_path: Path) -> None:
    diagram = tmp_path / "broken.bpmn"
    diagram.write_text(DIAGRAM.format(process_id="broken").replace('type="drop-baton"', ""))

    async with connect(GatewayAddress(engine.grpc_address)) as channel:
        with pytest.raises(PermanentFailure, match="DIAGRAM_REFUSED") as refusal:
            await once_it_can(lambda: ZeebeClient(channel, frozenset()).deploy([diagram]))

    assert "Task_Second" in refusal.value.message
