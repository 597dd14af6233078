"""Records of the real engine, and of a fake one where the real one cannot be made to err."""

import asyncio
import json

import grpc
import httpx
import pytest
from pyzeebe.proto.gateway_pb2 import CreateProcessInstanceRequest, DeployResourceRequest, Resource
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.engine.local import RunningEngine, advance_clock
from waggle.engine.records import ElementValue, Ledger, RecordStream
from waggle.testing.engine import once_it_can

pytestmark = pytest.mark.anyio

DIAGRAM = b"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    id="Definitions_Seen" targetNamespace="http://bpmn.io/schema/bpmn">
  <bpmn:process id="seen" isExecutable="true">
    <bpmn:startEvent id="Event_Start"><bpmn:outgoing>Flow_1</bpmn:outgoing></bpmn:startEvent>
    <bpmn:sequenceFlow id="Flow_1" sourceRef="Event_Start" targetRef="Event_Wait" />
    <bpmn:intermediateCatchEvent id="Event_Wait">
      <bpmn:incoming>Flow_1</bpmn:incoming><bpmn:outgoing>Flow_2</bpmn:outgoing>
      <bpmn:timerEventDefinition id="Definition_Wait"><bpmn:timeDuration
        xsi:type="bpmn:tFormalExpression">PT30S</bpmn:timeDuration></bpmn:timerEventDefinition>
    </bpmn:intermediateCatchEvent>
    <bpmn:sequenceFlow id="Flow_2" sourceRef="Event_Wait" targetRef="Task_Nobody" />
    <bpmn:serviceTask id="Task_Nobody">
      <bpmn:extensionElements><zeebe:taskDefinition type="done-by-nobody" /></bpmn:extensionElements>
      <bpmn:incoming>Flow_2</bpmn:incoming></bpmn:serviceTask>
  </bpmn:process>
