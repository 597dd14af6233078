"""Ask a JSON interface page by page, and say in our words what its records tell."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urljoin

from connectors.rest import RestSettings
from waggle.domain.mapping import MappingProblem
from waggle.domain.record_path import RecordPath, Scope, read_path
from waggle.errors import BadSettings, PermanentFailure
from waggle.fetching import Fetched, Fetcher, same_place
from waggle.ports.sources import Item, Page, Unread


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where in the source to go on; as JSON the cursor."""

    since: str | None = None
    """What changed before is known."""
    began_at: str | None = None
    """When the first of the pages that are being read was asked for; None between two rounds."""
    page: int | None = None
    link: str | None = None
    token: str | None = None
    newest: str | None = None
    """The newest time of change among the records of this round."""


class RestFeed:
    """An EventFeed."""

    def __init__(self, settings: RestSettings, now: Callable[[], datetime] = _now) -> None:
        """Be ready to ask.

        Raises:
            BadSettings: MAPPING_MISSING.
        """
        if settings.mapping is None:
            raise BadSettings("MAPPING_MISSING", "a rest source needs `mapping`, the name of a file in config/mappings")
        self._settings = settings
        self._now = now
        self._mapping = settings.mapping
        self._records = _path(settings.records)
        self._next = _path(settings.next)
        self._changed_at = _path(settings.changed_at)
        headers = {}
        if settings.token.reveal():
            headers["Authorization"] = f"Bearer {settings.token.reveal()}"
        if settings.key_header:
            headers[settings.key_header] = settings.key.reveal()
        basic = (settings.username, settings.password.reveal()) if settings.username else None
        self._fetcher = Fetcher("REST", headers=headers, basic=basic, timeout_s=settings.timeout_s)

    async def pull(self, cursor: str | None, since: datetime | None) -> Page:
        """Return the next page; see `waggle.ports.sources`.

        Raises:
            TemporaryFailure: REST_UNAVAILABLE, REST_BUSY.
            PermanentFailure: REST_LOGIN_REFUSED, REST_REFUSED, REST_MOVED, REST_TOO_LARGE, REST_UNREADABLE, REST_SHAPE
                (no list where the records should be) or REST_NEXT_ELSEWHERE (a page on another host, which would get
                our secret).
        """
        place = _Place(**json.loads(cursor)) if cursor else _Place(since=since.isoformat() if since else None)
        now = self._now()
        place = replace(place, began_at=place.began_at or now.isoformat())
        if place.link is not None:
            fetched = await self._fetcher.get(place.link)
        else:
            fetched = await self._fetcher.get(self._settings.url, self._parameters(place))
        records = self._found(fetched)
        items, unread = self._read(records, now)
        place = replace(place, newest=self._newest(records, place.newest))
        following = self._following(place, fetched, len(records))
        more = following is not None
        place = following if following is not None else self._rested(place)
        return Page(items=items, unread=unread, cursor=json.dumps(asdict(place)), more=more)

    async def close(self) -> None:
        """End the connections that are kept open."""
        await self._fetcher.close()

    def _parameters(self, place: _Place) -> dict[str, str]:
        settings = self._settings
        sent = dict(settings.parameters)
        if settings.since_param and place.since is not None:
            sent[settings.since_param] = _written(datetime.fromisoformat(place.since), settings.since_format)
        if settings.size_param:
            sent[settings.size_param] = str(settings.size)
        if settings.paging == "page":
            sent[settings.page_param] = str(settings.first_page if place.page is None else place.page)
        elif settings.paging == "offset":
            sent[settings.page_param] = str(place.page or 0)
        elif settings.paging == "token" and place.token is not None:
            sent[settings.page_param] = place.token
        return sent

    def _found(self, fetched: Fetched) -> list[Any]:
        found = fetched.said if self._records is None else _at(self._records, fetched.said)
        if found is None and self._records is not None and isinstance(fetched.said, dict):
            return []
        if not isinstance(found, list):
            raise PermanentFailure("REST_SHAPE", f"no list at {self._settings.records or 'the top'} of the answer")
        return found

    def _read(self, records: list[Any], now: datetime) -> tuple[list[Item], list[Unread]]:
        items: list[Item] = []
        unread = []
        for record in records:
            try:
                if not isinstance(record, dict):
                    raise MappingProblem("records", "the list holds something else than objects")  # noqa: TRY301 -- one answer for all that cannot be read
                items += self._mapping.items(record, now)
            except MappingProblem as problem:
                raw = json.dumps(record, default=_plain).encode()
                unread.append(Unread(raw=raw, code="RECORD_UNREADABLE", where=problem.where))
        return items, unread

    def _newest(self, records: list[Any], newest: str | None) -> str | None:
        if self._changed_at is None:
            return None
        times = [_moment(_at(self._changed_at, record)) for record in records]
        times.append(_moment(newest))
        return max((each for each in times if each is not None), default=None, key=datetime.fromisoformat)

    def _following(self, place: _Place, fetched: Fetched, count: int) -> _Place | None:
        """Return where the next page of this round is; None after the last one."""
        settings = self._settings
        match settings.paging:
            case "page" if count >= settings.size:
                return replace(place, page=(settings.first_page if place.page is None else place.page) + 1)
            case "offset" if count >= settings.size:
                return replace(place, page=(place.page or 0) + count)
            case "next-link":
                link = fetched.next_url if self._next is None else _at(self._next, fetched.said)
                return replace(place, link=self._checked(str(link))) if link else None
            case "token":
                token = _at(self._next, fetched.said) if self._next else None
                return replace(place, token=str(token)) if token and str(token) != place.token else None
        return None

    def _checked(self, link: str) -> str:
        # Relative ones are meant against the address that was asked.
        absolute = urljoin(self._settings.url, link)
        if not same_place(absolute, self._settings.url):
            raise PermanentFailure("REST_NEXT_ELSEWHERE", "the next page lies on another host than url")
        return absolute

    def _rested(self, place: _Place) -> _Place:
        """Return where the next round begins."""
        settings = self._settings
        if not settings.since_param:
            # The last token stands for all that was read; other ways to turn pages begin anew.
            return _Place(token=place.token)
        came_to = place.newest if self._changed_at is not None else place.began_at
        if came_to is None:
            return _Place(since=place.since)
        since = datetime.fromisoformat(came_to) - settings.overlap
        if place.since is not None:
            since = max(since, datetime.fromisoformat(place.since))
        return _Place(since=since.isoformat())


def _path(text: str) -> RecordPath | None:
    return read_path(text) if text else None


def _at(path: RecordPath, said: object) -> object:
    return path.value(Scope(said, said))


def _moment(value: object) -> str | None:
    """Return a time with offset as ISO 8601 in UTC; None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.astimezone(UTC).isoformat() if moment is not None and moment.tzinfo is not None else None


def _written(moment: datetime, layout: str) -> str:
    in_utc = moment.astimezone(UTC)
    if layout == "iso":
        return in_utc.isoformat(timespec="seconds").replace("+00:00", "Z")
    if layout in {"unix", "unix_ms"}:
        return str(int(in_utc.timestamp() * (1000 if layout == "unix_ms" else 1)))
    return in_utc.strftime(layout)


def _plain(value: object) -> Mapping[str, object] | str | float:
    return float(value) if isinstance(value, Decimal) else str(value)
