"""Hand the diagrams to the engine, if nothing speaks against it, and remember what was handed over."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import stamina

from waggle.errors import PermanentFailure, Rejected, TemporaryFailure
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.journey_engine import Deployed, JourneyEngine
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.ports.versions import DeployedFile, Deployment, DeploymentKind, GreenRun, NewestFile
from waggle.services.bundles import Bundle, Resource, context_sha256, files_in, read_bundle, read_resource
from waggle.services.diagram_checks import check_diagrams
from waggle.services.diagram_rules import TaskType
from waggle.services.versions import Plan, planned

log = get_logger(__name__)

_PATIENCE_S = 60.0
_KINDS = {".bpmn": {"process"}, ".dmn": {"decision requirements", "decision"}, ".form": {"form"}}


def refuse_wrong(bpmn_dir: Path, config_dir: Path, tasks: Mapping[str, TaskType]) -> None:
    """Return if nothing speaks against deploying *bpmn_dir*.

    Raises:
        PermanentFailure: DIAGRAMS_WRONG, with every finding.
    """
    findings = check_diagrams(bpmn_dir, config_dir, tasks)
    if findings:
        listed = "\n".join(str(finding) for finding in findings)
        raise PermanentFailure("DIAGRAMS_WRONG", f"nothing was deployed, since journeys would fail:\n{listed}")


async def deploy_all(
    engine: JourneyEngine, bpmn_dir: Path, config_dir: Path, tasks: Mapping[str, TaskType]
) -> list[Deployed]:
    """Check everything in *bpmn_dir* and deploy it in one request: all or nothing. Nothing is recorded.

    Raises:
        PermanentFailure: DIAGRAMS_WRONG, with every finding, or DIAGRAM_REFUSED by the engine; nothing was deployed.
        TemporaryFailure: the engine could not be reached for a minute.
    """
    refuse_wrong(bpmn_dir, config_dir, tasks)
    files = await asyncio.to_thread(files_in, bpmn_dir)
    contents = await asyncio.to_thread(lambda: {file.name: file.read_bytes() for file in files})
    return await _handed_over(engine, contents)


class Deploying:
    """Deploys bundles into one environment and records each: who, when, which bytes, and the engine's versions."""

    def __init__(self, store: UnitOfWork, clock: Clock, *, environment: str, config_dir: Path) -> None:
        self._store = store
        self._clock = clock
        self._environment = environment
        self._config_dir = config_dir

    async def plan(self, bundle: Bundle) -> Plan:
        """Say what deploying *bundle* would change."""
        return await self._store.read(lambda tx: planned(tx, bundle))

    async def deploy(  # noqa: PLR0913 -- what is deployed, and what is noted of it
        self,
        engine: JourneyEngine,
        bundle: Bundle,
        *,
        by: str,
        why: str = "",
        kind: DeploymentKind = "deploy",
        same_tag: bool = False,
    ) -> list[Deployed]:
        """Deploy *bundle* in one request and return the engine's answer.

        What is deployed already is not recorded again. Killed between the engine's answer and the record, the same
        command makes up for it: the engine gives equal bytes the versions that they have.

        Raises:
            Rejected: VERSION_TAG_REUSED, a file changed and its version tag did not, unless *same_tag*.
            PermanentFailure: DIAGRAM_REFUSED by the engine; nothing was deployed.
            TemporaryFailure: the engine could not be reached for a minute.
        """
        plan = await self.plan(bundle)
        if plan.problems and not same_tag:
            raise Rejected("VERSION_TAG_REUSED", "nothing was deployed:\n" + "\n".join(plan.problems))
        answers = await _handed_over(engine, bundle.contents)
        files = [_deployed(resource, answers) for resource in bundle.resources]
        context = await asyncio.to_thread(context_sha256, self._config_dir)

        def record(tx: Transaction) -> bool:
            known = {name: newest.file for name, newest in tx.versions.newest_files().items()}
            if all(known.get(file.file) == file for file in files) and kind in {"deploy", "start"}:
                return False
            now = self._clock.now()
            deployment = Deployment(
                deployment_id=0,
                at=now,
                by=by,
                kind=kind,
                environment=self._environment,
                bundle_sha256=bundle.sha256,
                context_sha256=context,
                why=why,
            )
            tx.versions.add(deployment, files, {each.sha256: each.content for each in bundle.resources})
            detail = {"kind": kind, "environment": self._environment, "files": str(len(files))}
            tx.audit.add(
                AuditEntry(
                    at=now, actor=by, action="journeys-deployed", subject=bundle.sha256, why=why or "-", detail=detail
                )
            )
            return True

        if await self._store.run(record):
            log.info("deployed", kind=kind, environment=self._environment, bundle=bundle.sha256, files=len(files))
        return answers

    async def at_start(self, engine: JourneyEngine, bpmn_dir: Path, *, by: str) -> list[Deployed]:
        """Deploy *bpmn_dir* as an installation does that comes up, and return the engine's answer.

        Nothing that lies between a person and a deployment may keep an installation down: a version tag that was used
        before is told in the log, and what was rolled back stays so until its file changes or somebody deploys.

        Raises:
            PermanentFailure: DIAGRAM_REFUSED by the engine.
            TemporaryFailure: the engine could not be reached for a minute.
        """
        folder = await asyncio.to_thread(read_bundle, bpmn_dir)
        bundle = await self._store.read(lambda tx: _as_rolled_back(tx, folder))
        for resource in set(bundle.resources) - set(folder.resources):
            log.warning("stays rolled back", file=resource.file, version_tag=resource.version_tag)
        for problem in (await self.plan(bundle)).problems:
            log.warning("version tag used again", problem=problem)
        return await self.deploy(engine, bundle, by=by, why="start", kind="start", same_tag=True)

    async def note_green(self, bundle_sha256: str, *, scenarios: int) -> None:
        """Note that all scenarios passed on these bytes."""
        run = GreenRun(bundle_sha256, self._clock.now(), scenarios)

        def note(tx: Transaction) -> None:
            tx.versions.note_green(run)

        await self._store.run(note)

    async def before(self, journey: str) -> tuple[Bundle, NewestFile, NewestFile]:
        """Return what a rollback of *journey* deploys, the version that is in force, and the one before.

        The bundle is the journey as it was with the pieces, decisions and forms of that time: versions are bound to
        those that came with them, so other journeys keep theirs.

        Raises:
            Rejected: JOURNEY_UNKNOWN, it was never deployed from here; NOTHING_BEFORE, there is no earlier version.
            PermanentFailure: CONTENT_DAMAGED.
        """

        def find(tx: Transaction) -> tuple[Bundle, NewestFile, NewestFile]:
            history = tx.versions.of_file(f"{journey}.bpmn")
            if not history:
                raise Rejected(
                    "JOURNEY_UNKNOWN", f"{journey} was never deployed from here; `waggle journeys` lists them"
                )
            before = _version_before(history)
            if before is None:
                tag = history[0].file.version_tag or "without a version tag"
                raise Rejected("NOTHING_BEFORE", f"{journey} has no version before the one in force ({tag})")
            then = bundle_of(tx, before.deployment.deployment_id)
            resource = then.of(journey)
            if resource is None:
                raise AssertionError("a deployment holds the files that it is recorded with")
            return then.around(resource), history[0], before

        return await self._store.read(find)


