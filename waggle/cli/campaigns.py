"""`waggle campaigns`: one message to everybody in a segment, steered from here."""

import msgspec
from cyclopts import App as Commands
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.domain.campaign import CampaignWish
from waggle.domain.role import Scope
from waggle.services.campaigns import CampaignLine, CampaignProgress

app = Commands(
    name="campaigns",
    help="One message to everybody in a segment (config/campaigns), once a person has approved it.\n\n"
    "Example: `waggle campaigns start spring-news`",
)
_SCOPE: Scope = "campaigns:manage"


@app.default
@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """List the newest runs, and what may be started.

    Example: `waggle campaigns list`

    Parameters
    ----------
    json
        One JSON document for programs.
    """

    async def listing(waggle: App) -> tuple[list[CampaignLine], list[str]]:
        return await waggle.campaigns.list(), waggle.campaigns.names

    found, names = with_app(listing)
    if json:
        print(msgspec.json.encode({"runs": found, "files": names}).decode())
        return
    if found:
        table = Table(box=None, pad_edge=False)
        table.add_column("run", no_wrap=True)
        for head in ("state", "persons", "planned", "asked by", "requested (UTC)"):
            table.add_column(head, overflow="fold")
        for each in found:
            state = f"{each.state} ({each.outcome})" if each.outcome else each.state
            counted = "" if each.counted is None else f"{each.counted:,}"
            when = f"{each.requested_at:%Y-%m-%d %H:%M}"
            table.add_row(each.campaign_id, state, counted, f"{each.planned:,}", each.requested_by or "", when)
        Console().print(table)
    print(f"May be started: {', '.join(names) or 'nothing; add a file to config/campaigns'}.")


@app.command
def start(name: str, *, by: By = None, json: bool = False) -> None:
    """Ask for a run; nothing leaves before somebody else has approved it.

    Example: `waggle campaigns start spring-news --by kim`

    Parameters
    ----------
    name
        A file of config/campaigns.
    by
        Who asks.
    json
        One JSON document for programs.
    """

    async def starting(waggle: App) -> str:
        return await waggle.campaigns.start(name, by=await acting(waggle, by, _SCOPE))

    run = with_app(starting)
    if json:
        print(msgspec.json.encode({"campaign_id": run}).decode())
    else:
        print(f"{run} was requested. `waggle approvals list` shows it once its segment is counted.")


@app.command
def pause(run: str, *, by: By = None, json: bool = False) -> None:
    """Let a run rest: nothing further is begun, within seconds.

    Example: `waggle campaigns pause spring-news-20260301-1a2b3c`

    Parameters
    ----------
    run
        As `waggle campaigns list` shows it.
    by
        Who says so.
    json
        One JSON document for programs.
    """
    _wish(run, "pause", by, json=json)


@app.command
def resume(run: str, *, by: By = None, json: bool = False) -> None:
    """Let a paused run go on, within minutes.

    Example: `waggle campaigns resume spring-news-20260301-1a2b3c`

    Parameters
    ----------
    run
        As `waggle campaigns list` shows it.
    by
        Who says so.
    json
        One JSON document for programs.
    """
    _wish(run, "go", by, json=json)


@app.command
def stop(run: str, *, by: By = None, json: bool = False) -> None:
    """End a run for good; who has not got the message yet does not get it.

    Example: `waggle campaigns stop spring-news-20260301-1a2b3c`

    Parameters
    ----------
    run
        As `waggle campaigns list` shows it.
    by
        Who says so.
    json
        One JSON document for programs.
    """
    _wish(run, "stop", by, json=json)


@app.command
def show(run: str, *, json: bool = False) -> None:
    """Show how far a run is: what became of every recipient, and why.

    Example: `waggle campaigns show spring-news-20260301-1a2b3c`

    Parameters
    ----------
    run
        As `waggle campaigns list` shows it.
    json
        One JSON document for programs.
    """
    found = with_app(lambda waggle: waggle.campaigns.show(run))
    if json:
        print(msgspec.json.encode(found).decode())
    else:
        _progress(found)


def _wish(run: str, wish: CampaignWish, by: str | None, *, json: bool) -> None:
    async def wishing(waggle: App) -> CampaignLine:
        return await waggle.campaigns.wish(run, wish, by=await acting(waggle, by, _SCOPE))

    line = with_app(wishing)
    print(msgspec.json.encode(line).decode() if json else f"{run}: {line.state}")


def _progress(found: CampaignProgress) -> None:
    line = found.line
    print(f"{line.campaign_id}: {line.title}, {line.state}{f' ({line.outcome})' if line.outcome else ''}")
    counted = "not counted yet" if line.counted is None else f"{line.counted:,} persons when it was counted"
    print(f"{counted}; {line.planned:,} taken up, {found.final:,} of them done")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    for word, count in found.results.items():
        table.add_row(word, f"{count:,}")
    Console().print(table)
