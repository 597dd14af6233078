"""How the data of an event is stored: known fields alone, each in one way of writing."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from waggle.domain.event import CartItem, ConsentGiven, ConsentRequested, Fact, PageViewed, Problem, ProductViewed
from waggle.services.normalising import email_address, phone_number

_NOTHING: frozenset[str] = frozenset()
_PERSONAL_PART = re.compile(r"(?i)@|%40|(?:\+|%2b)[0-9 ().-]{8}")
_MAY_SAY_MORE = re.compile(r"[?#@%+]")


class UnfitError(ValueError):
    """A field has no form in which it could be stored."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def stored_form(
    fact_type: type[Fact], data: Mapping[str, Any], allowed: frozenset[str] = _NOTHING, *, where: str = "$.data"
) -> dict[str, Any]:
    """Return what is stored of *data*, which fits *fact_type*: unknown fields go, unless *allowed* names them.

    Raises:
        UnfitError: an e-mail address or a phone number is none.
    """
    kind: type = fact_type
    known = _names_of(kind)
    kept = dict(data) if known.issuperset(data) else {k: v for k, v in data.items() if k in known or k in allowed}
    if "items" in kept:
        kept["items"] = [
            line if _OF_A_LINE.issuperset(line) else {k: v for k, v in line.items() if k in _OF_A_LINE}
            for line in kept["items"]
        ]
    for name, form, advice in _forms_of(kind):
        value = kept.get(name)
        if value is not None:
            try:
                kept[name] = form(value)
            except ValueError:
                raise UnfitError(Problem("FIELD_INVALID", f"{where}.{name}", advice)) from None
    return kept


_OF_A_LINE = frozenset(each.name for each in fields(CartItem))


@cache
def _names_of(kind: type) -> frozenset[str]:
    return frozenset(each.name for each in fields(kind))


@cache
def _forms_of(kind: type) -> tuple[tuple[str, Callable[[str], str], str], ...]:
    return tuple(
        (name, form, advice)
        for (kinds, name), (form, advice) in _FORMS.items()
        if name in _names_of(kind) and (not kinds or kind in kinds)
    )


def page_address(url: str) -> str:
    """Return *url* without what its query or path may tell of the visitor; `utm_` parameters stay."""
    if _MAY_SAY_MORE.search(url) is None:
        return url
    parts = urlsplit(url)
    told = [each for each in parts.query.split("&") if each.startswith("utm_") and not _PERSONAL_PART.search(each)]
    path = "/".join("-" if _PERSONAL_PART.search(each) else each for each in parts.path.split("/"))
    return urlunsplit(SplitResult(parts.scheme, parts.netloc, path, "&".join(told), ""))


_PAGES = frozenset({PageViewed, ProductViewed})
_PROOFS = frozenset({ConsentGiven, ConsentRequested})
_EVERYWHERE: frozenset[type] = frozenset()

_FORMS: dict[tuple[frozenset[type], str], tuple[Callable[[str], str], str]] = {
    (_EVERYWHERE, "email"): (
        email_address,
        "Give one e-mail address such as name@example.com, without display name.",
    ),
    (_EVERYWHERE, "phone"): (phone_number, "Give a phone number in E.164 form, such as +48123456789."),
    # Not the address of a cart or a product: its query is how the shopper finds it again.
    (_PAGES, "url"): (page_address, ""),
    (_PAGES, "referrer"): (page_address, ""),
    (_PROOFS, "proof_url"): (page_address, ""),
}
