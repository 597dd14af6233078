"""Take in a file of customers, products, orders, consents or events through the one door, once, however often begun."""

import asyncio
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import stamina

from waggle.domain.event import Problem, Receipt
from waggle.domain.mapping import MappingProblem, RecordMapping
from waggle.errors import BadSettings, PermanentFailure, TemporaryFailure
from waggle.ports.clock import Clock
from waggle.ports.pulling import ImportRun
from waggle.ports.sources import Item
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.error_file import ErrorFile
from waggle.services.intake import Intake
from waggle.services.record_file import FileForm, FileRecord, RecordFile

Kind = Literal["customers", "products", "orders", "consents", "events"]

_TYPES: Mapping[str, tuple[str, ...]] = {
    "customers": ("customer-", "customers-", "consent-"),
    "products": ("product-updated", "price-changed", "stock-changed"),
    "orders": ("order-", "payment-"),
    "consents": ("consent-",),
    "events": ("",),
}
"""What a file of each kind may tell: beginnings of event types."""

_LINES_PER_BATCH = 500
_TRY_FOR_S = 60.0
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOrder:
    """What is to be taken in, and how it is written."""

    kind: Kind
    path: Path
    form: FileForm
    source: str
    mapping: RecordMapping | None
    """None: each line is an event in its envelope."""
    mapping_text: str = ""
    """As it is written: with another mapping the same file is another import."""
    errors: Path | None = None
    dry_run: bool = False
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportState:
    """How far an import is."""

    size_bytes: int
    position_bytes: int
    lines: int
    accepted: int = 0
    duplicates: int = 0
    refused: int = 0
    """Lines; the others are events."""
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Refused lines of this run by code."""
    finished: bool = False
    resumed_from_line: int = 0
    done_before: bool = False
    """The file had been taken in whole; nothing was done."""


Tell = Callable[[ImportState], None]


class Importing:
    """Reads files."""

    def __init__(self, store: UnitOfWork, intake: Intake, clock: Clock) -> None:
        self._store = store
        self._intake = intake
        self._clock = clock

    async def run(self, order: ImportOrder, stop: asyncio.Event, tell: Tell = lambda _state: None) -> ImportState:
        """Take in the file from where the last run ended, until its end or until *stop* is set.

        Events get ids of file, mapping and line, unless the mapping names one: a line is one event for ever. With
        `dry_run` everything is asked of the database and nothing stored; what is twice in the file itself then counts
        as accepted twice.

        Raises:
            BadSettings: MAPPING_OF_ANOTHER_KIND, CONSENT_WITHOUT_DATE, ERRORS_UNWRITABLE, or the file cannot be read.
            TemporaryFailure: the database is away; what was done is kept, and the next run goes on behind it.
            PermanentFailure: IMPORT_TWICE, another process takes in the same file.
        """
        _check(order)
        file = RecordFile(order.path, order.form)
        try:
            return await self._run(order, file, stop, tell)
        finally:
            file.close()

    async def _run(self, order: ImportOrder, file: RecordFile, stop: asyncio.Event, tell: Tell) -> ImportState:
        sha256 = await asyncio.to_thread(_sha256, order.path)
        run = await self._begin(order, sha256)
        state = _state(file, run)
        if run.finished_at is not None:
            return replace(state, finished=True, done_before=True)
        reasons: Counter[str] = Counter()
        with ErrorFile.opened(order.errors, order.form, file.columns, run.line) as errors:
            tell(state)
            for batch in _batches(file.records(run.position_bytes, run.line)):
                run, refused = await self._batch(order, run, batch, errors)
                reasons.update(refused)
                state = replace(_state(file, run), reasons=dict(reasons), resumed_from_line=state.resumed_from_line)
                tell(state)
                if stop.is_set():
                    return state
        await self._finish(order, run)
        return replace(state, finished=True, position_bytes=file.size_bytes)

    async def _begin(self, order: ImportOrder, sha256: str) -> ImportRun:
        key, now = _mapping_key(order), self._clock.now()
        found = await self._store.read(lambda tx: tx.pulling.import_run(order.source, sha256))
        if found is not None and found.mapping == key and not order.dry_run:
            return found
        return ImportRun(
            source=order.source,
            file_sha256=sha256,
            mapping=key,
            position_bytes=0,
            line=0,
            accepted=0,
            duplicates=0,
            refused=0,
            began_at=now,
            updated_at=now,
        )

    async def _batch(
        self, order: ImportOrder, run: ImportRun, batch: Sequence[FileRecord], errors: ErrorFile
    ) -> tuple[ImportRun, list[str]]:
        """Store what some lines say and how far the file is read; return that, and the codes of refused lines."""
        read = [_read(order, run, record, self._clock.now()) for record in batch]
        items = [item for each in read for item in each.items]
        receipts = await self._accept(order, run, batch, read, items, errors)
        refusals = _refusals(batch, read, receipts)
        return _advanced(run, batch, receipts, len(refusals), self._clock.now()), [
            problem.code for _, problem in refusals
        ]

    async def _accept(  # noqa: PLR0913, PLR0917 -- one batch and all that belongs to it
        self,
        order: ImportOrder,
        run: ImportRun,
        batch: Sequence[FileRecord],
        read: "Sequence[_Read]",
        items: Sequence[Item],
        errors: ErrorFile,
    ) -> Sequence[Receipt]:
        def note(tx: Transaction, receipts: Sequence[Receipt]) -> None:
            if order.dry_run:
                raise _UndoneError(receipts)
            _check_alone(tx, run)
            refusals = _refusals(batch, read, receipts)
            # Before the commit: a line may be written twice if this process dies now, but never be missing; the next
            # run cuts off what it is going to write again.
            errors.write(refusals)
            tx.pulling.save_import_run(_advanced(run, batch, receipts, len(refusals), self._clock.now()))

        try:
            async for attempt in stamina.retry_context(on=TemporaryFailure, attempts=None, timeout=_TRY_FOR_S):
                with attempt:
                    receipts: Sequence[Receipt] = await self._intake.accept(order.source, items, also=note)
        except _UndoneError as undone:
            receipts = undone.receipts
            errors.write(_refusals(batch, read, receipts))
        return receipts

    async def _finish(self, order: ImportOrder, run: ImportRun) -> None:
        def finish(tx: Transaction) -> None:
            now = self._clock.now()
            tx.pulling.save_import_run(replace(run, finished_at=now, updated_at=now))
            tx.audit.add(
                AuditEntry(
                    at=now,
                    actor=order.by,
                    action="file-imported",
                    subject=order.source,
                    why=f"{order.kind} from a file",
                    detail={
                        "file_sha256": run.file_sha256,
                        "mapping": order.mapping.name if order.mapping is not None else "",
                        "accepted": str(run.accepted),
                        "duplicates": str(run.duplicates),
                        "refused": str(run.refused),
                    },
                )
            )

        if not order.dry_run:
            await self._store.run(finish)


class _UndoneError(Exception):
    """Takes back what a dry run stored, and brings out what it was told."""

    def __init__(self, receipts: Sequence[Receipt]) -> None:
        super().__init__()
        self.receipts = receipts


@dataclass(frozen=True, slots=True)
class _Read:
    """What one line says, or why nothing."""

    items: Sequence[Item]
    problem: Problem | None = None


def _batches(records: Iterator[FileRecord]) -> Iterator[list[FileRecord]]:
    while batch := list(itertools.islice(records, _LINES_PER_BATCH)):
        yield batch


def _check(order: ImportOrder) -> None:
    types = order.mapping.types if order.mapping is not None else frozenset[str]()
    if order.mapping is None and order.kind != "events":
        raise BadSettings("MAPPING_MISSING", f"say with --mapping what the columns of {order.kind} mean")
    strange = sorted(each for each in types if not each.startswith(_TYPES[order.kind]))
    if strange:
        raise BadSettings(
            "MAPPING_OF_ANOTHER_KIND", f"the mapping makes {', '.join(strange)}, which are no {order.kind}"
        )
    untimed = order.mapping.untimed if order.mapping is not None else frozenset[str]()
    if any(each.startswith("consent-") for each in untimed):
        raise BadSettings(
            "CONSENT_WITHOUT_DATE",
            "a consent is as old as it is: give its event a `time` in the mapping, from the file",
        )


def _check_alone(tx: Transaction, run: ImportRun) -> None:
    found = tx.pulling.import_run(run.source, run.file_sha256)
    position_bytes = found.position_bytes if found is not None and found.mapping == run.mapping else 0
    if position_bytes != run.position_bytes:
        raise PermanentFailure("IMPORT_TWICE", "another process takes in the same file: wait for it, or end it")


def _read(order: ImportOrder, run: ImportRun, record: FileRecord, now: datetime) -> _Read:
    if record.values is None:
        return _Read((), Problem(record.problem, f"line {record.line}", _ADVICE[record.problem]))
    line_id = f"{_id_stem(run)}-{record.line}"
    try:
        if order.mapping is None:
            items: Sequence[Item] = [{"id": line_id, **record.values}]
        else:
            items = order.mapping.items(record.values, now, fallback_id=line_id)
    except MappingProblem as problem:
        return _Read((), Problem("RECORD_UNREADABLE", problem.where, problem.advice))
    return _Read([_as_imported(item) for item in items])


def _as_imported(item: Item) -> Item:
    data = item.get("data")
    if not str(item.get("type")).startswith("consent-") or not isinstance(data, Mapping):
        return item
    return {**item, "data": {**data, "mechanism": "import"}}


def _refusals(
    batch: Sequence[FileRecord], read: Sequence[_Read], receipts: Sequence[Receipt]
) -> list[tuple[FileRecord, Problem]]:
    """Return the lines that were refused, each with its first problem."""
    told = iter(receipts)
    found = []
    for record, each in zip(batch, read, strict=True):
        problems = [receipt.problem for receipt in itertools.islice(told, len(each.items)) if receipt.problem]
        problem = each.problem or (problems[0] if problems else None)
        if problem is not None:
            found.append((record, problem))
    return found


def _advanced(
    run: ImportRun, batch: Sequence[FileRecord], receipts: Sequence[Receipt], refused: int, now: datetime
) -> ImportRun:
    return replace(
        run,
        position_bytes=batch[-1].end_bytes,
        line=batch[-1].end_line,
        accepted=run.accepted + sum(receipt.status == "accepted" for receipt in receipts),
        duplicates=run.duplicates + sum(receipt.status == "duplicate" for receipt in receipts),
        refused=run.refused + refused,
        updated_at=now,
    )


def _state(file: RecordFile, run: ImportRun) -> ImportState:
    return ImportState(
        size_bytes=file.size_bytes,
        position_bytes=run.position_bytes,
        lines=run.line,
        accepted=run.accepted,
        duplicates=run.duplicates,
        refused=run.refused,
        resumed_from_line=run.line,
    )


def _mapping_key(order: ImportOrder) -> str:
    name = order.mapping.name if order.mapping is not None else "events"
    written: Any = [order.mapping_text, order.form.kind, order.form.encoding, order.form.delimiter, order.form.quote]
    return f"{name}:{hashlib.sha256(json.dumps(written).encode()).hexdigest()[:16]}"


def _id_stem(run: ImportRun) -> str:
    digest = hashlib.sha256(f"{run.file_sha256} {run.mapping}".encode()).hexdigest()[:16]
    # Letters: a long run of digits might be taken for something that must not be held.
    return "import-" + digest.translate(str.maketrans("0123456789", "ghijklmnop"))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


_ADVICE = {
    "RECORD_TOO_LONG": "Shorten it to a million bytes.",
    "RECORD_UNREADABLE": "See the encoding, the quotes and the delimiter.",
    "RECORD_SHAPE": "Give a line as many fields as there are columns, or one JSON object.",
}
