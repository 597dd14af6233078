"""`waggle effects`: what journeys did outside beyond messages, and the last word on what is in doubt."""

import asyncio
from typing import Annotated, Literal

import msgspec
from cyclopts import App as Commands
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.domain.effect import Effect
from waggle.settings import load_settings

app = Commands(
    name="effects",
    help="Tickets, places in audiences and the like that may or may not have come about.\n\n"
    "Example: `waggle effects list` lists what somebody has to look up.",
)


@app.default
@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """List the effects whose answer was lost, the oldest first; ids only, never the person.

    Example: `waggle effects list`

    Parameters
    ----------
    json
        One JSON document for programs.
    """
    waggle = App(load_settings())
    try:
        found = asyncio.run(waggle.effects.in_doubt())
    finally:
        waggle.close()
    if json:
        print(msgspec.json.encode([_told(effect) for effect in found]).decode())
    elif found:
        _show(found)
    else:
        print("No effect is in doubt.")


@app.command
def settle(
    effect_id: str,
    *,
    verdict: Annotated[Literal["done", "failed"], Parameter(name="--as")],
    why: str,
    by: By = None,
) -> None:
    """Say what became of an effect in doubt. It stands for ever, and is not tried again.

    Example: `waggle effects settle 1b4e28ba --as done --by kim --why "seen there"`

    Parameters
    ----------
    effect_id
        As `waggle effects list` shows it.
    verdict
        done: it came about. failed: it did not.
    why
        How it was found out, without naming the customer.
    by
        Who says so; without it, who is logged in.
    """

    async def say(waggle: App) -> None:
        await waggle.effects.settle(effect_id, verdict, by=await acting(waggle, by, "events:manage"), why=why)

    with_app(say)
    print(f"{effect_id} is settled as {verdict}.")


def _told(effect: Effect) -> dict[str, object]:
    return {
        "effect_id": effect.effect_id,
        "kind": effect.kind,
        "enrolment_id": effect.enrolment_id,
        "step": effect.step,
        "reason": effect.reason,
        "handed_over_at": effect.handed_over_at,
    }


def _show(found: list[Effect]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for effect in found:
        begun = f"{effect.handed_over_at:%Y-%m-%d %H:%M:%S} UTC" if effect.handed_over_at else "unknown"
        table.add_row(
            f"{effect.effect_id}\n  {effect.kind}: {effect.reason}, begun {begun}\n"
            f"  {effect.step}, enrolment {effect.enrolment_id}"
        )
    Console().print(table)