def bundle_of(tx: Transaction, deployment_id: int) -> Bundle:
    """Return what was deployed, byte for byte.

    Raises:
        PermanentFailure: CONTENT_DAMAGED, what is stored is not what was deployed.
    """
    return Bundle(tuple(_stored(tx, file) for file in tx.versions.files_of(deployment_id)))


def _stored(tx: Transaction, file: DeployedFile) -> Resource:
    content = tx.versions.content(file.sha256)
    if content is None or hashlib.sha256(content).hexdigest() != file.sha256:
        raise PermanentFailure("CONTENT_DAMAGED", f"what is stored of {file.file} is not what was deployed")
    return read_resource(file.file, content)


async def _handed_over(engine: JourneyEngine, contents: Mapping[str, bytes]) -> list[Deployed]:
    # A young engine may take its time over the first request, and deploying the same bytes again changes nothing.
    async for attempt in stamina.retry_context(on=TemporaryFailure, attempts=None, timeout=_PATIENCE_S):
        with attempt:
            return await engine.deploy_bytes(contents)
    raise AssertionError("unreachable")


def _deployed(resource: Resource, answers: Iterable[Deployed]) -> DeployedFile:
    kinds = _KINDS[Path(resource.file).suffix]
    own = [answer for answer in answers if answer.kind in kinds and answer.name in resource.offers]
    if not own:
        raise PermanentFailure("ENGINE_FAILED", f"the engine took {resource.file} and said nothing of it")
    # Of a file of decisions that of the whole.
    answer = next((each for each in own if each.name == resource.name), own[0])
    return DeployedFile(
        file=resource.file,
        sha256=resource.sha256,
        name=resource.name,
        version_tag=resource.version_tag,
        version=answer.version,
        key=answer.key,
    )


def _version_before(history: list[NewestFile]) -> NewestFile | None:
    """Return the newest version that is older than the first appearance of the bytes in force, which it is not."""
    in_force = history[0].file.sha256
    brought = next(
        (at for at, each in enumerate(history) if each.file.sha256 == in_force and each.deployment.kind != "rollback"),
        len(history) - 1,
    )
    return next((each for each in history[brought:] if each.file.sha256 != in_force), None)


def _as_rolled_back(tx: Transaction, bundle: Bundle) -> Bundle:
    """Return *bundle* with the bytes that a rollback put in the place of those which the folder still holds."""
    newest = tx.versions.newest_files()
    resources = []
    for resource in bundle.resources:
        known = newest.get(resource.file)
        if known is not None and known.deployment.kind == "rollback" and resource.sha256 != known.file.sha256:
            deployed = [each for each in tx.versions.of_file(resource.file) if each.deployment.kind != "rollback"]
            if deployed and deployed[0].file.sha256 == resource.sha256:
                resources.append(_stored(tx, known.file))
                continue
        resources.append(resource)
    return Bundle(tuple(resources))
