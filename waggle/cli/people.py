"""`waggle people`: who works with Waggle, and in which role."""

from datetime import timedelta

import msgspec
from cyclopts import App as Commands
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.duration import Duration
from waggle.cli.with_app import with_app
from waggle.domain.role import ROLES, SCOPES, Role

app = Commands(
    name="people",
    help="People: who works with Waggle, in which role, and their tokens for the API.\n\n"
    "Once somebody was added, only people who are known here decide things, as their role lets them.\n\n"
    "Example: `waggle people add kim --role owner` adds the first.",
)


@app.command
def add(name: str, *, role: Role, by: By = None) -> None:
    """Add somebody, or change their role; the first one is the owner.

    Example: `waggle people add kim --role operator`

    Parameters
    ----------
    name
        A short name, no address: the audit log keeps it for ever.
    role
        `waggle people roles` shows what each may do.
    by
        Who decides this; without it, who is logged in.
    """

    async def put(waggle: App) -> None:
        await waggle.accounts.people.add(name, role, by=await acting(waggle, by, "admin"))

    with_app(put)
    print(f"{name} is {role}.")


@app.default
@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """List those who work here.

    Example: `waggle people list`

    Parameters
    ----------
    json
        One JSON document for programs.
    """
    found = with_app(lambda waggle: waggle.accounts.people.list())
    if json:
        print(msgspec.json.encode(found).decode())
        return
    if not found:
        print("Nobody was added: whoever can run commands here decides. `waggle people add NAME --role owner`.")
        return
    table = Table("name", "role", "since", "tokens", box=None, pad_edge=False)
    for line in found:
        table.add_row(line.name, line.role, f"{line.added_at:%Y-%m-%d}", str(line.tokens))
    Console().print(table)


@app.command
def remove(name: str, *, by: By = None) -> None:
    """Let somebody decide nothing any more; their tokens end within five seconds.

    Example: `waggle people remove kim`

    Parameters
    ----------
    name
        As `waggle people list` shows it.
    by
        Who decides this; without it, who is logged in.
    """

    async def end(waggle: App) -> None:
        await waggle.accounts.people.remove(name, by=await acting(waggle, by, "admin"))

    with_app(end)
    print(f"{name} is removed.")


@app.command
def token(name: str, *, expires: Duration = timedelta(days=90), by: By = None) -> None:
    """Print a token with which NAME may use the API as their role allows; it is shown this once.

    Example: `waggle people token kim --expires P30D`

    Parameters
    ----------
    name
        As `waggle people list` shows it.
    expires
        For how long it is good, such as P30D.
    by
        Who decides this; without it, who is logged in.
    """

    async def give(waggle: App) -> str:
        who = await acting(waggle, by, "admin")
        return (await waggle.accounts.people.token(name, expires=expires, by=who)).token

    print(with_app(give))


@app.command
def roles(*, json: bool = False) -> None:
    """Show what each role may do.

    Example: `waggle people roles`

    Parameters
    ----------
    json
        One JSON document for programs.
    """
    if json:
        print(msgspec.json.encode({role: sorted(scopes) for role, scopes in ROLES.items()}).decode())
        return
    table = Table("scope", *(role.replace("-", "\n") for role in ROLES), box=None, pad_edge=False)
    for scope in SCOPES:
        table.add_row(scope, *("yes" if scope in scopes else "" for scopes in ROLES.values()))
    Console().print(table)
