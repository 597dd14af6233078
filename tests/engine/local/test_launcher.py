"""Starting, finding again and stopping the real broker."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import psutil
import pytest
import stamina
from pyzeebe.proto.gateway_pb2 import CreateProcessInstanceRequest, DeployResourceRequest, Resource
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.engine import local
from waggle.engine.local import EngineOptions, LocalClock, RunningEngine
from waggle.engine.local.ports import taken
from waggle.engine.local.state import State, read, write
from waggle.engine.records import Ledger, RecordStream
from waggle.errors import BadSettings
from waggle.testing.engine import BUSY_FOR_S, is_busy

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

PARENT = """
import sys, time
from pathlib import Path
from waggle.engine import local
local.start(local.EngineOptions(Path(sys.argv[1]), with_operate=False, controlled_clock=True, quick=True,
                                records_url=sys.argv[2]))
print("started", flush=True)
time.sleep(600)
"""

DIAGRAM = b"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" id="Definitions_Wait" targetNamespace="http://bpmn.io/schema/bpmn">
  <bpmn:process id="wait-a-day" isExecutable="true">
    <bpmn:startEvent id="Event_Start"><bpmn:outgoing>Flow_1</bpmn:outgoing></bpmn:startEvent>
    <bpmn:sequenceFlow id="Flow_1" sourceRef="Event_Start" targetRef="Event_Wait" />
    <bpmn:intermediateCatchEvent id="Event_Wait">
      <bpmn:incoming>Flow_1</bpmn:incoming><bpmn:outgoing>Flow_2</bpmn:outgoing>
      <bpmn:timerEventDefinition id="Definition_Wait"><bpmn:timeDuration
        xsi:type="bpmn:tFormalExpression">P1D</bpmn:timeDuration></bpmn:timerEventDefinition>
    </bpmn:intermediateCatchEvent>
    <bpmn:sequenceFlow id="Flow_2" sourceRef="Event_Wait" targetRef="Event_End" />
    <bpmn:endEvent id="Event_End"><bpmn:incoming>Flow_2</bpmn:incoming></bpmn:endEvent>
  </bpmn:process>
</bpmn:definitions>
"""


@pytest.fixture(scope="module")
def stream() -> Iterator[RecordStream]:
    with RecordStream() as stream:
        yield stream


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory, stream: RecordStream) -> Iterator[EngineOptions]:
    """Yield how the engine of this module is started; each test finds it as the one before left it."""
    home = tmp_path_factory.mktemp("engine")
    yield EngineOptions(home, with_operate=False, controlled_clock=True, quick=True, records_url=stream.url)
    local.stop(home)


def start_waiting(engine: RunningEngine) -> int:
    """Start an instance that waits for a day and return its key."""
    with grpc.insecure_channel(engine.grpc_address) as channel:
        gateway = GatewayStub(channel)
        resources = DeployResourceRequest(resources=[Resource(name="wait-a-day.bpmn", content=DIAGRAM)])
        request = CreateProcessInstanceRequest(bpmnProcessId="wait-a-day", version=-1)
        for attempt in stamina.retry_context(on=is_busy, attempts=None, timeout=BUSY_FOR_S):
            with attempt:
                gateway.DeployResource(resources)
                created = gateway.CreateProcessInstance(request)
        return int(created.processInstanceKey)


def broker_now(engine: RunningEngine) -> datetime:
    answer = httpx.get(f"{engine.monitoring_url}/actuator/clock", trust_env=False, timeout=60).json()
    return datetime.fromtimestamp(answer["epochMilli"] / 1000, UTC)


def test_an_engine_whose_parent_was_killed_is_adopted(options: EngineOptions) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(options.home), str(options.records_url)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        assert "started" in parent.stdout.read(len("started")) or parent.stdout.readline()
        left = local.status(options.home)
        parent.kill()
    assert left.state == "running"
    engine = local.start(options)
    assert engine.was_adopted
    assert engine.pids == left.pids
    assert engine.grpc_address == left.grpc_address


