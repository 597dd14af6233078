"""An engine's gateway in this process, with memory, that can be told to misbehave."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any, Literal, Self, cast

import grpc
import msgspec
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayServicer, add_GatewayServicer_to_server

from waggle.testing.clock import HandClock
from waggle.testing.ports import kept_ports

_PATIENCE_S = 60.0

_RPCS = (
    "ActivateJobs",
    "StreamActivatedJobs",
    "CompleteJob",
    "FailJob",
    "ThrowError",
    "UpdateJobTimeout",
    "PublishMessage",
    "DeployResource",
    "MigrateProcessInstance",
    "Topology",
)

State = Literal["activatable", "activated", "waiting", "completed", "thrown", "incident", "cancelled"]
"""Waiting: failed with a back-off that is not over."""


@dataclass(slots=True)
class FakeJob:
    """A job as the engine keeps it."""

    key: int
    task_type: str
    variables: dict[str, object]
    retries: int
    state: State = "activatable"
    deadline_ms: int = 0
    activations: int = 0
    result: dict[str, object] | None = None
    error_code: str = ""
    text: str = ""
    wait_ms: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    tenant_id: str = ""


@dataclass(frozen=True, slots=True)
class _Misbehaviour:
    code: grpc.StatusCode
    details: str
    when: Literal["before", "after", "never"]
    """Answer badly before the command is applied, after it, or not at all."""


@dataclass(slots=True)
class FakeGateway:
    """Serves the gateway's protocol on a loopback port; what was asked and done can be read."""

    clock: HandClock = field(default_factory=HandClock)
    jobs: dict[int, FakeJob] = field(default_factory=dict)
    calls: list[tuple[str, Any]] = field(default_factory=list)
    """(rpc, request), in the order of their arrival."""
    messages: set[tuple[str, str, str]] = field(default_factory=set)
    """(name, correlation key, message id) of what is buffered."""
    resources: dict[str, list[bytes]] = field(default_factory=dict)
    """File name -> contents by version."""
    address: str = "127.0.0.1:0"
    open_streams: int = 0
    _mute: set[str] = field(default_factory=set)
    _misbehaviour: defaultdict[str, deque[_Misbehaviour]] = field(default_factory=lambda: defaultdict(deque))
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _server: Any = None

    @classmethod
    @asynccontextmanager
    async def serving(cls) -> AsyncIterator[Self]:
        """Serve while the context is open."""
        with kept_ports(1) as [port]:
            gateway = cls(address=f"127.0.0.1:{port}")
            await gateway.start()
            try:
                yield gateway
            finally:
                await gateway.stop()

    async def start(self) -> None:
        """Begin to serve; after a stop, at the address of before, which `serving` has kept."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        add_GatewayServicer_to_server(_Servicer(self), self._server)  # type: ignore[abstract]
        port = self._server.add_insecure_port(self.address)
        self.address = f"127.0.0.1:{port}"
        await self._server.start()

    async def stop(self) -> None:
        """Cut every connection; memory stays."""
        if self._server is not None:
            await self._server.stop(None)

    async def add_job(self, task_type: str, *, retries: int = 3, **variables: object) -> FakeJob:
        """Make a job that any worker may take."""
        key = 2251799813685249 + len(self.jobs)
        job = self.jobs[key] = FakeJob(
            key, task_type, {"enrolment_id": f"enr-{len(self.jobs) + 1}"} | variables, retries
        )
        await self.tell()
        return job

    def refuse(self, rpc: str, code: grpc.StatusCode, details: str = "", *, times: int = 1) -> None:
        """Answer the next calls of *rpc* with *code* and do nothing."""
        self._misbehaviour[rpc].extend([_Misbehaviour(code, details, "before")] * times)

    def lose_answer(self, rpc: str, *, times: int = 1) -> None:
        """Do what the next calls of *rpc* ask, and break off before the answer."""
        self._misbehaviour[rpc].extend([_Misbehaviour(grpc.StatusCode.UNAVAILABLE, "", "after")] * times)

    def ignore(self, rpc: str, *, times: int = 1) -> None:
        """Leave the next calls of *rpc* without any answer, until the caller gives up."""
        self._misbehaviour[rpc].extend([_Misbehaviour(grpc.StatusCode.UNKNOWN, "", "never")] * times)

    def mute(self, *rpcs: str) -> None:
        """Take calls of *rpcs*, or of all, in and answer nothing, push nothing and do nothing, until `unmute`."""
        self._mute = set(rpcs or _RPCS)

    async def unmute(self) -> None:
        """Find the voice again; what was asked meanwhile is done now, if the caller still waits."""
        self._mute.clear()
        await self.tell()

    async def voice(self, rpc: str) -> None:
        """Return when *rpc* is not mute."""
        async with self._changed:
            await self._changed.wait_for(lambda: rpc not in self._mute)

    async def expire_leases(self, *, after_s: float = 3600) -> None:
        """Let *after_s* pass; jobs whose lease is then over are free again."""
        self.clock.advance(timedelta(seconds=after_s))
        for job in self.jobs.values():
            if job.state == "activated" and job.deadline_ms <= self.now_ms:
                job.state = "activatable"
        await self.tell()

    async def end_back_off(self, job: FakeJob) -> None:
        """Make a job that waits after a failure free again."""
        assert job.state == "waiting"
        job.state = "activatable"
        await self.tell()

    async def cancel_job(self, job: FakeJob) -> None:
        """Delete *job*, as an interrupting event does."""
        job.state = "cancelled"
        await self.tell()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return once *condition* holds; it is looked at whenever something was asked or done.

        Raises:
            TimeoutError: it never did.
        """
        async with asyncio.timeout(_PATIENCE_S), self._changed:
            await self._changed.wait_for(condition)

    async def tell(self) -> None:
        """Wake everyone in `until`, every poll and every stream."""
        async with self._changed:
            self._changed.notify_all()

    def count(self, rpc: str) -> int:
        """Return how often *rpc* was called."""
        return sum(1 for name, _ in self.calls if name == rpc)

    def requests(self, rpc: str) -> list[Any]:
        """Return what *rpc* was called with, oldest first."""
        return [request for name, request in self.calls if name == rpc]

    @property
    def now_ms(self) -> int:
        """The engine's time since the epoch."""
        return round(self.clock.now().timestamp() * 1000)

    async def arrive(self, rpc: str, request: object, context: Any) -> None:  # noqa: ANN401 - untyped library
        """Note a call, and misbehave if told to."""
        self.calls.append((rpc, request))
        await self.tell()
        await self.voice(rpc)
        if not self._misbehaviour[rpc] or self._misbehaviour[rpc][0].when == "after":
            return
        fault = self._misbehaviour[rpc].popleft()
        if fault.when == "never":
            await asyncio.Event().wait()
        await context.abort(fault.code, fault.details)

    async def leave(self, rpc: str, context: Any) -> None:  # noqa: ANN401 - untyped library
        """Let everyone see what the call did, and lose its answer if told to."""
        await self.tell()
        if self._misbehaviour[rpc] and self._misbehaviour[rpc][0].when == "after":
            fault = self._misbehaviour[rpc].popleft()
            await context.abort(fault.code, fault.details)

    def activate(
        self, request: pb.ActivateJobsRequest | pb.StreamActivatedJobsRequest, limit: int
    ) -> list[pb.ActivatedJob]:
        """Hand out up to *limit* free jobs of what *request* asks for."""
        free = list(islice(self._free(request), limit))
        for job in free:
            job.state, job.deadline_ms = "activated", self.now_ms + request.timeout
            job.activations += 1
        return [_as_sent(job, list(request.fetchVariable)) for job in free]

    async def wait_for_job(
        self, request: pb.ActivateJobsRequest | pb.StreamActivatedJobsRequest, within_s: float | None
    ) -> None:
        """Return when there is a job for *request* or the time is over."""
        try:
            async with asyncio.timeout(within_s), self._changed:
                await self._changed.wait_for(lambda: any(self._free(request)))
        except TimeoutError:
            return

    def _free(self, request: pb.ActivateJobsRequest | pb.StreamActivatedJobsRequest) -> Iterator[FakeJob]:
        tenants = list(request.tenantIds) or [""]
        for job in self.jobs.values():
            if job.task_type == request.type and job.state == "activatable" and job.tenant_id in tenants:
                yield job


