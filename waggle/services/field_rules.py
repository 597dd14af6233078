"""What each field of a fact may hold: a name means the same wherever it stands."""

import re
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date, datetime
from functools import cache
from ipaddress import ip_address
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from waggle.domain.event import CartItem, Problem, ProductAdded, ProductRemoved
from waggle.domain.privacy import RIGHTS

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
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_WORD = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
_CURRENCY = re.compile(r"[A-Z]{3}")
# Most addresses, at the speed of C.
_PLAIN_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(?:/[A-Za-z0-9/._~!$&'()*+,;=:@%?#-]*)?")
_COUNTRY = re.compile(r"[A-Z]{2}")


def problem_in_fact(fact: object, where: str) -> Problem | None:
    """Return the first field of *fact* that breaks its rule; *where* is the path of *fact* itself."""
    kind: type = type(fact)
    for name, rule in _checks_of(kind):
        value = getattr(fact, name)
        if value is None:
            continue
        if rule is None:
            found = _trouble_with_id(value)
            if found is not None:
                return Problem(found[0], f"{where}.{name}", found[1])
            continue
        advice = rule(value)
        if advice is not None:
            return Problem("FIELD_INVALID", f"{where}.{name}", advice)
        if name == "items":
            for index, line in enumerate(value):
                problem = problem_in_fact(line, "")
                if problem is not None:
                    return replace(problem, where=f"{where}.{name}[{index}]{problem.where}")
    return None


def problem_in_id(value: object, where: str) -> Problem | None:
    """Return why *value* cannot name something; ids reach the engine, where nothing can be erased."""
    found = _trouble_with_id(value)
    return None if found is None else Problem(found[0], where, found[1])


def rule_for(owner: type, name: str) -> Rule:
    """Return the rule of a field that is not an id.

    Raises:
        KeyError: nobody has said what the field may hold.
    """
    return _RULES_OF_ONE_FACT.get((owner, name)) or _RULES[name]


def is_id(name: str) -> bool:
    """Say whether a field of this name holds an id."""
    return name in _IDS


Trouble = tuple[str, str]
"""The code of a rule that is broken, and how to mend it."""


@cache
def _checks_of(kind: type) -> tuple[tuple[str, Rule | None], ...]:
    """Return the fields of *kind*, each with its rule, None for an id; looked up once: events come by thousands."""
    return tuple((each.name, None if each.name in _IDS else rule_for(kind, each.name)) for each in fields(kind))


def _trouble_with_id(value: object) -> Trouble | None:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_CHARS:
        return "FIELD_INVALID", f"Give 1 to {MAX_ID_CHARS} characters."
    if not value.isprintable() or value != value.strip():
        return "FIELD_INVALID", "Give printable characters, without spaces around them."
    if ("@" in value or "+" in value) and _PERSONAL.search(value):
        return "ID_NOT_OPAQUE", "Give an id that is neither an e-mail address nor a phone number."
    return None


def _text(max_chars: int) -> Rule:
    def rule(value: object) -> str | None:
        if not isinstance(value, str) or not 1 <= len(value) <= max_chars:
            return f"Give 1 to {max_chars} characters, or leave the field out."
        # What is printable has none: by far the most texts end here.
        return None if value.isprintable() or not _CONTROL.search(value) else "Take the control characters out."

    return rule


def _whole(least: int, most: int) -> Rule:
    def rule(value: object) -> str | None:
        return None if isinstance(value, int) and least <= value <= most else f"Give {least} to {most}."

    return rule


def _form(pattern: re.Pattern[str], advice: str) -> Rule:
    def rule(value: object) -> str | None:
        return None if isinstance(value, str) and len(value) <= MAX_URL_CHARS and pattern.fullmatch(value) else advice

    return rule


def _one_of(*words: str) -> Rule:
    def rule(value: object) -> str | None:
        return None if value in words else f"Give one of: {', '.join(words)}."

    return rule


def _date(value: object) -> str | None:
    advice = "Give a date such as 1990-04-30."
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return advice
    try:
        date.fromisoformat(value)
    except ValueError:
        return advice
    return None


def _ip_address(value: object) -> str | None:
    try:
        ip_address(str(value))
    except ValueError:
        return "Give an IPv4 or IPv6 address."
    return None


def _zoned(value: object) -> str | None:
    fits = isinstance(value, datetime) and value.tzinfo is not None
    return None if fits else "Give RFC 3339 with offset, such as 2026-05-04T10:00:00Z."


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
    if not isinstance(value, str) or len(value) > MAX_URL_CHARS:
        return advice
    if _PLAIN_ADDRESS.fullmatch(value):
        return None
    if re.search(r"[\s\\<>\"`]", value):
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


_IDS = frozenset(
    {
        "anonymous_id",
        "campaign_id",
        "cart_id",
        "checkout_id",
        "customer_id",
        "merged_customer_id",
        "message_id",
        "order_id",
        "payment_id",
        "promotion_id",
        "request_id",
        "sku",
    }
)

_word = _form(_WORD, "Give a lower-case word such as marketing.")
_money = _whole(0, MAX_MONEY_MINOR)

_RULES: dict[str, Rule] = {
    # What these two may hold is said, at once with how it is stored, in stored_forms.
    "email": _text(320),
    "first_name": _text(200),
    "name": _text(500),
    "last_name": _text(200),
    "phone": _text(40),
    "birth_date": _date,
    "ip": _ip_address,
    "time_zone": _time_zone,
    "country": _form(_COUNTRY, "Give an ISO 3166-1 code of two letters, such as PL."),
    "language": _form(_LANGUAGE, "Give a language tag such as en or pt-BR."),
    "currency": _form(_CURRENCY, "Give an ISO 4217 code such as EUR."),
    "items": _lines,
    "quantity": _whole(0, 10**9),
    "unit_price_minor": _money,
    "price_minor": _money,
    "total_minor": _money,
    "amount_minor": _money,
    "refund_minor": _money,
    "code": _text(100),
    "legal_basis": _one_of("consent", "contract", "legitimate_interest", "legal_obligation"),
    "mechanism": _word,
    "proof_url": _web_address,
    "title": _text(500),
    "referrer": _web_address,
    "coupon_code": _text(100),
    "url": _web_address,
    "image_url": _web_address,
    "purpose": _word,
    "channel": _word,
    "text_version": _text(200),
    "valid_until": _zoned,
    "right": _one_of(*RIGHTS),
    "rating": _whole(1, 5),
    "score": _whole(0, 10),
    "days_since_order": _whole(0, 100_000),
    "points": _whole(1, 10**9),
    "tier": _word,
    "audience": _word,
    "campaign": _word,
    "requested_by": _text(60),
    "starts_at": _zoned,
    "ends_at": _zoned,
}

# A cart line of nothing is no line; a stock of nothing is news.
_RULES_OF_ONE_FACT: dict[tuple[type, str], Rule] = {
    (CartItem, "quantity"): _whole(1, MAX_QUANTITY),
    (ProductAdded, "quantity"): _whole(1, MAX_QUANTITY),
    (ProductRemoved, "quantity"): _whole(1, MAX_QUANTITY),
}
