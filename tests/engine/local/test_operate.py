"""Operate beside the broker."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.engine import local
from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.local import EngineOptions, RunningEngine
from waggle.operate import open_incidents

STUCK = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="Definitions_Stuck" targetNamespace="http://bpmn.io/schema/bpmn">
  <bpmn:process id="stuck" isExecutable="true">
    <bpmn:startEvent id="Event_Start"><bpmn:outgoing>Flow_1</bpmn:outgoing></bpmn:startEvent>
    <bpmn:serviceTask id="Task_Stuck"><bpmn:extensionElements><zeebe:taskDefinition type="=nobody.knows" />
      </bpmn:extensionElements><bpmn:incoming>Flow_1</bpmn:incoming></bpmn:serviceTask>
    <bpmn:sequenceFlow id="Flow_1" sourceRef="Event_Start" targetRef="Task_Stuck" />
  </bpmn:process>
</bpmn:definitions>
"""

# The first start on a machine writes the search store's schema and makes class archives.
pytestmark = [pytest.mark.anyio, pytest.mark.operate, pytest.mark.engine, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def engine_with_operate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEngine]:
    home: Path = tmp_path_factory.mktemp("operate")
    try:
        yield local.start(EngineOptions(home, durable=False))
    finally:
        local.stop(home)


def test_what_was_prepared_is_not_prepared_again(engine_with_operate: RunningEngine) -> None:
    assert engine_with_operate.pids.keys() == {"broker", "search"}
    assert not local.prepare(with_operate=True)


def logs_in(engine: RunningEngine, user: str, password: str) -> bool:
    web = f"http://127.0.0.1:{engine.ports.web}"
    with httpx.Client(base_url=web, trust_env=False, timeout=30) as browser:
        browser.post("/api/login", data={"username": user, "password": password})
        return browser.get("/api/authentications/user").status_code == httpx.codes.OK


def test_operate_is_entered_with_the_generated_password_alone(engine_with_operate: RunningEngine) -> None:
    engine = engine_with_operate
    assert engine.operate_user
    assert engine.operate_password
    assert engine.operate_password not in repr(engine)
    assert logs_in(engine, engine.operate_user, engine.operate_password)
    for well_known in ("demo", "view", "act", engine.operate_user):
        assert not logs_in(engine, well_known, well_known)
    assert (engine.home / "operate-password").stat().st_mode & 0o077 == 0


def test_engine_operate_and_search_store_listen_on_loopback_only(engine_with_operate: RunningEngine) -> None:
    engine = engine_with_operate
    listening = [
        found
        for pid in engine.pids.values()
        for found in psutil.Process(pid).net_connections("tcp")
        if found.status == psutil.CONN_LISTEN
    ]
    assert {found.laddr.ip.removeprefix("::ffff:") for found in listening} == {"127.0.0.1"}
    assert {found.laddr.port for found in listening} == set(engine.ports.used(with_operate=True).values())


async def test_incidents_are_counted_by_journey_and_version(engine_with_operate: RunningEngine) -> None:
    engine = engine_with_operate
    async with connect(GatewayAddress(engine.grpc_address)) as channel:
        gateway: Any = GatewayStub(channel)
        resource = pb.Resource(name="stuck.bpmn", content=STUCK.encode())
        await gateway.DeployResource(pb.DeployResourceRequest(resources=[resource]))
        for _ in range(2):
            await gateway.CreateProcessInstance(pb.CreateProcessInstanceRequest(bpmnProcessId="stuck", version=-1))

    async with asyncio.timeout(120):
        while (found := await asyncio.to_thread(open_incidents, engine.home)) != {("stuck", 1): 2}:
            assert found is not None
            await asyncio.sleep(0.5)


def test_where_no_engine_of_ours_runs_nobody_is_asked_for_incidents(tmp_path: Path) -> None:
    assert open_incidents(tmp_path) is None