def test_an_engine_whose_clock_has_just_leapt_is_adopted_though_it_looks_stuck_to_itself(
    options: EngineOptions,
) -> None:
    local.start(options)
    local.advance_clock(options.home, 86_400)

    adopted = local.adopt(options)

    assert adopted is not None
    assert adopted.was_adopted
    assert local.adopt(replace(options, records_together=7)) is None


def test_processes_that_a_killed_start_had_not_noted_are_ended(options: EngineOptions) -> None:
    engine = local.start(options)
    known = read(options.home)
    assert known is not None
    write(State(known.options, known.ports, children=(), is_complete=False))
    again = local.start(options)
    assert not again.was_adopted
    assert not psutil.pid_exists(engine.pid)
    assert again.ports == engine.ports or taken(engine.ports, with_operate=False)


def test_a_process_that_got_the_number_of_one_of_ours_is_left_alone(options: EngineOptions, tmp_path: Path) -> None:
    engine = local.start(options)
    known = read(options.home)
    assert known is not None
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as bystander:
        ours = known.children[0]
        theirs = type(ours)(ours.name, bystander.pid, ours.created_at_s)
        foreign = EngineOptions(tmp_path, with_operate=False)
        write(State(foreign, known.ports, children=(theirs,), is_complete=True))
        assert not local.stop(tmp_path)
        assert bystander.poll() is None
        bystander.kill()
    assert psutil.pid_exists(engine.pid)


def test_everything_listens_on_loopback_only(options: EngineOptions) -> None:
    engine = local.start(options)
    process = psutil.Process(engine.pid)
    listening = [found for found in process.net_connections("tcp") if found.status == psutil.CONN_LISTEN]
    # The engine's own UDP socket; others, on ports that the system picks, ask name servers.
    gossip = [found for found in process.net_connections("udp") if found.laddr.port == engine.ports.internal]
    assert {found.laddr.ip.removeprefix("::ffff:") for found in (*listening, *gossip)} == {"127.0.0.1"}
    assert {found.laddr.port for found in listening} == set(engine.ports.used(with_operate=False).values())
    assert len(gossip) == 1


async def test_a_killed_broker_comes_back_with_its_time_and_its_journeys(
    options: EngineOptions, stream: RecordStream
) -> None:
    engine = local.start(options)
    journey = start_waiting(engine)

    def waits(ledger: Ledger) -> bool:
        return any(timer.process_instance_key == journey for timer in ledger.timers.values())

    await stream.wait_until(waits)
    local.advance_clock(options.home, 3600)
    os.kill(engine.pid, signal.SIGKILL)
    again = local.start(options)
    assert not again.was_adopted
    clock = LocalClock(options.home)
    # It lags by what calls take, and the machine's own clock may be set back a little in between.
    assert clock.now() - timedelta(seconds=60) < broker_now(again) <= clock.now() + timedelta(seconds=2)
    local.advance_clock(options.home, timedelta(days=1).total_seconds())
    await stream.wait_until(lambda ledger: journey not in ledger.open_instances)
    with stream.ledger() as ledger:
        assert ledger.elements(journey) == ["Event_Start", "Event_Wait", "Event_End", "wait-a-day"]


async def test_data_survives_stop_and_start(options: EngineOptions, stream: RecordStream) -> None:
    engine = local.start(options)
    journey = start_waiting(engine)
    assert local.stop(options.home)
    assert local.status(options.home).state == "stopped"
    again = local.start(options)
    # Other tests start engines, too, and one may have taken the ports meanwhile.
    assert again.ports == engine.ports or taken(engine.ports, with_operate=False)
    local.advance_clock(options.home, timedelta(days=1).total_seconds())
    await stream.wait_until(lambda ledger: "wait-a-day" in ledger.elements(journey))


def test_data_of_a_simulated_future_is_not_taken_into_the_present(options: EngineOptions) -> None:
    local.start(options)
    local.advance_clock(options.home, 1)
    with pytest.raises(BadSettings) as raised:
        local.start(EngineOptions(options.home, with_operate=False))
    assert raised.value.code == "CLOCK_WAS_MOVED"
