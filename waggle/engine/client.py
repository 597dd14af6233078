"""Commands to the engine: publish, deploy, and ask who is there."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import grpc
import msgspec
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from waggle.engine.backoff import Backoff
from waggle.engine.status import BUSY, TOKEN_AWAY, UNREACHABLE, is_no_entry, is_too_large
from waggle.engine.tracing import publish_span
from waggle.engine.variables import checked, checked_id
from waggle.errors import PermanentFailure, TemporaryFailure, WaggleError
from waggle.ports.journey_engine import Deployed, EngineMessage, Published

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_TRIES = 4
_RPC_TIMEOUT_S = 5.0
_DEPLOY_TIMEOUT_S = 30.0
_ON_THE_MOVE = ("a concurrent command was executed", "pending message subscription migration")
"""Words of 8.6.0 for an instance that cannot be moved at this very moment."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The engine as its gateway sees it."""

    gateway_version: str
    brokers: int
    partitions: int
    partitions_led: int
    """Partitions with a healthy leader."""

    @property
    def is_ready(self) -> bool:
        """Whether every partition takes commands."""
        return 0 < self.partitions <= self.partitions_led


class ZeebeClient:
    """The port `JourneyEngine` on a gRPC channel."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        allowed_variables: frozenset[str],
        *,
        address: str = "the engine",
        tenant_id: str = "",
    ) -> None:
        """Let through only *allowed_variables*; *address* is what errors call the engine."""
        self._stub = cast("GatewayAsyncStub", GatewayStub(channel))
        self._allowed = allowed_variables
        self._address = address
        self._tenant_id = tenant_id

    async def publish(self, message: EngineMessage) -> Published:
        """Hand *message* to the engine; see `JourneyEngine.publish`."""
        request = pb.PublishMessageRequest(
            name=message.name,
            correlationKey=checked_id("enrolment_id", message.enrolment_id),
            messageId=checked_id("message_id", message.message_id),
            timeToLive=message.time_to_live_s * 1000,
            variables=msgspec.json.encode(checked(message.variables, self._allowed)).decode(),
            tenantId=self._tenant_id,
        )
        with publish_span(message) as span:
            try:
                await self._call(self._stub.PublishMessage, request, _RPC_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.ALREADY_EXISTS:
                    span.ended("already_buffered")
                    return "already_buffered"
                raise self._failure(error, "MESSAGE_REFUSED", message.name) from error
            span.ended("published")
        return "published"

    async def deploy(self, files: Sequence[Path]) -> list[Deployed]:
        """Deploy all *files* in one request; see `JourneyEngine.deploy`.

        Raises:
            OSError: a file cannot be read.
        """
        return await self.deploy_bytes(
            await asyncio.to_thread(lambda: {file.name: file.read_bytes() for file in files})
        )

    async def deploy_bytes(self, contents: Mapping[str, bytes]) -> list[Deployed]:
        """Deploy *contents* in one request; see `JourneyEngine.deploy_bytes`."""
        resources = [pb.Resource(name=name, content=content) for name, content in contents.items()]
        request = pb.DeployResourceRequest(resources=resources, tenantId=self._tenant_id)
        try:
            answer = await self._call(self._stub.DeployResource, request, _DEPLOY_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            # Of all the engine's texts this one is passed on: it speaks of diagrams, and diagrams hold no persons.
            raise self._failure(error, "DIAGRAM_REFUSED", error.details() or "no reason given") from error
        return [_deployed(deployment) for deployment in answer.deployments]

    async def migrate_instance(self, instance_key: int, target_key: int, mapping: Mapping[str, str]) -> None:
        """Move a running instance to another version; see `JourneyEngine.migrate_instance`."""
        instructions = [
            pb.MigrateProcessInstanceRequest.MappingInstruction(sourceElementId=source, targetElementId=target)
            for source, target in mapping.items()
        ]
        plan = pb.MigrateProcessInstanceRequest.MigrationPlan(
            targetProcessDefinitionKey=target_key, mappingInstructions=instructions
        )
        request = pb.MigrateProcessInstanceRequest(processInstanceKey=instance_key, migrationPlan=plan)
        try:
            await self._call(self._stub.MigrateProcessInstance, request, _RPC_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise self._not_migrated(error) from error

    async def topology(self) -> Topology:
        """Return who is there.

        Raises:
            TemporaryFailure: ENGINE_UNREACHABLE.
        """
        try:
            answer = await self._call(self._stub.Topology, pb.TopologyRequest(), _RPC_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            raise self._failure(error, "ENGINE_FAILED", error.code().name) from error
        return Topology(
            gateway_version=answer.gatewayVersion,
            brokers=len(answer.brokers),
            partitions=answer.partitionsCount,
            partitions_led=sum(_leads(partition) for broker in answer.brokers for partition in broker.partitions),
        )

    async def _call(self, rpc: Callable[..., Any], request: object, timeout_s: float) -> Any:  # noqa: ANN401 - untyped stubs
        # Every command here may be repeated: messages carry an id, equal bytes deploy once.
        backoff = Backoff(first_s=0.1, factor=2.0)
        while True:
            try:
                return await rpc(request, timeout=timeout_s)
            except grpc.aio.AioRpcError as error:
                may_pass = error.code() in UNREACHABLE | BUSY and not is_too_large(error) and not is_no_entry(error)
                if not may_pass or backoff.failures == _TRIES - 1:
                    raise
                await asyncio.sleep(backoff.next_s())

    def _not_migrated(self, error: grpc.aio.AioRpcError) -> WaggleError:
        """Name why an instance was not moved; the engine's reason names elements and keys only."""
        reason = " ".join((error.details() or "no reason given").split())
        if any(sign in reason for sign in _ON_THE_MOVE):
            return TemporaryFailure("INSTANCE_BUSY", reason, retry_after_s=1.0)
        if error.code() is grpc.StatusCode.NOT_FOUND and "no process instance found" in reason:
            return PermanentFailure("INSTANCE_UNKNOWN", reason)
        if error.code() is grpc.StatusCode.FAILED_PRECONDITION:
            return PermanentFailure("MIGRATION_REFUSED", reason)
        return self._failure(error, "MIGRATION_REFUSED", reason)

    def _failure(self, error: grpc.aio.AioRpcError, refused_code: str, refused: str) -> WaggleError:
        """Name what *error* means; *refused_code* and *refused* are for what the engine will never take."""
        code = error.code()
        if is_too_large(error):
            return PermanentFailure("TOO_LARGE_FOR_THE_ENGINE", f"{self._address} takes no request of this size")
        refusal = self._refusal(error)
        if refusal is not None:
            return refusal
        if code in UNREACHABLE:
            return TemporaryFailure(
                "ENGINE_UNREACHABLE", f"no answer from {self._address} ({code.name})", retry_after_s=5.0
            )
        if code in BUSY:
            return TemporaryFailure("ENGINE_BUSY", f"{self._address} takes no more work now", retry_after_s=2.0)
        if code in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}:
            return PermanentFailure(refused_code, refused)
        return TemporaryFailure("ENGINE_FAILED", f"{self._address} answered {code.name}")

    def _refusal(self, error: grpc.aio.AioRpcError) -> TemporaryFailure | None:
        """Name what *error* means if we are not let in: whoever mends that must find what we wanted still there."""
        if _is_about_tenant(error):
            tenant = f"tenant {self._tenant_id!r}" if self._tenant_id else "no tenant"
            why = f"{self._address} takes nothing for {tenant}: mend engine.tenant_id, or let our client into it"
            return TemporaryFailure("ENGINE_REFUSED_TENANT", why, retry_after_s=60.0)
        if is_no_entry(error):
            why = f"{self._address} refused our credentials ({error.code().name}): mend engine.client_id, client_secret"
            return TemporaryFailure("ENGINE_REFUSED_LOGIN", why, retry_after_s=60.0)
        if TOKEN_AWAY in (error.details() or ""):
            why = f"engine.token_url gives no token for {self._address} now"
            return TemporaryFailure("TOKEN_SERVER_UNREACHABLE", why, retry_after_s=5.0)
        return None


def _is_about_tenant(error: grpc.aio.AioRpcError) -> bool:
    # Measured on 8.6.0 for an engine that knows no tenants; the code alone (INVALID_ARGUMENT) says too little.
    return "tenant identifier" in (error.details() or "")


def _leads(partition: pb.Partition) -> bool:
    return partition.role == pb.Partition.LEADER and partition.health == pb.Partition.HEALTHY


def _deployed(deployment: pb.Deployment) -> Deployed:
    match deployment.WhichOneof("Metadata"):
        case "process":
            process = deployment.process
            return Deployed("process", process.bpmnProcessId, process.version, process.processDefinitionKey)
        case "decision":
            decision = deployment.decision
            return Deployed("decision", decision.dmnDecisionId, decision.version, decision.decisionKey)
        case "decisionRequirements":
            drg = deployment.decisionRequirements
            return Deployed(
                "decision requirements", drg.dmnDecisionRequirementsId, drg.version, drg.decisionRequirementsKey
            )
        case "form":
            form = deployment.form
            return Deployed("form", form.formId, form.version, form.formKey)
    raise PermanentFailure("ENGINE_FAILED", "the engine deployed something of an unknown kind")
