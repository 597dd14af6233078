from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from waggle.engine.channel import GatewayAddress, OAuthClient, connect
from waggle.engine.client import ZeebeClient
from waggle.errors import BadSettings, PermanentFailure, TemporaryFailure, WaggleError
from waggle.ports.journey_engine import Deployed, EngineMessage
from waggle.testing.gateway import FakeGateway

pytestmark = pytest.mark.anyio

PERSONAL = "jane.doe@example.com"
START = EngineMessage("cart-updated", "enr-1", "enr-1", 600, {"enrolment_id": "enr-1"})


@dataclass(frozen=True)
class Setup:
    gateway: FakeGateway
    client: ZeebeClient


@pytest.fixture
async def setup() -> AsyncIterator[Setup]:
    async with FakeGateway.serving() as gateway, connect(GatewayAddress(gateway.address)) as channel:
        yield Setup(gateway, ZeebeClient(channel, frozenset({"enrolment_id"}), address=gateway.address))


async def test_a_published_message_carries_its_keys_time_to_live_and_variables(setup: Setup) -> None:
    assert await setup.client.publish(START) == "published"

    [request] = setup.gateway.requests("PublishMessage")
    assert (request.name, request.correlationKey, request.messageId) == ("cart-updated", "enr-1", "enr-1")
    assert request.timeToLive == 600_000
    assert request.variables == '{"enrolment_id":"enr-1"}'


async def test_a_repeated_message_is_known_to_the_engine(setup: Setup) -> None:
    await setup.client.publish(START)

    assert await setup.client.publish(START) == "already_buffered"


async def test_a_message_whose_answer_was_lost_is_published_once(setup: Setup) -> None:
    setup.gateway.lose_answer("PublishMessage")

    assert await setup.client.publish(START) == "already_buffered"
    assert len(setup.gateway.messages) == 1


@pytest.mark.parametrize("code", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE])
async def test_publishing_outlasts_a_short_trouble(setup: Setup, code: grpc.StatusCode) -> None:
    setup.gateway.refuse("PublishMessage", code, times=3)

    assert await setup.client.publish(START) == "published"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "ENGINE_BUSY"),
        (grpc.StatusCode.UNAVAILABLE, "ENGINE_UNREACHABLE"),
        (grpc.StatusCode.UNAUTHENTICATED, "ENGINE_REFUSED_LOGIN"),
        (grpc.StatusCode.INTERNAL, "ENGINE_FAILED"),
    ],
)
async def test_a_trouble_that_lasts_is_temporary_for_the_caller(
    setup: Setup, status: grpc.StatusCode, code: str
) -> None:
    setup.gateway.refuse("PublishMessage", status, times=9)

    with pytest.raises(TemporaryFailure) as failure:
        await setup.client.publish(START)

    assert failure.value.code == code
    assert setup.gateway.address in failure.value.message


@pytest.mark.parametrize(
    ("status", "details", "code"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, "name is blank", "MESSAGE_REFUSED"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "gRPC message exceeds maximum size 4194304", "TOO_LARGE_FOR_THE_ENGINE"),
        (grpc.StatusCode.UNKNOWN, "EXCEEDED_BATCH_RECORD_SIZE", "TOO_LARGE_FOR_THE_ENGINE"),
    ],
)
async def test_a_message_the_engine_will_never_take_is_not_tried_again(
    setup: Setup, status: grpc.StatusCode, details: str, code: str
) -> None:
    setup.gateway.refuse("PublishMessage", status, details)

    with pytest.raises(PermanentFailure, match=code):
        await setup.client.publish(START)

    assert setup.gateway.count("PublishMessage") == 1


@pytest.mark.parametrize(
    "message",
    [
        EngineMessage("cart-updated", PERSONAL, "m", 60),
        EngineMessage("cart-updated", "enr-1", f"{PERSONAL}-enr-1", 60),
        EngineMessage("cart-updated", "enr-1", "m", 60, {"enrolment_id": PERSONAL}),
        EngineMessage("cart-updated", "enr-1", "m", 60, {"email": "j"}),
    ],
)
async def test_no_message_takes_a_person_into_the_engine(setup: Setup, message: EngineMessage) -> None:
    with pytest.raises(PermanentFailure, match="VARIABLE_REFUSED") as refusal:
        await setup.client.publish(message)

    assert PERSONAL not in str(refusal.value)
    assert setup.gateway.calls == []


async def test_an_engine_that_is_away_is_named_by_its_address(setup: Setup) -> None:
    await setup.gateway.stop()

    with pytest.raises(TemporaryFailure, match=f"ENGINE_UNREACHABLE: no answer from {setup.gateway.address}"):
        await setup.client.topology()

    await setup.gateway.start()
    assert (await setup.client.topology()).is_ready


