"""`waggle messages`: what became of messages, and the last word on those in doubt."""

import asyncio
from typing import Annotated

import msgspec
from cyclopts import App as Commands
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.services.message_doubts import MessageLine, Verdict
from waggle.settings import load_settings

_NEWEST = 100

app = Commands(
    name="messages",
    help="Messages: what became of them, and those that may or may not have left.\n\n"
    "Example: `waggle messages list --in-doubt` lists what somebody has to look up.",
)


@app.default
@app.command(name="list")
def list_(*, in_doubt: bool = False, json: bool = False) -> None:
    """List messages, the newest 100 or all in doubt; ids only, never the person.

    Example: `waggle messages list --in-doubt`

    Parameters
    ----------
    in_doubt
        Every message that was handed over without a known answer, the oldest first.
    json
        One JSON document for programs.
    """
    waggle = App(load_settings())
    try:
        found = asyncio.run(waggle.doubts.in_doubt() if in_doubt else waggle.doubts.newest(_NEWEST))
    finally:
        waggle.close()
    if json:
        print(msgspec.json.encode(found).decode())
    elif found:
        _show(found)
    else:
        print("No message is in doubt." if in_doubt else "There are no messages.")


@app.command
def settle(message_id: str, *, verdict: Annotated[Verdict, Parameter(name="--as")], why: str, by: By = None) -> None:
    """Say what became of a message in doubt. It stands for ever, and the audit log keeps who said it.

    Settled as failed, its coupon goes back to the budget. The message is not sent again either way.

    Example: `waggle messages settle 1b4e28ba --as sent --by kim --why "listed in the log of the mail server"`

    Parameters
    ----------
    message_id
        As `waggle messages list --in-doubt` shows it.
    verdict
        sent: it left. failed: it did not.
    why
        How it was found out, without naming the shopper.
    by
        Who says so; without it, who is logged in.
    """

    async def say(waggle: App) -> None:
        await waggle.doubts.settle(message_id, verdict, by=await acting(waggle, by, "events:manage"), why=why)

    with_app(say)
    print(f"{message_id} is settled as {verdict}.")


def _show(found: list[MessageLine]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for line in found:
        left = f"handed over {line.handed_over_at:%Y-%m-%d %H:%M:%S} UTC" if line.handed_over_at else "not handed over"
        asked = f", by {line.provider}" if line.provider else ""
        table.add_row(
            f"{line.message_id}\n"
            f"  {line.state}: {line.reason or '-'}, {left}{asked}\n"
            f"  {line.journey}, {line.step}, enrolment {line.enrolment_id}"
        )
    Console().print(table)
