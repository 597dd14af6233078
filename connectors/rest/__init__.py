"""Any system with a JSON interface over HTTP that can be asked: an ERP, accounting, a warehouse, a payment provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from waggle.connector import Connector
from waggle.domain.mapping import RecordMapping
from waggle.domain.record_path import read_path
from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.fetching import refuse_plaintext
from waggle.ports.sources import EventFeed

_NONE = Secret("")


@dataclass(frozen=True, slots=True, kw_only=True)
class RestSettings:
    """Where to ask, who asks, how pages follow each other, and what the records mean.

    Raises:
        BadSettings: PLAINTEXT_REFUSED or SETTING_WRONG.
    """

    url: str
    mapping: RecordMapping | None = None
    """The name of a file in config/mappings; must be given."""
    records: str = ""
    """Path of the list in the answer, such as `data.items`; empty: the answer is the list."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Always sent along, such as `{ warehouse = "1" }`."""

    token: Secret = _NONE
    """Sent as `Authorization: Bearer`."""
    username: str = ""
    password: Secret = _NONE
    key_header: str = ""
    """Name of a header that carries `key`, such as `X-Api-Key`."""
    key: Secret = _NONE
    allow_plaintext: bool = False

    paging: Literal["none", "page", "offset", "next-link", "token"] = "none"
    page_param: str = "page"
    """What carries the number of the page, the offset or the token."""
    first_page: int = 1
    size_param: str = ""
    size: int = 100
    """Fewer records than that: the last page (`page` and `offset`)."""
    next: str = ""
    """Path of the next address or token in the answer; empty with `next-link`: the header Link."""

    since_param: str = ""
    """What carries the time since when changes are wanted; empty: everything is asked for each time."""
    since_format: str = "iso"
    """`iso`, `unix`, `unix_ms` or a layout such as `%Y-%m-%d %H:%M:%S` (UTC)."""
    changed_at: str = ""
    """Path of a record's time of change (ISO 8601 with offset); empty: our own time of asking is gone on from."""
    overlap: timedelta = timedelta(minutes=5)
    """So much of the last stretch is asked for again: clocks differ, and transactions end late."""

    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        refuse_plaintext(self.url, "url", allowed=self.allow_plaintext)
        for key in ("records", "next", "changed_at"):
            self._check_path(key)
        if self.paging == "token" and not self.next:
            raise BadSettings("SETTING_WRONG", "next: say where in the answer the token for the next page stands")
        if bool(self.key_header) != bool(self.key.reveal()):
            raise BadSettings("SETTING_WRONG", "key_header and key belong together")

    def _check_path(self, key: str) -> None:
        path = getattr(self, key)
        try:
            if path:
                read_path(path)
        except ValueError as error:
            raise BadSettings("SETTING_WRONG", f"{key}: {error}") from None


CONNECTOR = Connector(
    name="rest",
    title="REST (JSON over HTTP)",
    docs="https://www.rfc-editor.org/rfc/rfc9110",
    settings=RestSettings,
    provides={EventFeed: "connectors.rest.feed:RestFeed"},
)
