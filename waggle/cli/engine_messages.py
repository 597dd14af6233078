"""`waggle engine-messages`: what the engine refused, and the way to send it again."""

from typing import Annotated

import msgspec
from cyclopts import App as Commands
from cyclopts import Parameter

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.errors import BadSettings

app = Commands(
    name="engine-messages",
    help="Engine messages: those that the engine refused.\n\n"
    "Example: `waggle engine-messages list` shows them with the engine's reason.",
)


@app.default
@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """List engine messages that the engine refused and nobody sent again.

    Example: `waggle engine-messages list`

    Parameters
    ----------
    json
        One JSON document for programs.
    """
    found = with_app(lambda waggle: waggle.refused_messages.refused())
    if json:
        print(msgspec.json.encode(found).decode())
        return
    for each in found:
        print(f"{each.queue_id}  {each.code}  {each.name}, enrolment {each.enrolment_id}")
    if not found:
        print("The engine refused none.")


@app.command
def retry(
    queue_id: int | None = None,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    by: By = None,
    why: str,
) -> None:
    """Send an engine message again that the engine refused.

    Example: `waggle engine-messages retry 17 --by kim --why "the journey is deployed now"`

    Parameters
    ----------
    queue_id
        As `waggle engine-messages list` shows it.
    all_
        The 200 that were refused first.
    by
        Who decides this; without it, who is logged in.
    why
        What is different now.
    """
    if (queue_id is None) != all_:
        raise BadSettings("ENGINE_MESSAGE_UNKNOWN", "name one that was refused, or say --all")

    async def send(waggle: App) -> int:
        who = await acting(waggle, by, "events:manage")
        return await waggle.refused_messages.send_again(None if queue_id is None else [queue_id], by=who, why=why)

    print(f"{with_app(send)} will be sent again.")
