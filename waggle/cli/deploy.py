"""`waggle deploy`: hand the diagrams to the engine."""

import asyncio

import msgspec
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.ports.journey_engine import Deployed
from waggle.processes import engine_client
from waggle.registry import find_tasks
from waggle.services.deployment import deploy_all
from waggle.settings import load_settings


def deploy(*, json: bool = False) -> None:
    """Check all diagrams and decisions and deploy them in one request.

    Example: `waggle deploy`

    Parameters
    ----------
    json
        One JSON document for programs.
    """
    app = App(load_settings())

    async def run() -> list[Deployed]:
        async with engine_client(app) as engine:
            return await deploy_all(engine, app.settings.bpmn_dir, app.settings.config_dir, find_tasks())

    deployed = asyncio.run(run())
    if json:
        print(msgspec.json.encode(deployed).decode())
        return
    table = Table("kind", "name", "version", box=None, pad_edge=False)
    for each in deployed:
        table.add_row(each.kind, each.name, str(each.version))
    Console().print(table)