async def test_all_files_are_deployed_in_one_request(setup: Setup, tmp_path: Path) -> None:
    names = ["abandoned-cart.bpmn", "cart-offer.dmn", "ask.form"]
    files = [tmp_path / name for name in names]
    for file in files:
        file.write_bytes(file.name.encode())

    deployed = await setup.client.deploy(files)

    assert deployed == [
        Deployed("process", "abandoned-cart", 1, 9),
        Deployed("decision", "cart-offer", 1, 7),
        Deployed("form", "ask", 1, 8),
    ]
    [request] = setup.gateway.requests("DeployResource")
    assert [(resource.name, resource.content) for resource in request.resources] == [(n, n.encode()) for n in names]


async def test_a_refused_diagram_comes_back_with_the_reason_of_the_engine(setup: Setup, tmp_path: Path) -> None:
    file = tmp_path / "broken.bpmn"
    file.write_text("<x/>")
    setup.gateway.refuse("DeployResource", grpc.StatusCode.INVALID_ARGUMENT, "Task_Send: has no type")

    with pytest.raises(PermanentFailure, match="DIAGRAM_REFUSED: Task_Send: has no type"):
        await setup.client.deploy([file])


async def test_an_instance_is_moved_by_its_key_and_the_mapping(setup: Setup) -> None:
    await setup.client.migrate_instance(7, 9, {"Task_A": "Task_B"})

    [request] = setup.gateway.requests("MigrateProcessInstance")
    assert (request.processInstanceKey, request.migrationPlan.targetProcessDefinitionKey) == (7, 9)
    [instruction] = request.migrationPlan.mappingInstructions
    assert (instruction.sourceElementId, instruction.targetElementId) == ("Task_A", "Task_B")


@pytest.mark.parametrize(
    ("status", "details", "kind", "code"),
    [
        (grpc.StatusCode.NOT_FOUND, "no process instance found with key '7'", PermanentFailure, "INSTANCE_UNKNOWN"),
        (grpc.StatusCode.NOT_FOUND, "no process definition found with key '9'", PermanentFailure, "MIGRATION_REFUSED"),
        (grpc.StatusCode.FAILED_PRECONDITION, "no mapping for 'Task_A'", PermanentFailure, "MIGRATION_REFUSED"),
        (grpc.StatusCode.INVALID_ARGUMENT, "duplicate source element ids", PermanentFailure, "MIGRATION_REFUSED"),
        (grpc.StatusCode.FAILED_PRECONDITION, "a concurrent command was executed", TemporaryFailure, "INSTANCE_BUSY"),
        (grpc.StatusCode.UNAUTHENTICATED, "", TemporaryFailure, "ENGINE_REFUSED_LOGIN"),
    ],
)
async def test_why_an_instance_was_not_moved_is_told(
    setup: Setup, status: grpc.StatusCode, details: str, kind: type[WaggleError], code: str
) -> None:
    setup.gateway.refuse("MigrateProcessInstance", status, details, times=9)

    with pytest.raises(kind, match=code):
        await setup.client.migrate_instance(7, 9, {})


async def test_the_topology_tells_the_version_and_who_leads(setup: Setup) -> None:
    topology = await setup.client.topology()

    assert (topology.gateway_version, topology.brokers, topology.partitions) == ("8.6.0", 1, 1)
    assert topology.is_ready


async def test_a_token_is_never_sent_in_the_open() -> None:
    oauth = OAuthClient("waggle", "top-secret", "https://login.example.com/token")

    with pytest.raises(BadSettings, match="OAUTH_WITHOUT_TLS"):
        connect(GatewayAddress("zeebe.example.com:443", oauth=oauth, allow_plaintext=True))

    assert "top-secret" not in repr(oauth)


async def test_a_keepalive_that_the_gateway_would_punish_is_refused() -> None:
    with pytest.raises(BadSettings, match="KEEPALIVE_TOO_SHORT"):
        connect(GatewayAddress(keepalive_s=5))


async def test_an_authority_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="CA_FILE_UNREADABLE"):
        connect(GatewayAddress(tls=True, ca_file=tmp_path / "nowhere.pem"))


async def test_a_channel_with_tls_and_oauth_can_be_made_without_a_network() -> None:
    oauth = OAuthClient("waggle", "top-secret", "https://login.example.com/token", audience="zeebe")

    async with connect(GatewayAddress("zeebe.example.com:443", tls=True, oauth=oauth)) as channel:
        assert channel.get_state().name == "IDLE"
