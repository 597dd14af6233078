"""`waggle deploy`: hand the diagrams to the engine."""

import asyncio

import msgspec
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.ports.journey_engine import Deployed
from waggle.reaching import engine_answers, engine_client
from waggle.registry import find_tasks
from waggle.services.deployment import deploy_all, refuse_wrong
from waggle.settings import load_settings


def deploy(*, json: bool = False) -> None:
    """Check all diagrams and decisions and deploy them in one request.

    Nothing is deployed if anything is wrong with one of them; the list says what, where and how to mend it.

    Example: `waggle deploy`

    Parameters
    ----------
    json
        One JSON document for programs.
    """
    app = App(load_settings())
    try:
        deployed = asyncio.run(_deploy(app))
    finally:
        app.close()
    if json:
        print(msgspec.json.encode(deployed).decode())
        return
    table = Table("kind", "name", "version", box=None, pad_edge=False)
    for each in deployed:
        table.add_row(each.kind, each.name, str(each.version))
    Console().print(table)


async def _deploy(app: App) -> list[Deployed]:
    settings, tasks = app.settings, find_tasks()
    # Before the engine is asked: what is wrong can be told without one.
    refuse_wrong(settings.bpmn_dir, settings.config_dir, tasks)
    address, _ = await engine_answers(app)
    async with engine_client(app, address) as engine:
        return await deploy_all(engine, settings.bpmn_dir, settings.config_dir, tasks)
