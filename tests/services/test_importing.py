"""A file is taken in line by line, once, whatever is wrong in it and whenever the process dies."""

import asyncio
import csv
import json
import tomllib
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from waggle.domain.mapping import RecordMapping, read_mapping
from waggle.errors import BadSettings, PermanentFailure
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services import importing as module
from waggle.services.importing import Importing, ImportOrder, ImportState
from waggle.services.intake import Intake
from waggle.services.record_file import MAX_RECORD_BYTES, FileForm, RecordFile
from waggle.testing.clock import A_SUNDAY_NOON, HandClock

pytestmark = pytest.mark.anyio

T = TypeVar("T")
CSV = FileForm(kind="csv")
JSONL = FileForm(kind="jsonl")
STOCK = """
[[event]]
type = "stock-changed"
time = "at"
[event.data]
sku = "sku"
quantity = "free"
"""


def mapping(text: str = STOCK) -> RecordMapping:
    return read_mapping(tomllib.loads(text), "stock")


def stock_csv(count: int) -> str:
    rows = "".join(f"sku-{n},{n},2026-02-01T00:00:00Z\n" for n in range(count))
    return f"sku,free,at\n{rows}"


def order(path: Path, **changes: Any) -> ImportOrder:  # noqa: ANN401 -- keys of any kind
    plain = ImportOrder(
        kind="products", path=path, form=CSV, source="erp", mapping=mapping(), mapping_text=STOCK, by="kim"
    )
    return replace(plain, **changes)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "in.csv"


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LINES_PER_BATCH", 3)


def put(path: Path, text: str) -> None:
    path.write_text(text)


