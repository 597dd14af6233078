"""`waggle demo`: three hours of a shop in a few minutes, and whether everybody got what they should."""

import asyncio
import contextlib
import dataclasses
import json
import shutil
import signal
import sys
import time
import tomllib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.console import Console

from waggle.app import App
from waggle.cli.progress import Shown, shown
from waggle.demo.conductor import Conductor
from waggle.demo.journal import read_journal
from waggle.demo.oracle.rules import Campaign, Rules
from waggle.demo.plots import plan
from waggle.demo.post import read_mail
from waggle.demo.report import Conclusion, EngineNumbers, Evidence, conclude
from waggle.demo.scenario import Facts, Scenario, next_opening
from waggle.demo.shop_process import ShopOpening, ShopProcess
from waggle.demo.view import Snapshot, View, final_table
from waggle.engine.local import EngineOptions, stop
from waggle.engine.records import RecordStream
from waggle.installation import Installation, installed
from waggle.log import configure
from waggle.mailbox.arrivals import read_arrivals
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services.overview import look
from waggle.settings import Settings, load_settings
from waggle.simulation import Simulation

_SOURCE = "demo-shop"
_LEFT_OPEN = 8
"""Journeys that are still to be seen in Operate when the demo stays up."""
_TABLES = ("carts", "orders", "enrolments", "messages", "coupons")
# So small that they run out during the demo; the shares are of the number of shoppers.
_BUDGET_SHARES = {"cart-5": 0.06, "cart-10": 0.10, "cart-15": 0.03}


_AtLeastOne = Annotated[int, Parameter(validator=Number(gte=1))]


def demo(
    *,
    shoppers: _AtLeastOne = 300,
    seed: int = 1,
    exit: bool = False,  # noqa: A002 -- the name of the flag
    report: Path | None = None,
) -> int:
    """Play three hours of a simulated shop on the real engine, whose clock is moved forward.

    The exit code is 1 if anybody got another message than an independent oracle says they should.

    Example: `waggle demo --shoppers 100 --exit --report demo.json`

    Parameters
    ----------
    shoppers
        How many come to the shop.
    seed
        The same seed plays the same scenario.
    exit
        End when all journeys have ended, rather than stay up to be looked at until Ctrl-C.
    report
        Write the numbers to this file as JSON.
    """
    return asyncio.run(_demo(shoppers, seed, report, stay=not exit))


@dataclass(frozen=True, slots=True)
class _Play:
    """One run of the demo: what is played, where, and since when."""

    scenario: Scenario
    installation: Installation
    simulation: Simulation
    journal: Path
    write_key: str
    seed: int
    began_s: float


async def _demo(shoppers: int, seed: int, report: Path | None, *, stay: bool) -> int:
    began_s = time.monotonic()
    stopping = False
    main = asyncio.current_task()
    loop = asyncio.get_running_loop()

    def end() -> None:
        nonlocal stopping
        if not stopping and main is not None:
            stopping = True
            main.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    console = Console()
    conclusion = None
    try:
        with shown(console) as progress:
            async with _opened(shoppers, seed, began_s, progress) as play:
                progress.ended()
                conclusion = await _played(play, console, stay=stay)
                if report is not None:
                    _write(report, conclusion)
                if stay:
                    await _stay(console)
    except asyncio.CancelledError:
        console.print("Ended.")
        return 130 if conclusion is None else conclusion.exit_code
    return conclusion.exit_code


@contextlib.asynccontextmanager
async def _opened(shoppers: int, seed: int, began_s: float, progress: Shown) -> AsyncIterator[_Play]:
    """Run an installation of its own, with a fresh database and engine, in `.waggle/demo`."""
    settings = _demo_settings(load_settings(), shoppers)
    configure("json" if settings.log.form == "json" else "console", "warning")
    app = App(settings)
    environment = {"WAGGLE_HOME": str(settings.home), "WAGGLE_CONFIG_DIR": str(settings.config_dir)}
    try:
        with RecordStream() as records:
            options = EngineOptions(
                home=settings.engine_home,
                with_operate=settings.engine.operate,
                port_offset=None if settings.engine.port_offset < 0 else settings.engine.port_offset,
                controlled_clock=True,
                records_url=records.url,
                quick=True,
            )
            async with installed(app, options, progress, environment) as installation:
                simulation = Simulation(app.store, records, settings.engine_home, app.clock)
                yield _Play(
                    scenario=plan(shoppers, seed, next_opening(app.clock.now())),
                    installation=installation,
                    simulation=simulation,
                    journal=settings.home / "shop.jsonl",
                    write_key=await app.accounts.write_keys.create(_SOURCE),
                    seed=seed,
                    began_s=began_s,
                )
    finally:
        app.close()


