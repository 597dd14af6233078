"""The audit log for those who check it: shown, verified, exported, and signed from time to time."""

import base64
import binascii
import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from waggle.domain.audit_chain import FIRST, row_hash
from waggle.errors import BadSettings
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import AuditHead, ChainedEntry, UnitOfWork

_PAGE = 1_000
_ID_CHARS = 16


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log was at one time, signed; kept elsewhere it proves that nothing before it was changed or cut off."""

    sequence: int
    row_hash: str
    at: str
    """ISO 8601."""
    key_id: str
    """Beginning of the SHA-256 of the public key."""
    signature: str = ""
    """Ed25519, base64, of the JSON of the other fields in this order."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the whole log found."""

    rows: int
    """How many of the first rows are as they were written."""
    checkpoints: int
    """How many checkpoints agree."""
    broken_at: int | None = None
    """Number of the first row that is not as it was written; None: all is well."""
    cause: str = ""
    """`changed`, `missing`, `cut_off` or `checkpoint_differs`."""


class Auditing:
    """Reads the log; to add to it is for whoever decides."""

    def __init__(self, store: UnitOfWork, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def newest(self, limit: int) -> list[ChainedEntry]:
        """Return the last entries, the newest at the end."""
        return await self._store.read(lambda tx: tx.audit.newest(limit))

    async def entries(
        self, *, subject: str | None = None, since: datetime | None = None
    ) -> AsyncIterator[ChainedEntry]:
        """Yield all entries, or those about *subject*, or made from *since* on, the oldest first."""
        after = 0
        while True:
            page = await self._page(after, subject, since)
            for entry in page:
                yield entry
            if len(page) < _PAGE:
                return
            after = page[-1].sequence

    async def checkpoint(self, key: Ed25519PrivateKey) -> Checkpoint:
        """Return the present end of the log, signed with *key*."""
        head = await self._store.read(lambda tx: tx.audit.head()) or AuditHead(0, FIRST)
        made = Checkpoint(head.sequence, head.row_hash, self._clock.now().isoformat(), _key_id(key.public_key()))
        signature = base64.b64encode(key.sign(_signed(made))).decode()
        return replace(made, signature=signature)

    async def verify(self, checkpoints: Iterable[Checkpoint] = ()) -> Verdict:
        """Follow the chain from the first row to the last, and compare it with *checkpoints*, whose signatures hold."""
        # Read first: what is added meanwhile lies after it.
        head = await self._store.read(lambda tx: tx.audit.head()) or AuditHead(0, FIRST)
        wanted: dict[int, str] = {}
        for each in checkpoints:
            if wanted.setdefault(each.sequence, each.row_hash) != each.row_hash:
                return Verdict(0, 0, each.sequence, "checkpoint_differs")
        rows, agreed, before = 0, int(wanted.pop(0, None) == FIRST), FIRST
        async for chained in self.entries():
            if chained.sequence != rows + 1:
                return Verdict(rows, agreed, rows + 1, "missing")
            before = row_hash(before, {"sequence": chained.sequence, **asdict(chained.entry)})
            if before != chained.row_hash:
                return Verdict(rows, agreed, chained.sequence, "changed")
            rows += 1
            if rows in wanted:
                if wanted.pop(rows) != before:
                    return Verdict(rows - 1, agreed, rows, "checkpoint_differs")
                agreed += 1
        if rows < max([head.sequence, *wanted]):
            return Verdict(rows, agreed, rows + 1, "cut_off")
        return Verdict(rows, agreed)

    async def _page(self, after: int, subject: str | None, since: datetime | None) -> list[ChainedEntry]:
        return await self._store.read(lambda tx: tx.audit.page(after, _PAGE, subject=subject, since=since))


def as_ecs(chained: ChainedEntry) -> dict[str, object]:
    """Return an entry under the names of the Elastic Common Schema 8, for a SIEM."""
    entry = chained.entry
    return {
        "@timestamp": entry.at.isoformat(),
        "ecs": {"version": "8.17"},
        "event": {
            "kind": "event",
            "module": "waggle",
            "dataset": "waggle.audit",
            "action": entry.action,
            "reason": entry.why,
            "sequence": chained.sequence,
            "hash": chained.row_hash,
        },
        "user": {"name": entry.actor},
        "labels": {"subject": entry.subject, **entry.detail},
    }


def read_checkpoints(text: str, key: Ed25519PublicKey) -> list[Checkpoint]:
    """Return the checkpoints of a file, one in each line, all signed with *key*.

    Raises:
        BadSettings: CHECKPOINT_UNREADABLE; CHECKPOINT_FORGED, one was not signed with that key, or was changed since.
    """
    try:
        found = [msgspec.json.decode(line, type=Checkpoint) for line in text.splitlines() if line.strip()]
    except msgspec.DecodeError as error:
        raise BadSettings("CHECKPOINT_UNREADABLE", "a checkpoint is one line of JSON, as it was printed") from error
    for each in found:
        _check_signature(each, key)
    return found


def _signed(checkpoint: Checkpoint) -> bytes:
    fields = asdict(checkpoint)
    del fields["signature"]
    return msgspec.json.encode({"chain": "waggle.audit", **fields})


def _check_signature(checkpoint: Checkpoint, key: Ed25519PublicKey) -> None:
    try:
        key.verify(base64.b64decode(checkpoint.signature, validate=True), _signed(checkpoint))
    except (InvalidSignature, binascii.Error) as error:
        raise BadSettings(
            "CHECKPOINT_FORGED", f"the checkpoint of row {checkpoint.sequence} does not bear this key's signature"
        ) from error


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:_ID_CHARS]