def shown(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


class House:
    """Takes in files and shows what came of it."""

    def __init__(self, store: UnitOfWork, clock: HandClock) -> None:
        self.store = store
        self.clock = clock

    async def take(self, given: ImportOrder, store: UnitOfWork | None = None) -> ImportState:
        inner = store or self.store
        return await Importing(inner, Intake(inner, self.clock), self.clock).run(given, asyncio.Event())

    async def skus(self) -> list[str]:
        return await self.store.run(lambda tx: [each.event.data["sku"] for each in tx.events.pending(1000)])


@pytest.fixture
def house(store: UnitOfWork, clock: HandClock) -> House:
    return House(store, clock)


class KilledError(BaseException):
    """Nobody catches it."""


class MortalStore:
    """A process that dies, once, right before or right after its transaction of a given number."""

    def __init__(self, store: UnitOfWork, fatal: int, *, committed: bool) -> None:
        self._store = store
        self._fatal = fatal
        self._committed = committed

    async def run(self, work: Callable[[Transaction], T]) -> T:
        self._fatal -= 1
        if self._fatal:
            return await self._store.run(work)
        if self._committed:
            await self._store.run(work)
        else:
            await self._undone(work)
        raise KilledError

    async def read(self, work: Callable[[Transaction], T]) -> T:
        return await self._store.read(work)

    async def _undone(self, work: Callable[[Transaction], T]) -> None:
        """Let *work* do all it does, and die before the commit."""

        def die(tx: Transaction) -> None:
            work(tx)
            raise KilledError

        await self._store.run(die)


async def test_every_line_becomes_its_events(house: House, file: Path) -> None:
    put(file, stock_csv(7))

    state = await house.take(order(file))

    assert await house.skus() == [f"sku-{n}" for n in range(7)]
    assert (state.lines, state.accepted, state.refused, state.finished) == (8, 7, 0, True)


async def test_the_same_file_again_changes_nothing(house: House, file: Path, tmp_path: Path) -> None:
    put(file, stock_csv(7))
    await house.take(order(file))
    put(tmp_path / "copy.csv", stock_csv(7))

    again = await house.take(order(tmp_path / "copy.csv"))

    assert again.done_before
    assert len(await house.skus()) == 7


async def test_the_same_file_under_a_mended_mapping_is_taken_in_anew(house: House, file: Path) -> None:
    put(file, stock_csv(2))
    await house.take(order(file))

    again = await house.take(order(file, mapping_text=STOCK + "# mended"))

    assert (again.accepted, again.done_before) == (2, False)


@pytest.mark.parametrize("committed", [False, True])
@pytest.mark.parametrize("fatal", [1, 2, 3])
async def test_a_killed_import_goes_on_where_it_was(
    house: House, file: Path, tmp_path: Path, fatal: int, *, committed: bool
) -> None:
    lines = stock_csv(9).splitlines()
    lines[2] = "sku-1,many,2026-02-01T00:00:00Z"
    lines[6] = "sku-5,many,2026-02-01T00:00:00Z"
    lines[9] = "sku-8,many,2026-02-01T00:00:00Z"
    put(file, "\n".join(lines))
    given = order(file, errors=tmp_path / "errors.csv")
    with pytest.raises(KilledError):
        await house.take(given, MortalStore(house.store, fatal, committed=committed))

    state = await house.take(given)

    assert await house.skus() == [f"sku-{n}" for n in (0, 2, 3, 4, 6, 7)]
    assert (state.lines, state.accepted, state.refused, state.duplicates) == (10, 6, 3, 0)
    assert state.resumed_from_line == (3 * (fatal - 1 + committed) + 1 if fatal + committed > 1 else 0)
    # No refused line is missing in the error file or stands there twice.
    written = list(csv.DictReader(shown(tmp_path / "errors.csv")))
    assert [row["waggle_line"] for row in written] == ["3", "7", "10"]


async def test_a_stopped_import_ends_with_a_whole_batch(house: House, file: Path) -> None:
    put(file, stock_csv(7))
    stop = asyncio.Event()
    stop.set()

    state = await Importing(house.store, Intake(house.store, house.clock), house.clock).run(order(file), stop)

    assert (state.finished, state.accepted) == (False, 3)
    assert (await house.take(order(file))).accepted == 7


async def test_a_dry_run_says_what_would_happen_and_stores_nothing(house: House, file: Path, tmp_path: Path) -> None:
    put(file, stock_csv(4) + "sku-9,many,2026-02-01T00:00:00Z\n")

    state = await house.take(order(file, dry_run=True, errors=tmp_path / "errors.csv"))

    assert (state.accepted, state.refused, state.reasons) == (4, 1, {"RECORD_UNREADABLE": 1})
    assert await house.skus() == []
    assert await house.store.read(lambda tx: tx.audit.of_subject("erp")) == []
    assert (tmp_path / "errors.csv").read_text().count("\n") == 2
    assert (await house.take(order(file))).accepted == 4


async def test_refused_lines_stand_in_the_error_file_with_their_reason_and_only_the_importer_may_read_it(
    house: House, file: Path, tmp_path: Path
) -> None:
    put(file, 'sku,free,at\nsku-1,many,2026-02-01T00:00:00Z\nsku-2,2\n"a@b.example",3,2026-02-01T00:00:00Z\n')
    errors = tmp_path / "errors.csv"

    state = await house.take(order(file, errors=errors))

    rows = list(csv.reader(shown(errors)))
    assert rows[0] == ["sku", "free", "at", "waggle_line", "waggle_code", "waggle_where", "waggle_advice"]
    assert [(row[0], row[3], row[4], row[5]) for row in rows[1:]] == [
        ("sku-1", "2", "RECORD_UNREADABLE", "event[0].data.quantity"),
        ("sku-2,2", "3", "RECORD_SHAPE", "line 3"),
        ("a@b.example", "4", "ID_NOT_OPAQUE", "$.data.sku"),
    ]
    assert errors.stat().st_mode & 0o777 == 0o600
    assert state.reasons == {"RECORD_UNREADABLE": 1, "RECORD_SHAPE": 1, "ID_NOT_OPAQUE": 1}


async def test_a_mended_error_file_can_be_taken_in_as_it_is(house: House, file: Path, tmp_path: Path) -> None:
    put(file, "sku,free,at\nsku-1,many,2026-02-01T00:00:00Z\n")
    errors = tmp_path / "errors.csv"
    await house.take(order(file, errors=errors))
    put(errors, errors.read_text().replace("many", "5"))

    assert (await house.take(order(errors))).accepted == 1
    assert await house.skus() == ["sku-1"]


async def test_json_lines_and_their_error_file(house: House, file: Path, tmp_path: Path) -> None:
    good = {"sku": "sku-1", "free": 1, "at": "2026-02-01T00:00:00Z"}
    put(file, "\n".join([json.dumps(good), "", "[1]", "{", json.dumps({**good, "free": None})]))
    errors = tmp_path / "errors.jsonl"

    state = await house.take(order(file, form=JSONL, errors=errors))

    assert (state.accepted, state.refused, state.lines) == (1, 3, 5)
    written = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [(each["line"], each["code"], each["raw"]) for each in written[:2]] == [
        ("3", "RECORD_SHAPE", "[1]"),
        ("4", "RECORD_UNREADABLE", "{"),
    ]


async def test_envelopes_need_no_mapping(house: House, file: Path) -> None:
    envelope = {
        "specversion": "1.0",
        "id": "e-1",
        "type": "stock-changed",
        "time": "2026-02-01T00:00:00Z",
        "data": {"sku": "sku-1", "quantity": 1},
    }
    put(file, json.dumps(envelope) + "\n" + json.dumps({**envelope, "id": None}) + "\n")

    state = await house.take(order(file, form=JSONL, kind="events", mapping=None))

    assert (state.accepted, state.refused) == (1, 1)


async def test_imported_consents_say_that_they_were_imported_and_are_as_old_as_their_date(
    house: House, file: Path
) -> None:
    shipped = (Path(__file__).parents[2] / "config/mappings/consents.toml").read_text()
    put(
        file,
        "customer_id,purpose,channel,state,said_at,text_version,proof_url\n"
        "c-1,,,yes,2024-05-01T10:00:00Z,v1,\n"
        "c-2,,sms,no,2024-05-02,,\n"
        "c-3,,,yes,,,\n"
        "c-4,,,yes,2099-01-01,,\n",
    )

    state = await house.take(order(file, kind="consents", mapping=mapping(shipped), mapping_text=shipped))

    events = await house.store.run(lambda tx: [stored.event for stored in tx.events.pending(10)])
    assert [(each.type, each.time.date().isoformat(), each.data["mechanism"]) for each in events] == [
        ("consent-given", "2024-05-01", "import"),
        ("consent-withdrawn", "2024-05-02", "import"),
    ]
    # One without a date proves nothing, and nobody agrees in the future.
    assert state.reasons == {"RECORD_UNREADABLE": 1, "TIME_IN_FUTURE": 1}
    [entry] = await house.store.read(lambda tx: tx.audit.of_subject("erp"))
    assert (entry.actor, entry.action) == ("kim", "file-imported")


async def test_a_mapping_of_consents_must_say_where_their_date_is(house: House, file: Path) -> None:
    undated = '[[event]]\ntype = "consent-given"\n[event.data]\ncustomer_id = "c"'
    put(file, "c\nc-1\n")

    with pytest.raises(BadSettings, match="CONSENT_WITHOUT_DATE"):
        await house.take(order(file, kind="consents", mapping=mapping(undated)))


@pytest.mark.parametrize("kind", ["customers", "orders", "consents"])
async def test_a_mapping_of_another_kind_is_refused(house: House, file: Path, kind: str) -> None:
    put(file, stock_csv(1))

    with pytest.raises(BadSettings, match="MAPPING_OF_ANOTHER_KIND"):
        await house.take(order(file, kind=kind))


async def test_two_imports_of_one_file_do_not_run_side_by_side(house: House, file: Path) -> None:
    put(file, stock_csv(7))
    begun = Importing(house.store, Intake(house.store, house.clock), house.clock)
    stop = asyncio.Event()

    async def other_goes_first(state: ImportState) -> None:
        await house.take(order(file))

    overtaken = asyncio.Event()

    class Slow(Intake):
        async def accept(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401 -- passed on
            if not overtaken.is_set():
                overtaken.set()
                await house.take(order(file))
            return await super().accept(*given, **named)

    begun = Importing(house.store, Slow(house.store, house.clock), house.clock)
    with pytest.raises(PermanentFailure, match="IMPORT_TWICE"):
        await begun.run(order(file), stop)
    assert len(await house.skus()) == 7


def records(path: Path, form: FileForm) -> list[tuple[int, object]]:
    file = RecordFile(path, form)
    found: list[tuple[int, object]] = [(each.line, each.values or each.problem) for each in file.records()]
    file.close()
    return found


@pytest.mark.parametrize(
    ("raw", "form", "found"),
    [
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", CSV, [(2, {"a": "1", "b": "2"})]),
        (
            b'a;b\n"1\n;1";2\n3;4',
            replace(CSV, delimiter=";"),
            [(2, {"a": "1\n;1", "b": "2"}), (4, {"a": "3", "b": "4"})],
        ),
        ("a\nżółw\n".encode("cp1250"), replace(CSV, encoding="cp1250"), [(2, {"a": "żółw"})]),
        (b'a,b\n5" pipe,1\nx,2\n', CSV, [(2, {"a": '5" pipe', "b": "1"}), (3, {"a": "x", "b": "2"})]),
        (b"a,b\n\xff,1\nx,2\n", CSV, [(2, "RECORD_UNREADABLE"), (3, {"a": "x", "b": "2"})]),
        (b"a,b\n1\n\n1,2,3\nx,2\n", CSV, [(2, "RECORD_SHAPE"), (4, "RECORD_SHAPE"), (5, {"a": "x", "b": "2"})]),
        (b'a\n"never closed\nx\n', CSV, [(2, "RECORD_UNREADABLE")]),
        (b"a\n'it''s'\n", replace(CSV, quote="'"), [(2, {"a": "it's"})]),
        (b'{"a": NaN}\n{"a": 1}', JSONL, [(1, "RECORD_UNREADABLE"), (2, {"a": 1})]),
        (b"{" + b" " * MAX_RECORD_BYTES + b"}\n{}\n", JSONL, [(1, "RECORD_TOO_LONG"), (2, {})]),
        (b"[" * 100_000 + b'\n{"a": 1}\n', JSONL, [(1, "RECORD_UNREADABLE"), (2, {"a": 1})]),
    ],
    ids=[
        "mark",
        "line end in quotes",
        "cp1250",
        "stray quote",
        "other bytes",
        "shape",
        "open",
        "quote",
        "nan",
        "long",
        "deep",
    ],
)
def test_a_file_is_read_as_it_is_said_to_be_written(
    tmp_path: Path, raw: bytes, form: FileForm, found: list[tuple[int, object]]
) -> None:
    path = tmp_path / "in"
    path.write_bytes(raw)

    assert records(path, form) == [(line, values) if values != {} else (line, "") for line, values in found]


@pytest.mark.parametrize("raw", [b"", b"\n", b"a,a\n1,2\n", b"a,\n1,2\n"])
def test_columns_without_names_are_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "in"
    path.write_bytes(raw)

    with pytest.raises(BadSettings, match="COLUMNS_MISSING"):
        RecordFile(path, CSV)


@pytest.mark.parametrize(
    "form", [{"encoding": "utf-16"}, {"encoding": "no-such"}, {"delimiter": ""}, {"delimiter": '"'}, {"quote": "''"}]
)
def test_what_cannot_be_read_line_by_line_is_refused(form: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        FileForm(kind="csv", **form)


def test_a_long_file_is_read_in_constant_memory(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    with path.open("w") as out:
        out.write("a,b\n")
        out.writelines(f"{n},{'x' * 200}\n" for n in range(50_000))
    file = RecordFile(path, CSV)
    tracemalloc.start()
    count = sum(1 for _ in file.records())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    file.close()

    assert count == 50_000
    assert peak_bytes < path.stat().st_size / 10


def test_the_clock_of_these_tests_stands_after_the_stock_was_counted() -> None:
    assert A_SUNDAY_NOON - timedelta(days=7) > A_SUNDAY_NOON.replace(month=2, day=1)
