"""The load `journey`: the abandoned cart with all its effects, against the same diagram with handlers without any."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.child import Child, child, python
from benchmarks.databases import Kind, opened
from benchmarks.driver import Start
from benchmarks.flagship.shoppers import Shopper, shoppers
from benchmarks.report import Row
from benchmarks.sink import read_arrivals
from benchmarks.worker.calls import read_calls, repeats
from benchmarks.worker.ground import Ground
from benchmarks.worker.rounds import latency
from waggle.app import App
from waggle.resources import shipped
from waggle.services.deployment import deploy_all
from waggle.services.enrolling import Enrolling
from waggle.services.relay import Relay
from waggle.settings import load_settings
from waggle.testing.journey_engine import RememberingEngine

JOURNEYS = 400
_WARM_JOURNEYS = 20
_WINDOW_S = 240.0
_LAST_ELEMENT = "Task_RecordNoOrder"
_EVENTS_AT_ONCE = 300
_LONG_AGO = timedelta(hours=1)
# The engine waits for a click and then for an order; here both take as long as it takes to see that none comes.
_WAITS = {"reply_window": "PT1S", "order_window": "PT1S"}


async def deploy(ground: Ground) -> None:
    """Deploy what is shipped."""
    app = App(load_settings({"WAGGLE_ENGINE__ADDRESS": ground.broker.address}))
    client = app.engine.client(ground.driver.channel, ground.broker.address)
    await deploy_all(client, app.settings.bpmn_dir, app.settings.config_dir, app.tasks)


async def play(
    ground: Ground, kind: Kind, number: int, *, journeys: int, effects: bool, profile: Path | None = None
) -> Row:
    """Play one round on an empty database of *kind*, with every effect or with none; a *profile* makes it slower."""
    load = "journey" if effects else "journey-no-op"
    name = f"{load}-{number}-{kind}"
    folder = ground.folder / name
    folder.mkdir()
    with opened(kind, folder) as database:
        async with AsyncExitStack() as running:
            sink, port = await _sink(running, folder)
            environment = _environment(ground, folder, database.url, port)
            starts = await _prepared(environment, _WARM_JOURNEYS + journeys)
            log, calls_file = folder / "worker.log", folder / "calls"
            asked = ["--calls", str(calls_file), *(() if effects else ("--no-effects",))]
            asked += ["--profile", str(profile)] if profile else []
            worker = await running.enter_async_context(
                child(python("benchmarks.worker.cart_worker", *asked), log, environment)
            )
            await ground.warm(worker, starts[:_WARM_JOURNEYS], log)
            others = {"sink": sink.pid} | ({"database": database.pid} if database.pid else {})
            measured = await ground.burst(worker, starts[_WARM_JOURNEYS:], _WINDOW_S, others)
            task_types = App(load_settings({**os.environ, **environment})).tasks
            await worker.end()
            await ground.clear(list(task_types))
    # Whatever was for getting warm had ended before.
    began_ns = ground.driver.began_ns[starts[_WARM_JOURNEYS].journey_id]
    calls = [call for call in read_calls(calls_file) if call.ended_ns >= began_ns]
    mails = [to for to, at_ns in read_arrivals(folder / "mails") if at_ns >= began_ns]
    return {
        "client": "ours",
        "load": load,
        "database": kind,
        "round": number,
        **measured,
        "handler_calls": len(calls),
        "repeated_jobs": repeats(calls),
        "mails": len(mails),
        "latency_ms": latency(calls, ground.driver.began_ns, _LAST_ELEMENT),
    }


def read_profile(file: Path) -> dict[str, Any]:
    """Return what `sampler` wrote."""
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return found


async def _sink(running: AsyncExitStack, folder: Path) -> tuple[Child, int]:
    log = folder / "sink.log"
    sink = await running.enter_async_context(child(python("benchmarks.sink", "--arrivals", str(folder / "mails")), log))
    while not (said := log.read_text("utf-8").strip()):  # noqa: ASYNC110 -- it is said in a file
        await asyncio.sleep(0.05)
    return sink, int(said)


def _environment(ground: Ground, folder: Path, database_url: str, smtp_port: int) -> dict[str, str]:
    return {
        "WAGGLE_HOME": str(folder),
        "WAGGLE_CONFIG_DIR": str(_config(folder / "config")),
        "WAGGLE_DATABASE__URL": database_url,
        "WAGGLE_ENGINE__ADDRESS": ground.broker.address,
        "WAGGLE_SMTP__PORT": str(smtp_port),
        "WAGGLE_WORKER__HEALTH_PORT": "0",
        # It is measured at any hour, and the reminder comes a second after the mail.
        "WAGGLE_POLICY__QUIET_FROM": "00:00:00",
        "WAGGLE_POLICY__QUIET_UNTIL": "00:00:00",
        "WAGGLE_POLICY__CAP_MESSAGES": "9",
    }


def _config(folder: Path) -> Path:
    shutil.copytree(shipped("config"), folder)
    file = folder / "journeys" / "abandoned-cart.toml"
    text = file.read_text("utf-8")
    for key, value in _WAITS.items():
        text, count = re.subn(rf'(?m)^{key} = ".*"$', f'{key} = "{value}"', text)
        if count != 1:
            raise AssertionError(f"{file} has no {key}")
    file.write_text(text, "utf-8")
    return folder


async def _prepared(environment: Mapping[str, str], count: int) -> list[Start]:
    """Have *count* shoppers leave a cart long ago; return what the relay would tell the engine of it."""
    app = App(load_settings({**os.environ, **environment}))
    try:
        engine = RememberingEngine()
        relay = Relay(app.store, engine, Enrolling(app.catalogue, app.journeys), app.clock)
        # All alike: a cart of another worth would take another way through the diagram.
        alike = islice((shopper for shopper in shoppers() if shopper.number % 4 == 1), count)
        left_at = app.clock.now() - _LONG_AGO
        events = [event for shopper in alike for event in _events(shopper, left_at)]
        for begin in range(0, len(events), _EVENTS_AT_ONCE):
            await app.intake.accept("shop", events[begin : begin + _EVENTS_AT_ONCE])
        while await relay.apply_events() or await relay.publish():
            pass
        return [Start(told.name, told.enrolment_id, dict(told.variables)) for told in engine.taken]
    finally:
        app.close()


def _events(shopper: Shopper, at: datetime) -> list[dict[str, Any]]:
    return [{**event, "time": at.isoformat()} for event in (*shopper.signs_up(), shopper.fills_cart())]
