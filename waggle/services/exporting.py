"""The copy of everything that is held about one person: for machines (JSON Lines) and for the person (a page)."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Any, Final

import msgspec

from waggle.domain.privacy import Export
from waggle.errors import PermanentFailure
from waggle.ports.clock import Clock
from waggle.ports.privacy import Way
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.privacy_map import PrivacyMap
from waggle.services.privacy_requests import NOBODY_HAS_THIS_ID, known

SCHEMA_VERSION: Final = 1
KEPT_FOR: Final = timedelta(hours=24)

_LEFT_OUT: Final = frozenset({"person_keys", "one_time_links", "exports"})
"""Keys and links, which open what the person has anyway, and the copy itself."""

_EARLIEST: Final = (1980, 1, 1, 0, 0, 0)

_STYLE: Final = """
:root{color-scheme:light dark}
body{margin:0 auto;max-width:60rem;padding:2rem 1rem;font:1rem/1.55 system-ui,sans-serif;color:#2b2620;background:#fff}
h1{font-size:1.6rem}h2{margin-top:2.5rem;font-size:1.2rem}
table{border-collapse:collapse;width:100%;font-size:.875rem}
th,td{border-bottom:1px solid #e7dfcf;padding:.4rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
.quiet{color:#6b6154}.wide{overflow-x:auto}
@media (prefers-color-scheme:dark){
body{color:#f1ebe0;background:#1c1915}th,td{border-color:#3a342c}.quiet{color:#b3a896}}
"""


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of thing that is held, and what of it."""

    table: str
    title: str
    purpose: str
    legal_basis: str
    kept: str
    rows: list[dict[str, Any]]


def way_to(privacy_map: PrivacyMap, table: str) -> Way:
    """Return how rows of *table* find their person."""
    subject = privacy_map.subject(table)
    assert subject is not None  # noqa: S101 -- asked of tables about persons only
    through = None if subject.through is None else way_to(privacy_map, subject.through)
    return Way(table, subject.column, through)


def held(tx: Transaction, privacy_map: PrivacyMap, customer_id: str) -> list[Category]:
    """Return what is held about the person under all their ids, by the privacy map; what holds nothing is left out."""
    persons = [*tx.identities.all_of(customer_id), *tx.identities.anonymous_of(customer_id)]
    found = []
    for table in privacy_map.about_persons():
        if table in _LEFT_OUT:
            continue
        use = privacy_map.table(table)
        columns = [column.name for column in use.columns.values() if column.is_about_person]
        rows = tx.personal_data.rows(way_to(privacy_map, table), persons, columns)
        if rows:
            found.append(Category(table, use.title, use.purpose, use.legal_basis, use.retention.words, rows))
    return found


def archive(categories: list[Category], *, controller: Mapping[str, Any], generated_at: datetime) -> bytes:
    """Return a ZIP with manifest.json, data/<table>.jsonl and index.html; the same input gives the same bytes."""
    files = {f"data/{each.table}.jsonl": _lines(each.rows) for each in categories}
    files["index.html"] = _page(categories, controller, generated_at).encode()
    manifest = {
        "schema_version": SCHEMA_VERSION,
        "generated_at": generated_at.isoformat(),
        **controller,
        "categories": [
            {
                "file": f"data/{each.table}.jsonl",
                "title": each.title,
                "purpose": each.purpose,
                "legal_basis": each.legal_basis,
                "kept": each.kept,
                "rows": len(each.rows),
            }
            for each in categories
        ],
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    whole = {"manifest.json": msgspec.json.format(msgspec.json.encode(manifest), indent=2), **files}
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in whole.items():
            packed.writestr(zipfile.ZipInfo(name, _EARLIEST), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def _page(categories: list[Category], controller: Mapping[str, Any], generated_at: datetime) -> str:
    parts = [
        (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>What is held about you</title><style>{_STYLE}</style></head><body><h1>What is held about you</h1>"
            f'<p class="quiet">{escape(str(controller["controller"]))}, {generated_at:%d %B %Y, %H:%M} UTC. '
            "The same in a form for programs is in the folder <code>data</code>.</p>"
        )
    ]
    for each in categories:
        names = list(each.rows[0])
        head = "".join(f'<th scope="col">{escape(name.replace("_", " "))}</th>' for name in names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_shown(row[name]))}</td>" for name in names) + "</tr>" for row in each.rows
        )
        parts.append(
            f"<h2>{escape(each.title)}</h2><p>Kept {escape(each.purpose)}. "
            f'<span class="quiet">Legal basis: {escape(each.legal_basis.replace("_", " "))}.</span></p>'
            f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        )
    recipients = controller.get("recipients", [])
    if recipients:
        said = ("{name}: {gets} ({where})".format(**each) for each in recipients)
        items = "".join(f"<li>{escape(each)}</li>" for each in said)
        parts.append(f"<h2>Who else gets some of it</h2><ul>{items}</ul>")
    return "".join(parts) + "</body></html>\n"


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


class Exporting:
    """Makes copies for people, keeps each encrypted for a day, and hands it out."""

    def __init__(self, store: UnitOfWork, privacy_map: PrivacyMap, clock: Clock) -> None:
        self._store = store
        self._map = privacy_map
        self._clock = clock

    async def collect(self, request_id: str) -> int:
        """Make and keep the copy for a request of access; return its bytes. One that is kept already is left.

        Raises:
            PermanentFailure: PRIVACY_REQUEST_UNKNOWN.
        """

        def make(tx: Transaction) -> int:
            request = known(tx, request_id)
            now = self._clock.now()
            kept = tx.exports.get(request_id)
            if kept is not None and kept.archive is not None and now < kept.expires_at:
                return len(kept.archive)
            packed = self._packed(tx, request.customer_id, now)
            tx.exports.save(
                Export(
                    request_id=request_id,
                    customer_id=request.customer_id,
                    archive=packed,
                    made_at=now,
                    expires_at=now + KEPT_FOR,
                )
            )
            return len(packed)

        return await self._store.run(make)

    async def make(self, customer_ref: str) -> bytes:
        """Return a copy that is not kept, for somebody who hands it over by hand.

        Raises:
            PermanentFailure: CUSTOMER_UNKNOWN.
        """

        def make(tx: Transaction) -> bytes:
            if tx.customers.get(customer_ref) is None:
                raise PermanentFailure("CUSTOMER_UNKNOWN", NOBODY_HAS_THIS_ID)
            return self._packed(tx, customer_ref, self._clock.now())

        return await self._store.read(make)

    def _packed(self, tx: Transaction, customer_id: str, now: datetime) -> bytes:
        record = self._map.record
        controller = {
            "controller": record.controller,
            "contact": record.contact,
            "recipients": [{"name": each.name, "gets": each.gets, "where": each.where} for each in record.recipients],
        }
        return archive(held(tx, self._map, customer_id), controller=controller, generated_at=now)
