"""`waggle consents`: what a customer agreed to, and the proof of it."""

import msgspec
from cyclopts import App as Commands
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.ports.unit_of_work import AuditEntry
from waggle.services.consents import Link, Standing

app = Commands(
    name="consents",
    help="Consents: how they stand, and what proves them.\n\nExample: `waggle consents show c-1`",
)


@app.command
def show(ref: str, *, json: bool = False) -> None:
    """Show how each purpose and channel of a customer stands.

    Example: `waggle consents show c-1`

    Parameters
    ----------
    ref
        The customer's id in the shop.
    json
        One JSON document for programs.
    """
    found: list[Standing] = with_app(lambda waggle: waggle.privacy.consents.of(ref, waggle.clock.now()))
    if json:
        print(msgspec.json.encode(found).decode())
        return
    if not found:
        print("Nothing was ever said.")
        return
    table = Table(box=None, pad_edge=False)
    for head in ("purpose", "channel", "state", "since (UTC)", "said by", "wording", "legal basis"):
        table.add_column(head)
    for each in found:
        table.add_row(
            each.purpose,
            each.channel,
            each.state,
            f"{each.since:%Y-%m-%d %H:%M}",
            each.mechanism or "-",
            each.text_version or "-",
            each.legal_basis,
        )
    Console().print(table)


@app.command
def proof(ref: str, *, purpose: str, channel: str, by: By = None, json: bool = False) -> None:
    """Prove a consent: every statement on it with its source, and the wording word for word.

    It shows personal data (the address a statement came from), so the audit log keeps who looked.

    Example: `waggle consents proof c-1 --purpose marketing --channel email`

    Parameters
    ----------
    ref
        The customer's id in the shop.
    purpose
        As `waggle consents show` lists it.
    channel
        As `waggle consents show` lists it.
    by
        Who looks.
    json
        One JSON document for programs.
    """

    async def prove(waggle: App) -> list[Link]:
        who = await acting(waggle, by, "privacy:manage")
        proof = await waggle.privacy.consents.proof(ref, purpose, channel)
        if proof:
            # Of nobody nothing is shown; and an address in place of an id would stay in the log for ever.
            entry = AuditEntry(
                at=waggle.clock.now(),
                actor=who,
                action="consent-proof-shown",
                subject=ref,
                why=f"{purpose}, {channel}",
            )
            await waggle.store.run(lambda tx: tx.audit.add(entry))
        return proof

    found = with_app(prove)
    if json:
        print(msgspec.json.encode(found).decode())
        return
    if not found:
        print("Nothing was ever said.")
    for each in found:
        print(f"{each.stated_at:%Y-%m-%d %H:%M:%S} UTC  {each.state}  (legal basis: {each.legal_basis})")
        for name, value in (
            ("said by", each.mechanism),
            ("event", f"{each.source}/{each.event_id}" if each.event_id else None),
            ("page", each.proof_url),
            ("address", each.ip),
            ("ends", each.valid_until and f"{each.valid_until:%Y-%m-%d %H:%M} UTC"),
            ("wording", each.text_version),
            ("sha256", each.text_sha256),
        ):
            if value:
                print(f"  {name}: {value}")
        for line in (each.text or "").splitlines():
            print(f"  | {line}")
