"""Every column of the database is classified, and what the file says can be relied on."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from waggle.errors import BadSettings
from waggle.services.privacy_map import Subject, load_privacy_map
from waggle.services.processing_record import as_markdown, processing_record
from waggle.storage.tables import metadata

CONFIG = Path(__file__).parents[2] / "config"
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
COLUMNS = {table.name: [column.name for column in table.columns] for table in metadata.sorted_tables}

SMALL = """
[table.letters]
title = "Letters"
purpose = "to answer"
legal_basis = "contract"
subject = "customer_id"
retention = "P30D"
since = "written_at"
on_erasure = "delete"
[table.letters.columns]
letter_id = "system.operations"
customer_id = "user.unique_id.pseudonymous"
written_at = "user.behavior"
stamp = { category = "user.content", purpose = "to frank it", legal_basis = "legal_obligation" }
[table.pages]
title = "Pages"
purpose = "to answer"
legal_basis = "contract"
subject = "letter_id in letters"
[table.pages.columns]
letter_id = "system.operations"
"""


def test_every_column_is_classified_and_none_that_is_not_there() -> None:
    assert load_privacy_map(CONFIG).differences(COLUMNS) == []


def test_a_column_that_nobody_classified_is_found() -> None:
    extended = {**COLUMNS, "customers": [*COLUMNS["customers"], "shoe_size"], "shoes": ["shoe_id"]}
    assert load_privacy_map(CONFIG).differences(extended) == [
        "customers.shoe_size is not classified",
        "shoes.shoe_id is not classified",
    ]
    fewer = {name: columns for name, columns in COLUMNS.items() if name != "audit_head"}
    assert "audit_head.chain is classified, but not there" in load_privacy_map(CONFIG).differences(fewer)


def test_what_is_sealed_is_about_a_person_whom_its_row_finds() -> None:
    known = load_privacy_map(CONFIG)
    # Of what could not be understood nobody knows yet about whom it is.
    sealed = {
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.columns
        if column.info.get("personal") and table.name != "quarantine"
    }

    assert {name for name, _ in sealed} <= set(known.about_persons())


def test_every_table_with_a_customer_finds_them() -> None:
    known = load_privacy_map(CONFIG)

    assert {name for name, columns in COLUMNS.items() if "customer_id" in columns} <= set(known.about_persons())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "privacy.toml").write_text(SMALL)
    return tmp_path


def test_what_a_table_says_holds_for_its_columns_unless_they_say_otherwise(folder: Path) -> None:
    known = load_privacy_map(folder)

    assert known.tables() == ("letters", "pages")
    retention = known.retention("letters")
    assert (retention.period, retention.since, retention.then) == (timedelta(days=30), "written_at", "delete")
    assert known.subject("pages") == Subject("letter_id", "letters")
    columns = known.columns_of("letters")
    assert (columns["written_at"].purpose, columns["stamp"].purpose) == ("to answer", "to frank it")
    assert [name for name, column in columns.items() if column.is_about_person] == [
        "customer_id",
        "written_at",
        "stamp",
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [
        ('subject = "customer_id"', 'subject = "person"', "there is no column person"),
        ('subject = "customer_id"\n', "", "no subject says about whom"),
        ('legal_basis = "contract"\nsubject = "customer_id"', 'subject = "customer_id"', "legal_basis"),
        ('legal_basis = "contract"', 'legal_basis = "because"', "legal_basis"),
        ('retention = "P30D"', 'retention = "a while"', "duration"),
        ('since = "written_at"\n', "", "since"),
        ('"user.behavior"', '"behaviour"', "begins with user. or system."),
        ("in letters", "in envelopes", "leads to no person"),
        ('title = "Letters"', 'title = "Letters"\ncolour = "red"', "colour"),
        ("[table.letters]", "[tables]\n[table.letters]", "tables"),
        ("[table.pages]", "[table.pages", "privacy.toml"),
    ],
)
def test_a_word_that_means_nothing_is_named(folder: Path, right: str, wrong: str, why: str) -> None:
    assert right in SMALL
    (folder / "privacy.toml").write_text(SMALL.replace(right, wrong, 1))

    with pytest.raises(BadSettings, match="PRIVACY_MAP") as caught:
        load_privacy_map(folder)
    assert why in str(caught.value)


def test_the_record_of_processing_says_of_each_activity_what_the_law_asks() -> None:
    known = load_privacy_map(CONFIG)
    record = processing_record(known, NOON)
    text = as_markdown(record)

    assert [each.table for each in record.activities] == list(known.about_persons())
    for each in record.activities:
        said = (each.title, each.purpose, each.legal_basis, each.categories, each.kept, each.on_erasure)
        assert all(said), each.table
        assert f"### {each.title} (`{each.table}`)" in text
    assert "365 days from `last_activity_at`" in text
