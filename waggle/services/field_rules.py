"""What each field of a fact may hold: a name means the same wherever it stands."""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from waggle.domain.event import CartItem, Problem

Rule = Callable[[object], str | None]
"""Returns how to mend a wrong value, never quoting it; None for a right one."""

MAX_ID_CHARS = 200
MAX_MONEY_MINOR = 10**12
MAX_QUANTITY = 1_000_000
MAX_CART_LINES = 1_000
MAX_URL_CHARS = 2_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# The engine refuses the same; here the sender still learns of it, there it would be an incident for each journey.
_PERSONAL = re.compile(r"@|\+(?:[\s().-]*[0-9]){8}")
_ADDRESS = re.compile(r"[^\s@<>,;]{1,64}@[^\s@<>,;]{1,189}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_WORD = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
_CURRENCY = re.compile(r"[A-Z]{3}")


def problem_in_fact(fact: object, where: str) -> Problem | None:
    """Return the first field of *fact* that breaks its rule; *where* is the path of *fact* itself."""
    for path, owner, name, value in _fields_of(fact, where):
        if value is None:
            continue
        if name in _IDS:
            problem = problem_in_id(value, path)
            if problem is not None:
                return problem
        else:
            advice = rule_for(owner, name)(value)
            if advice is not None:
                return Problem("FIELD_INVALID", path, advice)
    return None


def problem_in_id(value: object, where: str) -> Problem | None:
    """Return why *value* cannot name something; ids reach the engine, where nothing can be erased."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_CHARS:
        return Problem("FIELD_INVALID", where, f"Give 1 to {MAX_ID_CHARS} characters.")
    if not value.isprintable() or value != value.strip():
        return Problem("FIELD_INVALID", where, "Give printable characters, without spaces around them.")
    if _PERSONAL.search(value):
        return Problem("ID_NOT_OPAQUE", where, "Give an id that is neither an e-mail address nor a phone number.")
    return None


def rule_for(owner: type, name: str) -> Rule:
    """Return the rule of a field that is not an id.

    Raises:
        KeyError: nobody has said what the field may hold.
    """
    return _RULES_OF_ONE_FACT.get((owner, name)) or _RULES[name]


def is_id(name: str) -> bool:
    """Say whether a field of this name holds an id."""
    return name in _IDS


def _fields_of(fact: object, where: str) -> Iterator[tuple[str, type, str, object]]:
    if not is_dataclass(fact):
        return
    for field in fields(fact):
        path, value = f"{where}.{field.name}", getattr(fact, field.name)
        yield path, type(fact), field.name, value
        if isinstance(value, list):
            for index, line in enumerate(value):
                yield from _fields_of(line, f"{path}[{index}]")


def _text(max_chars: int) -> Rule:
    def rule(value: object) -> str | None:
        if not isinstance(value, str) or not 1 <= len(value) <= max_chars:
            return f"Give 1 to {max_chars} characters, or leave the field out."
        return "Take the control characters out." if _CONTROL.search(value) else None

    return rule


def _whole(least: int, most: int) -> Rule:
    def rule(value: object) -> str | None:
        return None if isinstance(value, int) and least <= value <= most else f"Give {least} to {most}."

    return rule


def _form(pattern: re.Pattern[str], advice: str) -> Rule:
    def rule(value: object) -> str | None:
        return None if isinstance(value, str) and len(value) <= MAX_URL_CHARS and pattern.fullmatch(value) else advice

    return rule


def _lines(value: object) -> str | None:
    return None if isinstance(value, list) and len(value) <= MAX_CART_LINES else f"Give at most {MAX_CART_LINES} items."


def _time_zone(value: object) -> str | None:
    return None if value in _time_zone_names() else "Give an IANA time zone name such as Europe/Warsaw."


@cache
def _time_zone_names() -> frozenset[str]:
    return frozenset(available_timezones())


def _web_address(value: object) -> str | None:
    # These end up in mails and redirects: only what every mail program and browser reads alike, hence no backslash.
    advice = f"Give an absolute http or https address of at most {MAX_URL_CHARS} characters, without user name."
    if not isinstance(value, str) or len(value) > MAX_URL_CHARS or re.search(r"[\s\\<>\"`]", value):
        return advice
    if not value.isprintable():
        return advice
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return advice
    readable = parts.scheme in {"http", "https"} and parts.hostname and "@" not in parts.netloc and port != 0
    return None if readable else advice


_IDS = frozenset({"customer_id", "cart_id", "order_id", "message_id", "sku"})

_word = _form(_WORD, "Give a lower-case word such as marketing.")
_money = _whole(0, MAX_MONEY_MINOR)

_RULES: dict[str, Rule] = {
    "email": _form(_ADDRESS, "Give one e-mail address such as name@example.com, without display name."),
    "first_name": _text(200),
    "name": _text(500),
    "time_zone": _time_zone,
    "language": _form(_LANGUAGE, "Give a language tag such as en or pt-BR."),
    "currency": _form(_CURRENCY, "Give an ISO 4217 code such as EUR."),
    "items": _lines,
    "quantity": _whole(0, 10**9),
    "unit_price_minor": _money,
    "price_minor": _money,
    "total_minor": _money,
    "coupon_code": _text(100),
    "url": _web_address,
    "image_url": _web_address,
    "purpose": _word,
    "channel": _word,
    "text_version": _text(200),
}

# A cart line of nothing is no line; a stock of nothing is news.
_RULES_OF_ONE_FACT: dict[tuple[type, str], Rule] = {(CartItem, "quantity"): _whole(1, MAX_QUANTITY)}
