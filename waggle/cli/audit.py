"""`waggle audit`: who decided what, and that nobody changed it since."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cyclopts import App as Commands
from rich.console import Console
from rich.table import Table
from rich.text import Text

from waggle.app import App
from waggle.cli.with_app import with_app
from waggle.errors import BadSettings
from waggle.ports.unit_of_work import ChainedEntry
from waggle.services.auditing import Checkpoint, Verdict, as_ecs, read_checkpoints

_NEWEST = 100
_STANDARD_OUTPUT = Path("-")

app = Commands(
    name="audit",
    help="The audit log: who decided what, and that nobody changed it since.\n\n"
    "Example: `waggle audit verify` follows the chain from the first row to the last.",
)


@app.default
@app.command(name="list")
def list_(*, subject: str | None = None, since: datetime | None = None, json: bool = False) -> None:
    """List the newest 100 entries, or all that are asked for; ids only, never the customer.

    Example: `waggle audit list --since 2026-05-01`

    Parameters
    ----------
    subject
        Only what was done to this id: a message, key, person, event, ...
    since
        Only what was done from then on; UTC, unless a zone is given.
    json
        One JSON document for programs.
    """
    found = with_app(lambda waggle: _asked(waggle, subject, since))
    if json:
        print(msgspec.json.encode([_flat(each) for each in found]).decode())
    elif found:
        _show(found)
    else:
        print("There is no such entry.")


@app.command
def verify(*, checkpoints: Path | None = None, public_key: Path | None = None) -> int:
    """Follow the chain from the first row to the last; names the first that is not as it was written.

    Whoever can write to the database could make a whole new chain; checkpoints that are kept elsewhere show that, too.

    Example: `waggle audit verify --checkpoints checkpoints.jsonl`

    Parameters
    ----------
    checkpoints
        A file of what `waggle audit checkpoint` printed, one in a line.
    public_key
        The key that signed them (PEM), if it is kept elsewhere, too; without it, this installation's own.
    """

    async def check(waggle: App) -> Verdict:
        trusted: list[Checkpoint] = []
        if checkpoints is not None:
            key = waggle.audit_key.public_key() if public_key is None else _public_key(public_key)
            trusted = read_checkpoints(_read(checkpoints).decode(errors="replace"), key)
        return await waggle.auditing.verify(trusted)

    verdict = with_app(check)
    print(_said(verdict))
    return 0 if verdict.broken_at is None else 1


@app.command
def export(*, jsonl: Path = _STANDARD_OUTPUT, since: datetime | None = None) -> None:
    """Write entries as JSON lines with the field names of the Elastic Common Schema, for a SIEM.

    Example: `waggle audit export --jsonl audit.jsonl`

    Parameters
    ----------
    jsonl
        The file to write; - is standard output.
    since
        Only what was done from then on; UTC, unless a zone is given.
    """

    async def write(waggle: App) -> int:
        with _opened(jsonl, "wb") as file:
            count = 0
            async for each in waggle.auditing.entries(since=_in_utc(since)):
                file.write(msgspec.json.encode(as_ecs(each)) + b"\n")
                count += 1
        return count

    count = with_app(write)
    if jsonl != _STANDARD_OUTPUT:
        print(f"{count} entries are in {jsonl}.")


@app.command
def checkpoint(*, to: Path = _STANDARD_OUTPUT) -> None:
    """Sign where the log ends now; kept elsewhere, it shows if anything before was changed or cut off.

    Example: `waggle audit checkpoint --to checkpoints.jsonl`

    Parameters
    ----------
    to
        The file to add a line to; - is standard output.
    """
    made = with_app(lambda waggle: waggle.auditing.checkpoint(waggle.audit_key))
    with _opened(to, "ab") as file:
        file.write(msgspec.json.encode(made) + b"\n")
    if to != _STANDARD_OUTPUT:
        print(f"Row {made.sequence} is signed in {to}.")


async def _asked(waggle: App, subject: str | None, since: datetime | None) -> list[ChainedEntry]:
    if subject is None and since is None:
        return await waggle.auditing.newest(_NEWEST)
    return [each async for each in waggle.auditing.entries(subject=subject, since=_in_utc(since))]


def _flat(chained: ChainedEntry) -> dict[str, object]:
    return {"sequence": chained.sequence, **asdict(chained.entry), "row_hash": chained.row_hash}


def _show(found: list[ChainedEntry]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for chained in found:
        entry = chained.entry
        detail = ", ".join(f"{name}: {value}" for name, value in entry.detail.items() if value)
        told = [f"{entry.action} {entry.subject}", *(each for each in (entry.why, detail) if each)]
        head = f"{chained.sequence}  {entry.at:%Y-%m-%d %H:%M:%S} UTC  {entry.actor}"
        table.add_row(Text.assemble((head, "bold"), *(f"\n  {line}" for line in told)))
    Console().print(table)


def _said(verdict: Verdict) -> str:
    if verdict.broken_at is None:
        agreed = f", and {verdict.checkpoints} checkpoints agree" if verdict.checkpoints else ""
        return f"All {verdict.rows} rows are as they were written{agreed}."
    cause = {
        "changed": "is not as it was written",
        "missing": "is missing",
        "cut_off": "and what came after it were cut off",
        "checkpoint_differs": "is another one than its checkpoint says",
    }[verdict.cause]
    return f"Row {verdict.broken_at} {cause}; the {verdict.rows} rows before it are as they were written."


def _in_utc(given: datetime | None) -> datetime | None:
    return given.replace(tzinfo=UTC) if given is not None and given.tzinfo is None else given


@contextmanager
def _opened(path: Path, mode: Literal["wb", "ab"]) -> Iterator[BinaryIO]:
    if path == _STANDARD_OUTPUT:
        yield sys.stdout.buffer
        return
    try:
        with path.open(mode) as file:
            yield file
    except OSError as error:
        raise BadSettings("FILE_UNUSABLE", f"{path} cannot be written") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadSettings("FILE_UNUSABLE", f"{path} cannot be read") from error


def _public_key(path: Path) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadSettings("FILE_UNUSABLE", f"{path} holds no public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise BadSettings("FILE_UNUSABLE", f"{path} holds another kind of key than Ed25519")
    return key