def _demo_settings(settings: Settings, shoppers: int) -> Settings:
    """Return settings for a throw-away home whose coupon budgets are small enough to run out."""
    home = settings.home / "demo"
    if home.exists():
        stop(home / "engine")
        shutil.rmtree(home)
    config = home / "config"
    shutil.copytree(settings.config_dir, config)
    _shrink_budgets(config / "coupons.toml", shoppers)
    return dataclasses.replace(settings, home=home, config_dir=config)


def _shrink_budgets(file: Path, shoppers: int) -> None:
    campaigns = tomllib.loads(file.read_text(encoding="utf-8"))
    lines = []
    for name, keys in campaigns.items():
        budget = max(1, round(shoppers * _BUDGET_SHARES.get(name, 1)))
        lines.append(f"[{name}]")
        lines += [f"{key} = {json.dumps(budget if key == 'budget_count' else value)}" for key, value in keys.items()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


async def _played(play: _Play, console: Console, *, stay: bool) -> Conclusion:
    app = play.installation.app
    opening = ShopOpening(
        api=app.settings.api.address,
        mailbox=f"http://127.0.0.1:{app.settings.mailbox.page_port}",
        write_key=play.write_key,
        shoppers=len(play.scenario.shoppers),
        seed=play.seed,
        starts_at=play.scenario.starts_at,
        journal=play.journal,
    )
    with View(console) as view:
        async with ShopProcess.opened(opening) as shop:

            async def watch() -> None:
                if view.due:
                    view.show(await _snapshot(app.store, play.simulation))

            conductor = Conductor(play.scenario, play.simulation, shop, watch)
            await conductor.play_traffic()
            await conductor.play_out()
            conclusion = conclude(
                play.scenario,
                _evidence(play),
                _rules(app),
                engine=_engine_numbers(play.installation),
                wall_s=time.monotonic() - play.began_s,
            )
            if stay:
                await conductor.leave_open(_LEFT_OPEN)
    console.print(final_table(conclusion, play.installation.addresses))
    for difference in conclusion.differences:
        print(difference, file=sys.stderr)
    return conclusion


def _write(report: Path, conclusion: Conclusion) -> None:
    report.write_text(json.dumps(conclusion.report, indent=2) + "\n", encoding="utf-8")


async def _stay(console: Console) -> None:
    console.print("Everything stays up until Ctrl-C.")
    await asyncio.Event().wait()


async def _snapshot(store: UnitOfWork, simulation: Simulation) -> Snapshot:
    overview = await look(store)
    journeys: Counter[str] = Counter()
    for (state, outcome), count in overview.enrolments.items():
        journeys[f"{state}: {outcome}" if outcome else state] += count
    messages: Counter[str] = Counter()
    for (step, state, reason), count in overview.messages.items():
        messages[f"{step} {state}" if state == "sent" or not reason else f"{step} {state}: {reason}"] += count
    return Snapshot(simulation.now(), journeys, messages, simulation.incidents())


def _evidence(play: _Play) -> Evidence:
    app = play.installation.app
    tables = app.database.tables(_TABLES)
    carts = [{**row, "item_count": sum(item["quantity"] for item in row["items"])} for row in tables["carts"]]
    facts = Facts(
        carts=cast("Any", carts),
        orders=cast("Any", tables["orders"]),
        enrolments=cast("Any", tables["enrolments"]),
        messages=cast("Any", tables["messages"]),
        coupons=cast("Any", tables["coupons"]),
        incidents=play.simulation.incidents(),
    )
    folder = app.settings.home / "mailbox"
    mails = [
        read_mail((folder / arrival.file).read_bytes(), arrival.to, arrival.arrived_at)
        for arrival in read_arrivals(folder)
    ]
    return Evidence(read_journal(play.journal), mails, facts)


def _rules(app: App) -> Rules:
    declared = tomllib.loads((app.settings.config_dir / "coupons.toml").read_text(encoding="utf-8"))
    keys = [field.name for field in dataclasses.fields(Campaign)]
    campaigns = {name: Campaign(**{key: table[key] for key in keys}) for name, table in declared.items()}
    return Rules(campaigns)


def _engine_numbers(installation: Installation) -> EngineNumbers:
    engine = installation.engine
    if engine is None:
        raise AssertionError("the demo starts its own engine")
    return EngineNumbers(version=engine.version, ready_s=round(engine.ready_s, 1))
