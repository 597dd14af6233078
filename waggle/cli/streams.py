"""`waggle streams`: how far others have been told of what happens here."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from cyclopts import App as Commands
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.errors import BadSettings
from waggle.services.streaming import StreamLine

app = Commands(
    name="streams",
    help="Streams: how far brokers and receivers were told of facts and outcomes.\n\n"
    "Each is a section `[stream.<name>]` of waggle.toml; `waggle exchange` tells them.\n\n"
    "Example: `waggle streams list` shows position, what waits, and the last failure.",
)


@app.default
@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """List every stream that has begun.

    Example: `waggle streams list --json`

    Parameters
    ----------
    json
        One JSON document for programs.
    """
    found = with_app(lambda waggle: waggle.streams.outbox.lines())
    if json:
        print(msgspec.json.encode(found).decode())
    elif found:
        _show(found)
    else:
        print("No stream has begun. Write [stream.<name>] into waggle.toml and run `waggle exchange`.")


@app.command
def rewind(name: str, *, to: Annotated[str, Parameter(name="--to")], why: str, by: By = None) -> None:
    """Set a stream back, so that what comes after is told again; or on, so that it is never told.

    Example: `waggle streams rewind lake --to 2026-05-04T00:00 --why "the lake lost a day"`

    Parameters
    ----------
    name
        As `waggle streams list` shows it.
    to
        The last position that counts as told, or a time: what became known from then on is told. UTC, unless a zone
        is given.
    why
        What the audit log keeps.
    by
        Who decides this; without it, who is logged in.
    """
    place = _place(to)

    async def set_back(waggle: App) -> int:
        return await waggle.streams.outbox.rewind(name, place, by=await acting(waggle, by, "sources:manage"), why=why)

    print(f"{name} goes on after position {with_app(set_back)}.")


def _place(said: str) -> int | datetime:
    if said.isascii() and said.isdigit():
        return int(said)
    try:
        at = datetime.fromisoformat(said)
    except ValueError:
        raise BadSettings("POSITION_UNKNOWN", "--to: give a position, or a time such as 2026-05-04T10:00:00Z") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _show(found: list[StreamLine]) -> None:
    table = Table("stream", "position", "waiting", "since", "last failure", box=None, pad_edge=False)
    for line in found:
        since = f"{line.waiting_since:%Y-%m-%d %H:%M:%S}" if line.waiting_since else "-"
        failure = f"{line.code} ({line.failures} in a row)" if line.code else "-"
        table.add_row(line.name, str(line.position), str(line.waiting), since, failure)
    Console().print(table)
