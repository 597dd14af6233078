"""The record of processing (GDPR Art. 30), made from the privacy map."""

from dataclasses import dataclass
from datetime import datetime

from waggle.services.privacy_map import Controller, PrivacyMap, TableUse

_NO_END = {"while customer": "until the person is erased", "while used": "as long as it is used"}
_AFTER = {"delete": "then deleted", "empty": "then emptied of what says something about the person"}
_ON_ERASURE = {
    "delete": "deleted",
    "empty": "emptied of what says something about the person",
    "keep": "kept, and leads to nobody any more",
}


@dataclass(frozen=True, slots=True)
class Activity:
    """One processing of personal data."""

    title: str
    table: str
    purpose: str
    legal_basis: str
    categories: tuple[str, ...]
    kept: str
    on_erasure: str


@dataclass(frozen=True, slots=True)
class ProcessingRecord:
    """All of them, and who answers for it."""

    made_at: datetime
    about: Controller
    activities: tuple[Activity, ...]
    without_persons: tuple[str, ...]
    """Tables that say nothing about a customer."""


def processing_record(privacy_map: PrivacyMap, now: datetime) -> ProcessingRecord:
    """Return the record as of *now*."""
    about = privacy_map.about_persons()
    return ProcessingRecord(
        made_at=now,
        about=privacy_map.record,
        activities=tuple(_activity(privacy_map.table(name)) for name in about),
        without_persons=tuple(name for name in privacy_map.tables() if name not in about),
    )


def as_markdown(record: ProcessingRecord) -> str:
    """Return the record for people."""
    about = record.about
    lines = [
        "# Record of processing activities (GDPR Art. 30)",
        "",
        f"Made on {record.made_at.date().isoformat()} from `privacy.toml`.",
        "",
        f"- Controller: {about.controller or '(not filled in)'}",
        f"- Contact: {about.contact or '(not filled in)'}",
        f"- Data subjects: {', '.join(about.people) or '(not filled in)'}",
        "",
        "## Recipients",
        "",
        *(f"- {each.name}: {each.gets}; {each.where}" for each in about.recipients),
        "",
        "## Security measures (Art. 32)",
        "",
        *(f"- {each}" for each in about.measures),
        "",
        "## Activities",
    ]
    for each in record.activities:
        lines += [
            "",
            f"### {each.title} (`{each.table}`)",
            "",
            f"- Purpose: {each.purpose}",
            f"- Legal basis: {each.legal_basis}",
            f"- Categories of data: {', '.join(each.categories)}",
            f"- Kept: {each.kept}",
            f"- When a person is erased: {each.on_erasure}",
        ]
    lines += [
        "",
        "## Tables that say nothing about a customer",
        "",
        ", ".join(f"`{n}`" for n in record.without_persons),
    ]
    return "\n".join(lines) + "\n"


def _activity(table: TableUse) -> Activity:
    personal = [column for column in table.columns.values() if column.is_about_person]
    bases = {table.legal_basis, *(column.legal_basis for column in personal)}
    purposes = dict.fromkeys([table.purpose, *(column.purpose for column in personal)])
    return Activity(
        title=table.title,
        table=table.name,
        purpose="; ".join(purposes),
        legal_basis=", ".join(sorted(basis.replace("_", " ") for basis in bases)),
        categories=tuple(dict.fromkeys(column.category for column in personal)) or ("identifiers only",),
        kept=_kept(table),
        on_erasure=_ON_ERASURE[table.on_erasure],
    )


def _kept(table: TableUse) -> str:
    retention = table.retention
    if retention.period is None:
        return _NO_END[retention.words]
    return f"{retention.period.days} days from `{retention.since}`, {_AFTER[retention.then]}"
