"""`waggle keys`: which programs may send and ask."""

from datetime import timedelta
from typing import Annotated

import msgspec
from cyclopts import App as Commands
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table
from rich.text import Text

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.duration import Duration
from waggle.cli.with_app import with_app
from waggle.domain.role import Scope
from waggle.services.keys import KeyLine

app = Commands(
    name="keys",
    help="Keys: which programs may send events and ask questions, and for how long.\n\n"
    "Example: `waggle keys create shop` prints one for the header `Authorization: Bearer <key>`.",
)

_EVENTS: tuple[Scope, ...] = ("events:write",)


@app.command
def create(
    source: str,
    *,
    scopes: Annotated[tuple[Scope, ...], Parameter(consume_multiple=True, negative="")] = _EVENTS,
    expires: Duration | None = None,
    by: By = None,
) -> None:
    """Make a key for SOURCE and print it; it is shown this once.

    Example: `waggle keys create backoffice --scopes customers:read orders:read --expires P90D`

    Parameters
    ----------
    source
        Name of the system that gets it, such as shop or shop/eu; older keys of it stay good.
    scopes
        What it may do.
    expires
        For how long it is good, such as P90D; without it, until it is revoked.
    by
        Who decides this; without it, who is logged in.
    """

    async def make(waggle: App) -> str:
        who = await acting(waggle, by, "admin")
        return (await waggle.accounts.keys.create(source, scopes=scopes, expires=expires, by=who)).token

    print(with_app(make))


@app.default
@app.command(name="list")
def list_(*, all_: Annotated[bool, Parameter(name="--all", negative="")] = False, json: bool = False) -> None:
    """List the keys that are good, with their age and last use; the keys themselves are not kept.

    Example: `waggle keys list --all`

    Parameters
    ----------
    all_
        Those that were revoked or have expired, too.
    json
        One JSON document for programs.
    """
    found = [line for line in with_app(lambda waggle: waggle.accounts.keys.list()) if all_ or line.state == "good"]
    if json:
        print(msgspec.json.encode(found).decode())
    elif found:
        _show(found)
    else:
        print("There are no keys; `waggle keys create SOURCE` makes one.")


@app.command
def rotate(key_id: str, *, overlap: Duration = timedelta(hours=24), by: By = None) -> None:
    """Print a new key that may do what KEY_ID may; that one stays good for a while.

    Example: `waggle keys rotate k-0f343b0931 --overlap PT24H`

    Parameters
    ----------
    key_id
        As `waggle keys list` shows it.
    overlap
        For how long the old key stays good, such as PT24H; it never gets longer than it was.
    by
        Who decides this; without it, who is logged in.
    """

    async def swap(waggle: App) -> str:
        who = await acting(waggle, by, "admin")
        return (await waggle.accounts.keys.rotate(key_id, overlap=overlap, by=who)).token

    print(with_app(swap))


@app.command
def revoke(key_id: str, *, why: str, by: By = None) -> None:
    """End a key; every process knows within five seconds.

    Example: `waggle keys revoke k-0f343b0931 --why "the partner left"`

    Parameters
    ----------
    key_id
        As `waggle keys list` shows it.
    why
        Stands in the audit log for ever.
    by
        Who decides this; without it, who is logged in.
    """

    async def end(waggle: App) -> None:
        await waggle.accounts.keys.revoke(key_id, by=await acting(waggle, by, "admin"), why=why)

    with_app(end)
    print(f"{key_id} is revoked.")


def _show(found: list[KeyLine]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for line in found:
        table.add_row(Text.assemble((line.key_id, "bold"), f"  {line.name}  {line.hint}\n  {_story(line)}"))
    Console().print(table)
    if any(line.remind for line in found):
        print("Old keys: `waggle keys rotate KEY_ID` gives a new one, while the old one stays good for a day.")


def _story(line: KeyLine) -> str:
    may = line.role or " ".join(line.scopes)
    used = f"{line.last_used_at:%Y-%m-%d %H:%M} UTC" if line.last_used_at else "never"
    told = [may, f"{line.age_days} days old{' (old)' if line.remind else ''}, last used: {used}"]
    if line.state == "revoked":
        told.append(f"revoked {line.revoked_at:%Y-%m-%d %H:%M} UTC")
    elif line.expires_at is not None:
        told.append(f"{'expired' if line.state == 'expired' else 'good until'} {line.expires_at:%Y-%m-%d %H:%M} UTC")
    if line.replaced_by is not None:
        told.append(f"replaced by {line.replaced_by}")
    return "\n  ".join(told)