</bpmn:definitions>
"""


async def start_seen(engine: RunningEngine) -> int:
    async with grpc.aio.insecure_channel(engine.grpc_address) as channel:
        gateway = GatewayStub(channel)
        resources = DeployResourceRequest(resources=[Resource(name="seen.bpmn", content=DIAGRAM)])
        await once_it_can(lambda: gateway.DeployResource(resources))
        request = CreateProcessInstanceRequest(bpmnProcessId="seen", version=-1, variables='{"enrolment_id": "e-1"}')
        created = await once_it_can(lambda: gateway.CreateProcessInstance(request))
        return int(created.processInstanceKey)


def has_job(ledger: Ledger, instance: int) -> bool:
    return any(job.process_instance_key == instance for job in ledger.jobs.values())


@pytest.mark.engine
async def test_what_the_engine_does_is_seen_while_it_happens(engine: RunningEngine, records: RecordStream) -> None:
    instance = await start_seen(engine)
    await records.wait_until(lambda ledger: ledger.active_elements(instance) == ["Event_Wait"])
    with records.ledger() as ledger:
        assert ledger.open_instances[instance].bpmn_process_id == "seen"
        timer = next(timer for timer in ledger.timers.values() if timer.process_instance_key == instance)
        assert timer.target_element_id == "Event_Wait"
        first_due_at = ledger.next_due_at()
        assert first_due_at is not None
        assert first_due_at <= timer.due_at
    advance_clock(engine.home, 31)
    await records.wait_until(lambda ledger: has_job(ledger, instance))
    with records.ledger() as ledger:
        assert ledger.elements(instance) == ["Event_Start", "Event_Wait"]
        assert ledger.flows(instance) == ["Flow_1", "Flow_2"]


@pytest.mark.engine
async def test_a_stream_that_was_away_is_told_what_it_missed(engine: RunningEngine, records: RecordStream) -> None:
    records.__exit__(None, None, None)
    instance = await start_seen(engine)
    records.__enter__()
    await records.wait_until(lambda ledger: ledger.active_elements(instance) == ["Event_Wait"], timeout_s=90)


@pytest.mark.engine
async def test_a_record_that_came_before_the_wait_is_found(engine: RunningEngine, records: RecordStream) -> None:
    instance = await start_seen(engine)
    await records.wait_until(lambda ledger: ledger.active_elements(instance) == ["Event_Wait"])
    found = await records.wait_for(
        lambda record: (
            isinstance(record.value, ElementValue)
            and record.value.process_instance_key == instance
            and record.value.element_id == "Event_Start"
        ),
        timeout_s=0.1,
    )
    assert found.intent == "ELEMENT_ACTIVATING"


def bulk(*positions: int, intent: str = "ELEMENT_ACTIVATED") -> bytes:
    """Return a bulk request with one root element a position, as the exporter writes it."""
    lines = []
    for position in positions:
        value = {
            "bpmnProcessId": "seen",
            "version": 1,
            "processDefinitionKey": 1,
            "processInstanceKey": 7,
            "elementId": "seen",
            "bpmnElementType": "PROCESS",
            "flowScopeKey": -1,
            "parentProcessInstanceKey": -1,
            "tenantId": "<default>",
        }
        record = {
            "partitionId": 1,
            "position": position,
            "key": 7,
            "timestamp": 1_700_000_000_000,
            "valueType": "PROCESS_INSTANCE",
            "intent": intent,
            "value": value,
        }
        lines += [json.dumps({"index": {"_index": "zeebe-record"}}), json.dumps(record)]
    return "\n".join([*lines, ""]).encode()


async def post(stream: RecordStream, body: bytes) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(f"{stream.url}/_bulk", content=body)


async def test_a_record_that_is_sent_twice_is_taken_once() -> None:
    with RecordStream() as stream:
        await post(stream, bulk(1))
        await post(stream, bulk(1, 2, intent="ELEMENT_COMPLETED"))
        await post(stream, bulk(2, intent="ELEMENT_COMPLETED"))
        with stream.ledger() as ledger:
            assert ledger.ended_instances == 1
            assert ledger.open_instances == {}


def job_records(*intents: str) -> bytes:
    """Return a bulk request that tells of one job."""
    value = {
        "type": "ask-nobody",
        "retries": 3,
        "errorCode": "",
        "bpmnProcessId": "seen",
        "processInstanceKey": 7,
        "elementId": "Task_Nobody",
        "elementInstanceKey": 8,
    }
    lines = []
    for position, intent in enumerate(intents):
        record = {
            "partitionId": 1,
            "position": position,
            "key": 9,
            "timestamp": 1_700_000_000_000,
            "valueType": "JOB",
            "intent": intent,
            "value": value,
        }
        lines += [json.dumps({"index": {}}), json.dumps(record)]
    return "\n".join([*lines, ""]).encode()


async def test_a_lease_that_ran_out_is_counted_and_its_job_stays_open() -> None:
    with RecordStream() as stream:
        await post(stream, job_records("CREATED", "TIMED_OUT", "TIMED_OUT"))
        with stream.ledger() as ledger:
            assert ledger.timed_out_jobs == {"ask-nobody": 2}
            assert list(ledger.jobs) == [9]


async def test_records_are_iterated_as_they_arrive() -> None:
    with RecordStream() as stream:

        async def positions() -> list[int]:
            found = []
            async for record in stream:
                found.append(record.position)
                if record.position == 3:
                    break
            return found

        reader = asyncio.create_task(positions())
        await asyncio.sleep(0)
        await post(stream, bulk(1, 2))
        await post(stream, bulk(3))
        assert await asyncio.wait_for(reader, 60) == [1, 2, 3]


async def test_a_record_that_is_not_understood_does_not_stop_the_engine() -> None:
    with RecordStream() as stream:
        answer = await post(stream, b'{"index": {}}\n{"no": "record"}\n')
        assert answer.json()["errors"] is False
        assert len(answer.json()["items"]) == 1


async def test_what_is_not_seen_in_time_is_told_with_what_was() -> None:
    with RecordStream() as stream:
        await post(stream, bulk(1))
        with pytest.raises(TimeoutError, match="ELEMENT_ACTIVATED seen"):
            await stream.wait_until(lambda ledger: not ledger.open_instances, timeout_s=0.05)
