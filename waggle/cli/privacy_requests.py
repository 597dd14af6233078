"""`waggle privacy-requests`: what customers ask about their data, and what became of it."""

from pathlib import Path

import msgspec
from cyclopts import App as Commands
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.domain.privacy import LegalHold, Right
from waggle.errors import PermanentFailure, Rejected
from waggle.ports.unit_of_work import AuditEntry, Transaction
from waggle.services.held_erasures import release
from waggle.services.own_words import refuse_personal
from waggle.services.privacy_requests import NOBODY_HAS_THIS_ID, RequestLine

app = Commands(
    name="privacy-requests",
    help="Requests of customers about their data: access, erasure and so on, with the day they are due.\n\n"
    "Example: `waggle privacy-requests list`",
)


@app.default
@app.command(name="list")
def list_(*, all_states: bool = False, json: bool = False) -> None:
    """List what is to be done, the most urgent first; ids only, never the person.

    Example: `waggle privacy-requests list`

    Parameters
    ----------
    all_states
        Also those that are closed.
    json
        One JSON document for programs.
    """
    found = with_app(lambda waggle: waggle.privacy.requests.list(all_states=all_states))
    if json:
        print(msgspec.json.encode(found).decode())
    elif found:
        _table(found)
    else:
        print("No request is open.")


@app.command(name="open")
def open_(right: Right, ref: str, *, by: By = None, json: bool = False) -> None:
    """Open a request for a customer whose identity you have checked; its journey does the rest.

    Example: `waggle privacy-requests open access c-1 --by kim`

    Parameters
    ----------
    right
        What is asked for.
    ref
        The customer's id in the shop.
    by
        Who opens it.
    json
        One JSON document for programs.
    """

    async def opening(waggle: App) -> RequestLine:
        who = await acting(waggle, by, "privacy:manage")
        return await waggle.privacy.requests.open(right, ref, source="cli", by=who)

    line = with_app(opening)
    print(msgspec.json.encode(line).decode() if json else f"{line.request_id} is open, due {line.due_at:%Y-%m-%d}.")


@app.command
def show(request_id: str, *, json: bool = False) -> None:
    """Show one request.

    Example: `waggle privacy-requests show 1b4e28ba-2fa1-11d2-883f-0016d3cca427`

    Parameters
    ----------
    request_id
        As `waggle privacy-requests list` shows it.
    json
        One JSON document for programs.
    """
    line = with_app(lambda waggle: waggle.privacy.requests.show(request_id))
    if line is None:
        raise PermanentFailure("PRIVACY_REQUEST_UNKNOWN", f"there is no request {request_id!r}")
    if json:
        print(msgspec.json.encode(line).decode())
    else:
        _table([line])


@app.command
def done(request_id: str, *, why: str, refused: bool = False, by: By = None) -> None:
    """Close a request that a person has answered.

    Example: `waggle privacy-requests done 1b4e28ba --why "sent on paper" --by kim`

    Parameters
    ----------
    request_id
        As `waggle privacy-requests list` shows it.
    why
        What was done, or why it was refused, without naming the customer.
    refused
        It was not granted.
    by
        Who says so.
    """
    refuse_personal("why", why)

    async def closing(waggle: App) -> RequestLine:
        who = await acting(waggle, by, "privacy:manage")
        outcome = "refused" if refused else "answered"
        return await waggle.privacy.requests.done(request_id, outcome=outcome, by=who, why=why)

    print(f"{request_id} is closed: {with_app(closing).outcome}.")


@app.command
def export(ref: str, *, to: Path, by: By = None) -> None:
    """Write the copy of everything that is held about a customer, to hand it over by other means than mail.

    The file is not encrypted. The audit log keeps who made it.

    Example: `waggle privacy-requests export c-1 --to copy.zip --by kim`

    Parameters
    ----------
    ref
        The customer's id in the shop.
    to
        The ZIP to write; it must not exist yet.
    by
        Who makes it.
    """

    async def exporting(waggle: App) -> bytes:
        who = await acting(waggle, by, "privacy:manage")
        packed = await waggle.privacy.exporting.make(ref)
        entry = AuditEntry(at=waggle.clock.now(), actor=who, action="customer-exported", subject=ref, why="by hand")
        await waggle.store.run(lambda tx: tx.audit.add(entry))
        return packed

    try:
        # Before anything is noted: an export that no file can take must not stand in the audit log.
        to.touch(mode=0o600, exist_ok=False)
    except FileExistsError as error:
        raise PermanentFailure("FILE_NOT_WRITTEN", f"{to} is there already; name another") from error
    try:
        packed = with_app(exporting)
        to.write_bytes(packed)
    except BaseException:
        to.unlink()
        raise
    print(f"{to}: {len(packed)} bytes. Delete it once it was handed over.")


@app.command
def hold(ref: str, *, why: str, lift: bool = False, by: By = None) -> None:
    """Keep a customer's data whatever its term (a lawsuit, an audit), or let go of it again.

    Who asks to be forgotten meanwhile gets no more messages, and is forgotten once the hold is lifted.

    Example: `waggle privacy-requests hold c-1 --why "case 12/2026" --by kim`

    Parameters
    ----------
    ref
        The customer's id in the shop.
    why
        What for, without naming the customer.
    lift
        End it.
    by
        Who says so.
    """
    refuse_personal("why", why)

    async def holding(waggle: App) -> int | None:
        who = await acting(waggle, by, "privacy:manage")
        now = waggle.clock.now()
        action = "legal-hold-lifted" if lift else "legal-hold-set"

        def store(tx: Transaction) -> int | None:
            waited = 0
            if lift:
                if not tx.legal_holds.is_held(ref):
                    return None
                tx.legal_holds.lift(ref)
                waited = release(tx, ref)
            else:
                if tx.customers.get(ref) is None:
                    raise Rejected("CUSTOMER_UNKNOWN", NOBODY_HAS_THIS_ID)
                tx.legal_holds.add(LegalHold(customer_id=ref, why=why, held_by=who, since=now))
            tx.audit.add(AuditEntry(at=now, actor=who, action=action, subject=ref, why=why))
            return waited

        return await waggle.store.run(store)

    waited = with_app(holding)
    if waited is None:
        print(f"{ref} was not held; nothing was changed.")
    else:
        print(f"{ref} is {'no longer ' if lift else ''}held.")
    if waited:
        print("They asked to be forgotten: the relay does it now.")


def _table(found: list[RequestLine]) -> None:
    table = Table(box=None, pad_edge=False)
    for head in ("request", "right", "customer", "through", "state", "opened (UTC)", "due"):
        table.add_column(head, overflow="fold")
    for each in found:
        state = f"{each.state} ({each.outcome})" if each.outcome else each.state
        table.add_row(
            each.request_id,
            each.right,
            each.customer_id,
            each.source,
            state,
            f"{each.opened_at:%Y-%m-%d %H:%M}",
            f"{each.due_at:%Y-%m-%d}" + (" OVERDUE" if each.overdue else ""),
        )
    Console().print(table)
