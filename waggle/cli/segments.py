"""`waggle segments`: whom a campaign may be for."""

import msgspec
from cyclopts import App as Commands
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.cli.with_app import with_app
from waggle.domain.segment import Segment, SegmentRule

app = Commands(
    name="segments",
    help="Whom a campaign may be for: rules in config/segments, evaluated over what is known of each person.\n\n"
    "Example: `waggle segments list`",
)


@app.default
@app.command(name="list")
def list_(*, json: bool = False) -> None:
    """List the segments and their rules.

    Example: `waggle segments list`

    Parameters
    ----------
    json
        One JSON document for programs.
    """

    async def listing(waggle: App) -> list[Segment]:
        return waggle.segments.list()

    found = with_app(listing)
    if json:
        print(msgspec.json.encode(found).decode())
        return
    table = Table(box=None, pad_edge=False)
    for head in ("segment", "title", "rules"):
        table.add_column(head, overflow="fold")
    for each in found:
        table.add_row(each.name, each.title, "\n".join(_rules(each)))
    Console().print(table)


@app.command
def count(name: str, *, json: bool = False) -> None:
    """Count the persons in a segment; whether each may be written to is asked when they are.

    Example: `waggle segments count newsletter-readers`

    Parameters
    ----------
    name
        A file of config/segments.
    json
        One JSON document for programs.
    """
    found = with_app(lambda waggle: waggle.segments.count(name))
    print(msgspec.json.encode({"segment": name, "persons": found}).decode() if json else f"{name}: {found:,} persons")


def _rules(segment: Segment) -> list[str]:
    parts = (("all", segment.all_of), ("any", segment.any_of), ("none", segment.none_of))
    return [f"{word}: {_told(rule)}" for word, rules in parts for rule in rules]


def _told(rule: SegmentRule) -> str:
    value = ", ".join(rule.value) if isinstance(rule.value, tuple) else rule.value
    words = (rule.field, rule.rule, "" if value is None else str(value), rule.currency)
    return " ".join(word for word in words if word)
