"""`waggle transfers`: the register of what left the house."""

import msgspec
from rich.console import Console
from rich.table import Table

from waggle.cli.with_app import with_app


def transfers(*, json: bool = False) -> None:
    """Show how many records with personal data went where, and for which purpose; never whose.

    Example: `waggle transfers`

    Parameters
    ----------
    json
        One JSON document for programs.
    """
    found = with_app(lambda waggle: waggle.privacy.transfers.totals())
    if json:
        print(msgspec.json.encode(found).decode())
        return
    if not found:
        print("Nothing personal has left.")
        return
    table = Table(box=None, pad_edge=False)
    for head in ("destination", "purpose", "records", "last (UTC)"):
        table.add_column(head)
    for each in found:
        table.add_row(each.destination, each.purpose, str(each.count), f"{each.last_at:%Y-%m-%d %H:%M}")
    Console().print(table)
