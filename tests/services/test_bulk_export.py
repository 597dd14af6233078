"""What there is, as files a day each: typed, whole, and without what is personal."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from waggle.domain.event import FACTS, personal_fields
from waggle.errors import PermanentFailure, Rejected
from waggle.ports.row_files import Row, RowColumn, RowFile
from waggle.row_files import FileJournal, JsonLines, Parquet
from waggle.services.bulk_export import BulkExport, Exported, fact_columns
from waggle.services.disclosure import Disclosure
from waggle.storage.store import Store
from waggle.testing import facts
from waggle.testing.clock import A_SUNDAY_NOON, HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.facts import HONEY, Shop
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.anyio

SUNDAY, MONDAY, TUESDAY = (A_SUNDAY_NOON.date() + timedelta(days=n) for n in range(3))
PERSONAL = {name for fact in FACTS.values() for name in personal_fields(fact)}


@pytest.fixture
def shop(store: Store) -> Shop:
    return facts.shop(store, HandClock(), RememberingEngine())


@pytest.fixture
def journal(tmp_path: Path) -> FileJournal:
    return FileJournal(tmp_path / "run.json", {"run": "this"})


async def two_days(shop: Shop) -> None:
    """A cart on Sunday, its message and an order on Tuesday."""
    await shop.customer("c-1", phone="+48123456789")
    await shop.cart(items=[HONEY])
    shop.clock.advance(timedelta(days=2))
    enrolment_id = (await shop.enrolment()).enrolment_id
    await facts.sending(shop.store, shop.clock, RecordingSender()).send(
        enrolment_id=enrolment_id, step="first-mail", template="abandoned-cart", coupon_id=None
    )
    await shop.order(customer_id="c-1")


def bulk(shop: Shop, disclosure: Disclosure | None = None) -> BulkExport:
    return BulkExport(shop.store, shop.clock, Parquet(), disclosure)


def day(folder: Path, dataset: str, when: date) -> Path:
    return folder / dataset / f"day={when}" / f"{dataset}.parquet"


async def test_events_become_typed_columns_by_the_day_they_were_applied(
    shop: Shop, tmp_path: Path, journal: FileJournal
) -> None:
    await two_days(shop)

    done = await bulk(shop).run("events", tmp_path, journal)

    assert done == Exported("events", days=3, rows=4, files=2, known_days=0)
    assert not day(tmp_path, "events", MONDAY).exists()
    sunday = parquet.read_table(day(tmp_path, "events", SUNDAY))
    assert sunday.schema.field("applied_at").type == pa.timestamp("us", tz="UTC")
    assert sunday.schema.field("total_minor").type == pa.int64()
    assert sunday.column("type").to_pylist() == ["customer-identified", "consent-given", "cart-updated"]
    [*_, cart] = sunday.to_pylist()
    assert (cart["cart_id"], cart["currency"], cart["customer_id"]) == ("cart-1", "EUR", "c-1")
    assert cart["items"] == [{"sku": "honey", "quantity": 2, "unit_price_minor": 1000, "name": "Honey"}]
    assert cart["applied_at"] == A_SUNDAY_NOON
    [order] = parquet.read_table(day(tmp_path, "events", TUESDAY)).to_pylist()
    assert (order["order_id"], order["total_minor"]) == ("o-1", 2000)


async def test_nothing_personal_is_in_any_file(shop: Shop, tmp_path: Path) -> None:
    await two_days(shop)
    for dataset in ("events", "outcomes", "messages", "orders"):
        await bulk(shop).run(dataset, tmp_path, FileJournal(tmp_path / "run.json", {}))

    for file in files_under(tmp_path):
        table = parquet.read_table(file)
        assert not PERSONAL & set(table.column_names), file
        assert not any(word in str(table.to_pylist()) for word in ("Ada", "@example.com", "48123456789")), file


async def test_a_declared_purpose_brings_its_fields_of_those_who_agree(
    shop: Shop, tmp_path: Path, journal: FileJournal
) -> None:
    await shop.tell("consent-given", {"customer_id": "c-1", "purpose": "crm"})
    await shop.customer("c-1")
    await shop.customer("c-2")

    await bulk(shop, Disclosure("crm", frozenset({"email"}))).run("events", tmp_path, journal)

    table = parquet.read_table(day(tmp_path, "events", SUNDAY))
    known = {row["customer_id"]: row["email"] for row in table.to_pylist() if row["type"] == "customer-identified"}
    assert known == {"c-1": "c-1@example.com", "c-2": None}
    assert "first_name" not in table.column_names
    [transfer] = await shop.store.read(lambda tx: tx.transfers.newest(10))
    assert (transfer.destination, transfer.purpose, transfer.count) == ("export-events", "crm", 1)


async def test_outcomes_messages_and_orders_are_written_too(shop: Shop, tmp_path: Path, journal: FileJournal) -> None:
    await two_days(shop)
    rows = {}
    for dataset in ("outcomes", "messages", "orders"):
        await bulk(shop).run(dataset, tmp_path, journal)
        [rows[dataset]] = parquet.read_table(day(tmp_path, dataset, TUESDAY)).to_pylist()

    assert rows["outcomes"]["type"] == "message-sent"
    assert json.loads(rows["outcomes"]["data"])["template"] == "abandoned-cart"
    assert (rows["messages"]["state"], rows["messages"]["step"]) == ("sent", "first-mail")
    assert "token" not in rows["messages"]
    assert (rows["orders"]["order_id"], rows["orders"]["placed_at"]) == ("o-1", datetime(2026, 3, 3, 12, tzinfo=UTC))


async def test_json_lines_say_the_same(shop: Shop, tmp_path: Path, journal: FileJournal) -> None:
    await two_days(shop)

    await BulkExport(shop.store, shop.clock, JsonLines()).run("events", tmp_path, journal)

    lines = (tmp_path / "events" / f"day={SUNDAY}" / "events.jsonl").read_text("utf-8").splitlines()
    cart = json.loads(lines[-1])
    assert cart["items"][0]["unit_price_minor"] == 1000
    assert cart["applied_at"] == "2026-03-01T12:00:00Z"
    assert "email" not in cart


async def test_only_the_days_asked_for_are_written(shop: Shop, tmp_path: Path, journal: FileJournal) -> None:
    await two_days(shop)

    done = await bulk(shop).run("events", tmp_path, journal, since=MONDAY, until=TUESDAY + timedelta(days=1))

    assert (done.days, done.rows) == (2, 1)
    with pytest.raises(Rejected, match="DAYS_EMPTY"):
        await bulk(shop).run("events", tmp_path, journal, since=MONDAY, until=MONDAY)


def files_under(folder: Path) -> list[Path]:
    found = list(folder.rglob("*.parquet"))
    assert len(found) >= 4
    return found


class Full:
    """A file for which there is no room."""

    def __init__(self, file: RowFile) -> None:
        self._file = file

    def add(self, rows: Sequence[Row]) -> None:
        self._file.add(rows)
        raise PermanentFailure("DISK_FULL")

    def finish(self) -> None:
        self._file.finish()

    def abandon(self) -> None:
        self._file.abandon()


class FailsAt:
    """Writes Parquet until a certain file."""

    suffix = ".parquet"

    def __init__(self, word: str) -> None:
        self._word = word

    def begin(self, file: Path, columns: Sequence[RowColumn]) -> RowFile:
        opened = Parquet().begin(file, columns)
        return Full(opened) if self._word in str(file) else opened

    def remove(self, file: Path) -> None:
        Parquet().remove(file)


async def test_a_run_that_was_cut_off_leaves_no_half_file_and_goes_on(
    shop: Shop, tmp_path: Path, journal: FileJournal
) -> None:
    await two_days(shop)
    with pytest.raises(PermanentFailure, match="DISK_FULL"):
        await BulkExport(shop.store, shop.clock, FailsAt(str(TUESDAY))).run("events", tmp_path, journal)
    assert [file.name for file in day(tmp_path, "events", TUESDAY).parent.iterdir()] == []

    done = await bulk(shop).run("events", tmp_path, journal)

    assert (done.days, done.known_days, done.rows) == (1, 2, 1)
    assert parquet.read_table(day(tmp_path, "events", TUESDAY)).num_rows == 1
    assert (await bulk(shop).run("events", tmp_path, journal)).known_days == 0


async def test_the_journal_of_another_run_is_no_help(tmp_path: Path) -> None:
    one = FileJournal(tmp_path / "run.json", {"dataset": "events"})
    one.mark("2026-03-01")

    assert FileJournal(tmp_path / "run.json", {"dataset": "events"}).done() == {"2026-03-01"}
    assert FileJournal(tmp_path / "run.json", {"dataset": "orders"}).done() == frozenset()


async def test_long_days_are_read_in_stretches(
    shop: Shop, tmp_path: Path, journal: FileJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waggle.services.bulk_export._ROWS_AT_ONCE", 2)
    for number in range(5):
        await shop.order(f"o-{number}", customer_id="c-1")

    for dataset in ("events", "orders"):
        assert (await bulk(shop).run(dataset, tmp_path, journal)).rows == 5
        names = parquet.read_table(day(tmp_path, dataset, SUNDAY)).column("order_id").to_pylist()
        assert sorted(names) == [f"o-{number}" for number in range(5)]


async def test_no_field_of_a_fact_bears_the_name_of_a_part_of_the_envelope(store: Store) -> None:
    envelope = {column.name for column in await store.read(lambda tx: tx.bulk_reads.columns("events"))}

    assert not envelope & {column.name for column in fact_columns()}
