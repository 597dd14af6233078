import asyncio
from collections import Counter
from typing import Any

import pytest
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.local import RunningEngine

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

TASK_TYPE = "try-again"
INSTANCES = 40
TIMES = 20
WITHIN_S = 60.0
DIAGRAM = f"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="Definitions_Again" targetNamespace="http://bpmn.io/schema/bpmn">
  <bpmn:process id="{TASK_TYPE}" isExecutable="true">
    <bpmn:startEvent id="Event_Start"><bpmn:outgoing>Flow_1</bpmn:outgoing></bpmn:startEvent>
    <bpmn:serviceTask id="Task_Again">
      <bpmn:extensionElements><zeebe:taskDefinition type="{TASK_TYPE}" /></bpmn:extensionElements>
      <bpmn:incoming>Flow_1</bpmn:incoming><bpmn:outgoing>Flow_2</bpmn:outgoing></bpmn:serviceTask>
    <bpmn:endEvent id="Event_End"><bpmn:incoming>Flow_2</bpmn:incoming></bpmn:endEvent>
    <bpmn:sequenceFlow id="Flow_1" sourceRef="Event_Start" targetRef="Task_Again" />
    <bpmn:sequenceFlow id="Flow_2" sourceRef="Task_Again" targetRef="Event_End" />
  </bpmn:process>
</bpmn:definitions>
"""


async def test_a_job_that_fails_again_and_again_is_handed_out_again_each_time(engine: RunningEngine) -> None:
    """Without the vendor's later classes (`waggle.engine.local.retries`) some are lost at their second failure."""
    failed: Counter[int] = Counter()
    done = 0
    async with connect(GatewayAddress(engine.grpc_address)) as channel:
        gateway: Any = GatewayStub(channel)
        resource = pb.Resource(name=f"{TASK_TYPE}.bpmn", content=DIAGRAM.encode())
        await gateway.DeployResource(pb.DeployResourceRequest(resources=[resource]))

        async def answer(job: pb.ActivatedJob) -> None:
            nonlocal done
            if failed[job.key] < TIMES:
                failed[job.key] += 1
                await gateway.FailJob(pb.FailJobRequest(jobKey=job.key, retries=5, retryBackOff=20))
            else:
                await gateway.CompleteJob(pb.CompleteJobRequest(jobKey=job.key))
                done += 1

        await asyncio.gather(
            *(
                gateway.CreateProcessInstance(pb.CreateProcessInstanceRequest(bpmnProcessId=TASK_TYPE, version=-1))
                for _ in range(INSTANCES)
            )
        )
        wanted = pb.ActivateJobsRequest(type=TASK_TYPE, worker="test", timeout=600_000, maxJobsToActivate=5)
        end_s = asyncio.get_running_loop().time() + WITHIN_S
        while done < INSTANCES and asyncio.get_running_loop().time() < end_s:
            async for response in gateway.ActivateJobs(wanted):
                await asyncio.gather(*(answer(job) for job in response.jobs))
    assert done == INSTANCES, sorted(Counter(failed.values()).items())
