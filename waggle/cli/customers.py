"""`waggle customer`: what is known of somebody and where it came from, and who is one person."""

from datetime import datetime

import msgspec
from cyclopts import App as Commands
from rich.console import Console
from rich.table import Table
from rich.text import Text

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.errors import BadSettings
from waggle.services.customers import ConsentLine, CustomerPage, FieldLine, IdentityLine, MergeLine, Origin, ThingLine

Row = tuple[str, str, str]
"""What, its value, where it came from."""

app = Commands(
    name="customer",
    help="A customer: everything that is known, field by field with its origin, and which ids are one person.\n\n"
    "Example: `waggle customer show c-1`",
)


@app.command
def show(ref: str, *, reveal: bool = False, by: By = None, why: str = "", json: bool = False) -> None:
    """Show what is known of a customer: where each field came from, consents, carts, orders, journeys, messages.

    Names and addresses are masked.

    Example: `waggle customer show c-1`

    Parameters
    ----------
    ref
        Any id of theirs, also that of a browser, or an e-mail address.
    reveal
        Unmasked; the audit log keeps who saw it and why.
    by
        Who looks; without it, who is logged in.
    why
        For what it is needed; asked for with --reveal.
    json
        One JSON document for programs.
    """
    if reveal and not why:
        raise BadSettings("WHY_MISSING", "--reveal asks for --why: the audit log keeps both")

    async def look(waggle: App) -> CustomerPage:
        if not reveal:
            return await waggle.customer_desk.show(ref)
        who = await acting(waggle, by, "customers:read")
        return await waggle.customer_desk.reveal(ref, by=who, why=why)

    page = with_app(look)
    if json:
        print(msgspec.json.encode(page).decode())
    else:
        _print(page)


@app.command
def merge(customer_id: str, merged_customer_id: str, *, why: str, by: By = None) -> None:
    """Say that two ids are one person. From now on the first stands for both, until somebody splits them.

    Example: `waggle customer merge c-1 c-2 --why "both called about one order"`

    Parameters
    ----------
    customer_id
        The id that stands for both.
    merged_customer_id
        The other.
    why
        How it is known, without naming the customer.
    by
        Who says so; without it, who is logged in.
    """

    async def say(waggle: App) -> str:
        who = await acting(waggle, by, "privacy:manage")
        return await waggle.customer_desk.merge(customer_id, merged_customer_id, by=who, why=why)

    print(f"{customer_id} and {merged_customer_id} are one person, says event {with_app(say)}.")


@app.command
def split(customer_id: str, merged_customer_id: str, *, why: str, by: By = None) -> None:
    """Say that two ids are not one person, whatever address they share.

    Example: `waggle customer split c-1 c-2 --why "mother and son share a mailbox"`

    Parameters
    ----------
    customer_id
        One id.
    merged_customer_id
        The other.
    why
        How it is known, without naming the customer.
    by
        Who says so; without it, who is logged in.
    """

    async def say(waggle: App) -> str:
        who = await acting(waggle, by, "privacy:manage")
        return await waggle.customer_desk.split(customer_id, merged_customer_id, by=who, why=why)

    print(f"{customer_id} and {merged_customer_id} are two persons, says event {with_app(say)}.")


def _print(page: CustomerPage) -> None:
    console = Console(highlight=False, soft_wrap=True)
    others = f", also {', '.join(page.other_ids)}" if page.other_ids else ""
    console.print(Text.assemble((page.customer_id, "bold"), others))
    if page.erased_at is not None:
        back = ", and came back" if page.identified_at is not None else ""
        console.print(f"asked to be forgotten on {page.erased_at:%Y-%m-%d %H:%M:%S} UTC{back}")
    _section(console, "Fields", [_field(line) for line in page.fields])
    _section(console, "Identities", [_identity(each) for each in page.identities])
    _section(console, "Merges", [_merge(each) for each in page.merges])
    _section(console, "Consents", [_consent(each) for each in page.consents])
    for title, things in (("Carts", page.carts), ("Orders", page.orders), ("Payments", page.payments)):
        _section(console, title, [row for thing in things for row in _thing(thing)])
    journeys = [
        (each.journey, each.outcome or each.state, f"{each.enrolment_id}{', held out' if each.held_out else ''}")
        for each in page.enrolments
    ]
    _section(console, "Journeys", journeys)
    messages = [(each.step, f"{each.state} {each.reason}".strip(), _time(each.planned_at)) for each in page.messages]
    _section(console, "Messages", messages)
    _section(console, "Looked at", [(sku, _time(at), "") for sku, at in page.viewed])


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _identity(line: IdentityLine) -> Row:
    return line.kind, line.value, f"{line.customer_id}, from {line.source or '?'} since {line.first_seen_at:%Y-%m-%d}"


def _merge(line: MergeLine) -> Row:
    undone = f", undone {_time(line.undone_at)}" if line.undone_at is not None else ""
    ids = f"{line.customer_id} + {line.merged_customer_id}"
    return "merged" if line.merged else "split", ids, f"{_time(line.at)} by {line.source} {line.event_id}{undone}"


def _consent(line: ConsentLine) -> Row:
    return f"{line.purpose} by {line.channel}", line.state, f"{_time(line.stated_at)} {line.source or '?'}"


def _section(console: Console, title: str, rows: list[Row]) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False)
    for name, value, origin in rows:
        table.add_row(Text(f"  {name}"), Text(value), Text(origin, style="dim"))
    console.print(table)


def _field(line: FieldLine) -> Row:
    value = line.value if isinstance(line.value, str) else msgspec.json.encode(line.value).decode()
    overruled = f"; overruled: {', '.join(each.source or '?' for each in line.overruled)}" if line.overruled else ""
    return line.name, value, f"{_origin(line.origin)}{overruled}"


def _origin(origin: Origin) -> str:
    if not origin.source:
        return "told before origins were noted"
    return f"{origin.source} {origin.event_id}, {origin.at:%Y-%m-%d %H:%M:%S}"


def _thing(thing: ThingLine) -> list[Row]:
    head = (thing.id, thing.state, _time(thing.at) if thing.at is not None else "")
    return [head, *((f"  {name}", value, origin) for name, value, origin in map(_field, thing.fields))]
