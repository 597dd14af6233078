"""What other systems send: read without trusting that it is what its vendor describes, and told in our words."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NoReturn

from waggle.domain.event import FACTS, personal_fields
from waggle.domain.money import to_minor

MAX_DEPTH = 64
"""Of objects and lists in each other. Vendors nest ten or so; the decoder itself gives up near a thousand."""

_BLANK = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")
_EARLIEST_YEAR = 2000
"""Before it nothing happened: vendors write 1970 or 0001 for "never"."""
_DIGEST_BYTES = 20
_NO_DECIMALS = "JPY"


class NotUnderstood(ValueError):
    """A payload is not what its vendor describes; `where` is the path of the field, and no value is quoted."""

    def __init__(self, where: str, need: str) -> None:
        super().__init__(f"{where}: {need}")
        self.where = where
        self.need = need


def decoded(body: bytes) -> "Record":
    """Return the JSON object in *body*, fractions as Decimal.

    Raises:
        NotUnderstood: it is no JSON object in UTF-8 of sensible depth and numbers.
    """
    if _depth(body) > MAX_DEPTH:
        raise NotUnderstood("$", f"nest at most {MAX_DEPTH} levels")
    try:
        # An integer of more than 4,300 digits is a ValueError here, as are NaN and broken UTF-8.
        found = json.loads(body.decode("utf-8"), parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, ArithmeticError):
        raise NotUnderstood("$", "send JSON in UTF-8 with numbers of sensible size") from None
    if not isinstance(found, dict):
        raise NotUnderstood("$", "send one JSON object")
    return Record(found)


@dataclass(frozen=True, slots=True)
class Record:
    """A JSON object of somebody else's. A field of another kind than asked for counts as absent."""

    values: Mapping[str, Any]
    where: str = "$"

    def __bool__(self) -> bool:
        return bool(self.values)

    def record(self, *names: str) -> "Record":
        """Return the object under *names*, one in the other; an empty one if there is none."""
        found = self
        for name in names:
            value = found.values.get(name)
            found = Record(value if isinstance(value, dict) else {}, f"{found.where}.{name}")
        return found

    def records(self, name: str) -> "list[Record]":
        """Return the objects of a list; what is none is left out."""
        value = self.values.get(name)
        if not isinstance(value, list):
            return []
        return [Record(each, f"{self.where}.{name}[{i}]") for i, each in enumerate(value) if isinstance(each, dict)]

    def text(self, name: str) -> str | None:
        """Return a text in one line, without what cannot be stored; None for an empty one."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return None
        return _BLANK.sub(" ", value.encode("utf-8", "ignore").decode()).strip() or None

    def need_text(self, name: str) -> str:
        """Return the same.

        Raises:
            NotUnderstood: there is none.
        """
        found = self.text(name)
        if found is None:
            raise NotUnderstood(f"{self.where}.{name}", "a text belongs here")
        return found

    def id(self, name: str) -> str | None:
        """Return a number above zero, or a text, that names something."""
        value = self.values.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**30:
            return str(value)
        found = self.text(name)
        return None if found == "0" else found

    def need_id(self, name: str) -> str:
        """Return the same.

        Raises:
            NotUnderstood: there is none.
        """
        found = self.id(name)
        if found is None:
            raise NotUnderstood(f"{self.where}.{name}", "an id belongs here")
        return found

    def flag(self, name: str) -> bool:
        """Say whether the field is true."""
        return self.values.get(name) is True

    def whole(self, name: str) -> int | None:
        """Return a whole number, also one written as a text or with zeros behind the point."""
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            return None
        try:
            return to_minor(value, _NO_DECIMALS)
        except ValueError:
            return None

    def minor(self, name: str, currency: str) -> int | None:
        """Return an amount in major units as minor units of *currency*, rounded half to even.

        Raises:
            NotUnderstood: something stands there that is no amount, or *currency* is no code.
        """
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
            raise NotUnderstood(f"{self.where}.{name}", "an amount such as 12.50 belongs here")
        try:
            return to_minor(value, currency, rounded=True)
        except ValueError:
            raise NotUnderstood(f"{self.where}.{name}", "an amount such as 12.50 belongs here") from None

    def need_minor(self, name: str, currency: str) -> int:
        """Return the same.

        Raises:
            NotUnderstood: there is none.
        """
        found = self.minor(name, currency)
        if found is None:
            raise NotUnderstood(f"{self.where}.{name}", "an amount such as 12.50 belongs here")
        return found

    def at(self, name: str, *, in_utc: bool = False) -> datetime | None:
        """Return a time in ISO 8601 or in seconds since 1970; one without a zone counts only if told to be *in_utc*."""
        value = self.values.get(name)
        try:
            if isinstance(value, int) and not isinstance(value, bool):
                found = datetime.fromtimestamp(value, UTC)
            elif isinstance(value, str):
                found = datetime.fromisoformat(value.strip())
            else:
                return None
            if found.tzinfo is None:
                if not in_utc:
                    return None
                found = found.replace(tzinfo=UTC)
            found = found.astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            return None
        return found if found.year >= _EARLIEST_YEAR else None

    def currency(self, name: str, default: str = "") -> str:
        """Return an ISO 4217 code.

        Raises:
            NotUnderstood: there is none, and no *default*.
        """
        found = (self.text(name) or default).upper()
        if not re.fullmatch(r"[A-Z]{3}", found):
            raise NotUnderstood(f"{self.where}.{name}", "an ISO 4217 code such as EUR belongs here")
        return found


def envelope(event_type: str, at: datetime | None, data: Mapping[str, Any], *, salt: str = "") -> dict[str, Any]:
    """Return an item for the one door; fields that are None are left out.

    Its id is made of what it says: the same fact is the same event, whichever call or page brings it and however often.
    Nothing personal goes into the id, since an id outlives the person; so *at* must change with what is said of them.
    A fact that has no time of its own and may happen again needs a *salt* that differs each time, such as a call's id.
    """
    told = {name: value for name, value in data.items() if value is not None}
    hidden = personal_fields(FACTS[event_type])
    item: dict[str, Any] = {"specversion": "1.0", "type": event_type, "data": told}
    if at is not None:
        item["time"] = at.isoformat()
    shown = {name: value for name, value in told.items() if name not in hidden}
    said = json.dumps([event_type, item.get("time"), shown, salt], sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).digest()[:_DIGEST_BYTES]
    item["id"] = base64.b32encode(digest).decode().lower()
    return item


def _depth(body: bytes) -> int:
    """Return how deep brackets outside of texts nest, at most; one look at each byte that counts."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for found in re.finditer(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', body, re.DOTALL):
        first = found[0][:1]
        if first in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > MAX_DEPTH:
                return deepest
        elif first in b"]}":
            depth -= 1
    return deepest


def _refuse(_name: str) -> NoReturn:
    raise ValueError