def _as_sent(job: FakeJob, fetched: list[str]) -> pb.ActivatedJob:
    variables = {name: value for name, value in job.variables.items() if not fetched or name in fetched}
    return pb.ActivatedJob(
        key=job.key,
        type=job.task_type,
        processInstanceKey=job.key + 1_000_000,
        bpmnProcessId="fake",
        elementId="Task_Fake",
        worker="fake",
        retries=job.retries,
        deadline=job.deadline_ms,
        variables=msgspec.json.encode(variables).decode(),
        customHeaders=msgspec.json.encode(job.headers).decode(),
        tenantId=job.tenant_id,
    )


class _Servicer(GatewayServicer):
    """Translates the protocol to the gateway's memory; what is not here is unimplemented."""

    def __init__(self, gateway: FakeGateway) -> None:
        self._gateway = gateway

    async def ActivateJobs(  # noqa: N802 - the protocol's name
        self,
        request: pb.ActivateJobsRequest,
        context: Any,  # noqa: ANN401 - untyped library
    ) -> AsyncIterator[pb.ActivateJobsResponse]:
        gateway = self._gateway
        await gateway.arrive("ActivateJobs", request, context)
        if request.requestTimeout >= 0:
            await gateway.wait_for_job(request, request.requestTimeout / 1000)
        jobs = gateway.activate(request, request.maxJobsToActivate)
        await gateway.leave("ActivateJobs", context)
        if jobs:
            yield pb.ActivateJobsResponse(jobs=jobs)

    async def StreamActivatedJobs(  # noqa: N802 - the protocol's name
        self,
        request: pb.StreamActivatedJobsRequest,
        context: Any,  # noqa: ANN401 - untyped library
    ) -> AsyncIterator[pb.ActivatedJob]:
        gateway = self._gateway
        await gateway.arrive("StreamActivatedJobs", request, context)
        gateway.open_streams += 1
        await gateway.tell()
        try:
            while True:
                await gateway.wait_for_job(request, None)
                await gateway.voice("StreamActivatedJobs")
                for job in gateway.activate(request, 1):
                    await gateway.tell()
                    yield job
        finally:
            gateway.open_streams -= 1

    async def CompleteJob(self, request: pb.CompleteJobRequest, context: Any) -> pb.CompleteJobResponse:  # noqa: N802, ANN401
        await self._gateway.arrive("CompleteJob", request, context)
        job = await self._open_job(request.jobKey, context)
        job.state, job.result = "completed", msgspec.json.decode(request.variables)
        await self._gateway.leave("CompleteJob", context)
        return pb.CompleteJobResponse()

    async def FailJob(self, request: pb.FailJobRequest, context: Any) -> pb.FailJobResponse:  # noqa: N802, ANN401
        await self._gateway.arrive("FailJob", request, context)
        job = await self._open_job(request.jobKey, context)
        job.retries, job.text, job.wait_ms = request.retries, request.errorMessage, request.retryBackOff
        job.state = "incident" if job.retries <= 0 else "waiting" if job.wait_ms else "activatable"
        await self._gateway.leave("FailJob", context)
        return pb.FailJobResponse()

    async def ThrowError(self, request: pb.ThrowErrorRequest, context: Any) -> pb.ThrowErrorResponse:  # noqa: N802, ANN401
        await self._gateway.arrive("ThrowError", request, context)
        job = await self._open_job(request.jobKey, context)
        job.state, job.error_code, job.text = "thrown", request.errorCode, request.errorMessage
        await self._gateway.leave("ThrowError", context)
        return pb.ThrowErrorResponse()

    async def UpdateJobTimeout(self, request: pb.UpdateJobTimeoutRequest, context: Any) -> pb.UpdateJobTimeoutResponse:  # noqa: N802, ANN401
        await self._gateway.arrive("UpdateJobTimeout", request, context)
        job = await self._open_job(request.jobKey, context)
        if job.state != "activated":
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"job is {job.state}")
        job.deadline_ms = self._gateway.now_ms + request.timeout
        await self._gateway.leave("UpdateJobTimeout", context)
        return pb.UpdateJobTimeoutResponse()

    async def PublishMessage(self, request: pb.PublishMessageRequest, context: Any) -> pb.PublishMessageResponse:  # noqa: N802, ANN401
        gateway = self._gateway
        await gateway.arrive("PublishMessage", request, context)
        message = (request.name, request.correlationKey, request.messageId)
        if message in gateway.messages:
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, "a message with this id is buffered")
        gateway.messages.add(message)
        await gateway.leave("PublishMessage", context)
        return pb.PublishMessageResponse(key=len(gateway.messages))

    async def DeployResource(self, request: pb.DeployResourceRequest, context: Any) -> pb.DeployResourceResponse:  # noqa: N802, ANN401
        gateway = self._gateway
        await gateway.arrive("DeployResource", request, context)
        deployments = [self._deploy(resource) for resource in request.resources]
        await gateway.leave("DeployResource", context)
        return pb.DeployResourceResponse(key=1, deployments=deployments)

    async def MigrateProcessInstance(  # noqa: N802 - the protocol's name
        self,
        request: pb.MigrateProcessInstanceRequest,
        context: Any,  # noqa: ANN401 - untyped library
    ) -> pb.MigrateProcessInstanceResponse:
        await self._gateway.arrive("MigrateProcessInstance", request, context)
        await self._gateway.leave("MigrateProcessInstance", context)
        return pb.MigrateProcessInstanceResponse()

    async def Topology(self, request: pb.TopologyRequest, context: Any) -> pb.TopologyResponse:  # noqa: N802, ANN401
        await self._gateway.arrive("Topology", request, context)
        partition = pb.Partition(partitionId=1, role=pb.Partition.LEADER, health=pb.Partition.HEALTHY)
        broker = pb.BrokerInfo(nodeId=0, host="127.0.0.1", port=26501, partitions=[partition], version="8.6.0")
        return pb.TopologyResponse(
            brokers=[broker], clusterSize=1, partitionsCount=1, replicationFactor=1, gatewayVersion="8.6.0"
        )

    def _deploy(self, resource: pb.Resource) -> pb.Deployment:
        versions = self._gateway.resources.setdefault(resource.name, [])
        if not versions or versions[-1] != resource.content:
            versions.append(resource.content)
        stem, _, kind = resource.name.rpartition(".")
        match kind:
            case "dmn":
                return pb.Deployment(
                    decision=pb.DecisionMetadata(dmnDecisionId=stem, version=len(versions), decisionKey=7)
                )
            case "form":
                return pb.Deployment(form=pb.FormMetadata(formId=stem, version=len(versions), formKey=8))
        return pb.Deployment(
            process=pb.ProcessMetadata(bpmnProcessId=stem, version=len(versions), processDefinitionKey=9)
        )

    async def _open_job(self, key: int, context: Any) -> FakeJob:  # noqa: ANN401 - untyped library
        job = self._gateway.jobs.get(key)
        if job is None or job.state in ("completed", "cancelled"):
            await context.abort(grpc.StatusCode.NOT_FOUND, "no such job")
        # The engine takes an outcome also after the lease is over, as long as nobody else told one.
        if job is not None and job.state in ("waiting", "incident", "thrown"):
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"job is {job.state}")
        return cast("FakeJob", job)
