"""A whole Waggle on this machine: engine, database, diagrams and all parts under one supervisor."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from waggle.app import App
from waggle.engine.local import EngineOptions, RunningEngine
from waggle.engine.local.progress import Progress
from waggle.engine_keeper import EngineKeeper
from waggle.ports.journey_engine import Deployed
from waggle.processes import check_doors
from waggle.reaching import engine_client
from waggle.services.deployment import refuse_wrong
from waggle.supervisor import Part, Supervisor

PARTS_END_WITHIN_S = 5.0
ENGINE_ENDS_WITHIN_S = 4.0
"""Together less than the ten seconds after which Ctrl-C counts as broken."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What runs, and where it is found."""

    app: App
    keeper: EngineKeeper | None
    """None: the engine is somebody else's."""
    deployed: Sequence[Deployed]
    supervisor: Supervisor

    @property
    def engine(self) -> RunningEngine | None:
        """The embedded engine as it runs now."""
        return None if self.keeper is None else self.keeper.engine

    @property
    def addresses(self) -> Mapping[str, str]:
        """What a person may want to open or call."""
        settings = self.app.settings
        found = {"API": settings.api.address}
        if settings.api.public_url != settings.api.address:
            found["Links in messages"] = settings.api.public_url
        if settings.mailbox.enabled:
            found["Mailbox"] = f"http://127.0.0.1:{settings.mailbox.page_port}"
        if self.engine is not None and self.engine.operate_url is not None:
            found["Operate"] = (
                f"{self.engine.operate_url}  as {self.engine.operate_user}, {self.engine.operate_password}"
            )
        found["Engine (gRPC)"] = settings.engine.address if self.engine is None else self.engine.grpc_address
        return found


@asynccontextmanager
async def installed(
    app: App, options: EngineOptions | None, progress: Progress, environment: Mapping[str, str]
) -> AsyncIterator[Installation]:
    """Run everything while the context lasts; without *options* the engine named in the settings is used.

    Raises:
        BadSettings, TemporaryFailure, PermanentFailure: something could not be started; what was, is ended.
    """
    # First what can be wrong at once: nobody likes to wait for an engine to be told of a setting.
    settings, tasks = app.settings, app.tasks
    check_doors(settings)
    refuse_wrong(settings.bpmn_dir, settings.config_dir, tasks)
    progress.began("Preparing the database")
    await asyncio.to_thread(app.services)
    keeper = None if options is None else EngineKeeper(options)
    try:
        if keeper is not None:
            await keeper.start(progress)
        progress.began("Deploying the journeys")
        async with engine_client(app) as client:
            deployed = await app.deploying.at_start(client, settings.bpmn_dir, by="waggle")
        supervisor = Supervisor(_parts(app, environment), app.settings.home / "logs")
        ending = asyncio.Event()
        running = [asyncio.create_task(supervisor.run(ending, end_within_s=PARTS_END_WITHIN_S))]
        if keeper is not None:
            running.append(asyncio.create_task(keeper.keep(ending)))
        try:
            yield Installation(app, keeper, deployed, supervisor)
        finally:
            ending.set()
            await asyncio.gather(*running)
    finally:
        if keeper is not None:
            await keeper.stop(ENGINE_ENDS_WITHIN_S)


def _parts(app: App, environment: Mapping[str, str]) -> list[Part]:
    names = ["mailbox"] if app.settings.mailbox.enabled else []
    names += ["api", "relay", "worker"]
    names += ["exchange"] if app.sections.has_exchange else []
    return [Part(name, [name], environment) for name in names]
