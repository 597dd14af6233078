"""`waggle events`: what was set aside or refused at the door, and the way to mend it."""

from typing import Annotated

import msgspec
from cyclopts import App as Commands
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.errors import BadSettings
from waggle.log import configure
from waggle.ports.unit_of_work import RefusedArrival
from waggle.services.quarantine import EventCounts, QuarantineLine, Retried

app = Commands(
    name="events",
    help="Events at the door: those that were set aside, and those that were turned away.\n\n"
    "Example: `waggle events list --quarantined` lists what waits for somebody.",
)


@app.default
@app.command(name="list")
def list_(*, quarantined: bool = False, source: str | None = None, json: bool = False) -> None:
    """Count events that are not applied yet, or list what was set aside.

    Example: `waggle events list --quarantined`

    Parameters
    ----------
    quarantined
        What could not be understood (q...) or applied (e...), with the reason.
    source
        Only of this source.
    json
        One JSON document for programs.
    """
    if not quarantined:
        counts = with_app(lambda waggle: waggle.quarantine.counts())
        print(msgspec.json.encode(counts).decode() if json else _said(counts))
        return
    found = with_app(lambda waggle: waggle.quarantine.waiting(source=source))
    if json:
        print(msgspec.json.encode(found).decode())
    elif found:
        _show(found)
    else:
        print("Nothing is set aside.")


@app.command
def show(quarantine_id: str, *, reveal: bool = False, json: bool = False, by: By = None) -> None:
    """Show what something that was set aside consists of.

    Example: `waggle events show q12`

    Parameters
    ----------
    quarantine_id
        As `waggle events list --quarantined` shows it.
    reveal
        What it says, too, which may tell of somebody: the audit log remembers who looked.
    json
        One JSON document for programs.
    by
        Who looks; without it, who is logged in.
    """

    async def reveal_it(waggle: App) -> object:
        who = await acting(waggle, by, "events:manage")
        return await waggle.quarantine.content(quarantine_id, by=who)

    if reveal:
        encoded = msgspec.json.encode(with_app(reveal_it))
        print((encoded if json else msgspec.json.format(encoded)).decode())
        return
    shape = with_app(lambda waggle: waggle.quarantine.shape(quarantine_id))
    if json:
        print(msgspec.json.encode([{"where": where, "kind": kind} for where, kind in shape]).decode())
    else:
        for where, kind in shape:
            print(f"{where}  {kind}")


@app.command
def mend(
    quarantine_id: str,
    *,
    set_: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=True, negative="")],
    by: By = None,
    why: str,
) -> None:
    """Put other values into something that was set aside; then retry it.

    Example: `waggle events mend q12 --set data.currency=EUR --by kim --why "the shop sells in EUR alone"`

    Parameters
    ----------
    quarantine_id
        As `waggle events list --quarantined` shows it.
    set_
        PATH=VALUE, such as data.items[0].quantity=2; a value that is no JSON is text.
    by
        Who decides this; without it, who is logged in.
    why
        How it is known, without naming anybody.
    """
    changes = {}
    for each in set_:
        path, equals, value = each.partition("=")
        if not equals:
            raise BadSettings("PATH_UNKNOWN", "--set: write PATH=VALUE, such as data.currency=EUR")
        changes[path] = value

    async def change(waggle: App) -> None:
        who = await acting(waggle, by, "events:manage")
        await waggle.quarantine.mend(quarantine_id, changes, by=who, why=why)

    with_app(change)
    print(f"{quarantine_id} is mended; `waggle events retry {quarantine_id}` tries it again.")


@app.command
def drop(quarantine_id: str, *, by: By = None, why: str) -> None:
    """Give up something that could not be understood; its content is gone for ever.

    Example: `waggle events drop q12 --by kim --why "a test of the shop"`

    Parameters
    ----------
    quarantine_id
        As `waggle events list --quarantined` shows it; e... was accepted, and is never dropped.
    by
        Who decides this; without it, who is logged in.
    why
        Why nobody needs it, without naming anybody.
    """

    async def give_up(waggle: App) -> None:
        who = await acting(waggle, by, "events:manage")
        await waggle.quarantine.drop(quarantine_id, by=who, why=why)

    with_app(give_up)
    print(f"{quarantine_id} is dropped.")


@app.command
def retry(
    quarantine_id: str | None = None,
    *,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    source: str | None = None,
    json: bool = False,
) -> int:
    """Try something again that was set aside, as it is now.

    Example: `waggle events retry q12`

    Parameters
    ----------
    quarantine_id
        As `waggle events list --quarantined` shows it.
    all_
        Everything that waits.
    source
        With --all: only of this source.
    json
        One JSON document for programs.
    """
    if (quarantine_id is None) != all_:
        raise BadSettings("QUARANTINE_UNKNOWN", "name one that was set aside, or say --all")

    async def try_again(waggle: App) -> list[Retried]:
        # What still waits is said below.
        configure(waggle.settings.log.form, "error")
        if quarantine_id is None:
            return await waggle.quarantine.retry_all(source=source)
        return [await waggle.quarantine.retry(quarantine_id)]

    done = with_app(try_again)
    if json:
        print(msgspec.json.encode(done).decode())
    else:
        for each in done:
            print(f"{each.id}: {_BECAME[each.status]}{f' ({each.code} {each.where})' if each.code else ''}")
        if not done:
            print("Nothing is set aside.")
    return 1 if any(each.status == "refused" for each in done) else 0


@app.command
def refused(*, json: bool = False) -> None:
    """List the 200 events turned away last; their senders were told why, and nothing of them is kept.

    Example: `waggle events refused`

    Parameters
    ----------
    json
        One JSON document for programs.
    """
    found = with_app(lambda waggle: waggle.quarantine.refused())
    if json:
        print(msgspec.json.encode([_told(each) for each in found]).decode())
        return
    for each in found:
        print(f"{each.refused_at:%Y-%m-%d %H:%M:%S} UTC  {each.code}  {each.source}  {each.event_id or '-'}")
    if not found:
        print("No event was refused.")


_BECAME = {
    "taken": "taken",
    "released": "will be applied again",
    "refused": "still waits",
}


def _said(counts: EventCounts) -> str:
    return (
        f"{counts.pending} wait to be applied, {counts.unapplied} could not be applied, "
        f"{counts.unread} could not be understood."
    )


def _told(each: RefusedArrival) -> dict[str, object]:
    return {"source": each.source, "event_id": each.event_id, "code": each.code, "refused_at": each.refused_at}


def _show(found: list[QuarantineLine]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for line in found:
        at = f"{line.set_aside_at:%Y-%m-%d %H:%M:%S} UTC" if line.set_aside_at else "-"
        table.add_row(
            Text(f"{line.id}  {line.code}{f' {line.where}' if line.where else ''}\n  {line.source}, {line.what}, {at}")
        )
    Console().print(table)
