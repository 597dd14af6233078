"""What must never be held, wherever in an event it stands: card numbers, card codes, passwords, national ids."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from waggle.domain.event import FACTS, CartItem


@dataclass(frozen=True, slots=True)
class Finding:
    """Where something forbidden stands, and of which class it is; never what it is."""

    where: str
    kind: str


def forbidden_in(item: object, encoded: bytes) -> Finding | None:
    """Return the first thing in *item* that must not be held; *encoded* is the same as JSON.

    By far the most items end at a look at the bytes, at the speed of C, and one at the names.
    """
    if _may_say(encoded) or (not _has_our_names_only(item, encoded) and _has_telling_name(encoded)):
        return next(_findings(item), None)
    return None


def _may_say(encoded: bytes) -> bool:
    """Say whether the bytes hold enough digits for a card's number, or a word that goes before a national id."""
    if not encoded.isascii():
        # Digits and letters have look-alikes of other widths.
        encoded = unicodedata.normalize("NFKC", encoded.decode()).encode()
    # One character is found several times as fast as two.
    if b"%" in encoded and b"%2" in encoded:
        return True
    digits = encoded.translate(_DIGITS_ALIKE, b" .+_-")
    if _SHORT_ROW not in digits:
        return False
    if _ROW in digits:
        return True
    lowered = encoded.lower()
    return b"pesel" in lowered or b"ssn" in lowered or b"social sec" in lowered


def _has_our_names_only(item: object, encoded: bytes) -> bool:
    """Say whether *item* is an envelope with data and lines of our vocabulary alone, as by far the most are."""
    if not isinstance(item, dict) or not _OUR_NAMES.issuperset(item):
        return False
    data = item.get("data")
    if not isinstance(data, dict) or not _OUR_NAMES.issuperset(data):
        return False
    lines = data.get("items", [])
    if not isinstance(lines, list):
        return False
    for line in lines:
        if not isinstance(line, dict) or not _OUR_NAMES.issuperset(line):
            return False
    # No object stands anywhere else; a brace in a text only costs the longer look.
    return encoded.count(b"{") == len((item, data)) + len(lines)


def _has_telling_name(encoded: bytes) -> bool:
    """Say whether a name may be one of those that tell what is held."""
    if b"\\" in encoded:
        # Something is escaped, maybe in a name.
        return True
    unknown = set(_NAMES.findall(encoded)) - _HARMLESS_NAMES
    return any(_plain(name.decode("utf-8", "replace")) in _KIND_OF_NAME for name in unknown)


def field_path(where: str, name: str) -> str:
    """Return *where* with *name* behind it, or as it is if a name of the sender's could itself say something."""
    return f"{where}.{name}" if _PLAIN_NAME.fullmatch(name) else where


def _findings(item: object) -> Iterator[Finding]:
    waiting: list[tuple[str, str, object]] = [("$", "", item)]
    while waiting:
        where, name, value = waiting.pop()
        if isinstance(value, dict):
            # A name may be the very thing: {"4111...": true}.
            texts = [kind for key in value if (kind := _kind_of_text(str(key))) is not None]
            yield from (Finding(where, kind) for kind in texts)
            waiting.extend((field_path(where, str(key)), str(key), each) for key, each in value.items())
        elif isinstance(value, list):
            waiting.extend((f"{where}[{index}]", name, each) for index, each in enumerate(value))
        elif isinstance(value, str | int) and not isinstance(value, bool):
            kind = _kind_by_name(name, str(value)) or _kind_of_text(str(value))
            if kind is not None:
                yield Finding(where, kind)


def _kind_by_name(name: str, text: str) -> str | None:
    kind = _KIND_OF_NAME.get(_plain(name))
    # Stars and dots stand where something was taken out.
    return kind if kind is not None and _SAYS_SOMETHING.search(text) else None


def _kind_of_text(text: str) -> str | None:
    text = unicodedata.normalize("NFKC", text)
    for found in _CARD.finditer(text):
        digits = _NO_DIGIT.sub("", _ESCAPED.sub("", found.group()))
        if _BRAND.fullmatch(digits) and _luhn(digits):
            return "card number"
    return "national identity number" if _NAMED_ID.search(text) else None


def _plain(name: str) -> str:
    return _NO_LETTER.sub("", name.lower())


def _luhn(digits: str) -> bool:
    total = sum(int(digit) for digit in digits[-1::-2])
    total += sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return total % 10 == 0


_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_NO_LETTER = re.compile(r"[^a-z0-9]+")
_NO_DIGIT = re.compile(r"[^0-9]+")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_SAYS_SOMETHING = re.compile(r"[^\s*•.xX#_-]")

_GAP = r"(?:[ .+_-]|%20|%2[Dd])"
# Digits in a row or in the groups that are printed on cards, such as 4-4-4-4 and 4-6-5. Within letters or longer rows
# they are part of some id: an id is refused for nothing less than a whole number of a card. Fourteen in a row, which
# some old cards have, are the ids of a great shop system.
_CARD = re.compile(
    rf"(?<![0-9A-Za-z])(?:[0-9]{{15,19}}|[0-9]{{4}}(?:{_GAP}[0-9]{{4}}){{3}}(?:{_GAP}[0-9]{{3}})?"
    rf"|[0-9]{{4}}{_GAP}[0-9]{{6}}{_GAP}[0-9]{{4,5}})(?![0-9A-Za-z])"
)
# Beginnings and lengths of the numbers that are given out (ISO/IEC 7812; as of 2026). Of Maestro's 12 to 19 digits only
# 16 and 19 count: numbers of other kinds look just like the rest.
_BRAND = re.compile(
    r"4[0-9]{15}(?:[0-9]{3})?"
    r"|5[0-9]{15}|2(?:2[2-9]|[3-6][0-9]|7[01])[0-9]{13}|2720[0-9]{12}|220[0-4][0-9]{12}"
    r"|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|6[0-9]{15}(?:[0-9]{3})?"
)
_NAMED_ID = re.compile(
    r"(?i)\b(?:ssn|social security(?: number)?)\W{0,3}[0-9]{3}-?[0-9]{2}-?[0-9]{4}\b|\bpesel\W{0,3}[0-9]{11}\b"
)

_KIND_OF_NAME = {
    **dict.fromkeys(
        (
            "cvv",
            "cvv2",
            "cvc",
            "cvc2",
            "cardcvv",
            "cardcvc",
            "cardcode",
            "cardsecuritycode",
            "cardverificationcode",
            "cardverificationvalue",
            "track1",
            "track2",
            "trackdata",
            "magstripe",
            "pinblock",
        ),
        "card verification data",
    ),
    **dict.fromkeys(
        (
            "password",
            "passwd",
            "pwd",
            "passphrase",
            "passwordhash",
            "passwordconfirmation",
            "confirmpassword",
            "currentpassword",
            "newpassword",
            "oldpassword",
            "userpassword",
            "passwort",
            "haslo",
            "privatekey",
            "clientsecret",
        ),
        "password",
    ),
    **dict.fromkeys(
        (
            "ssn",
            "socialsecuritynumber",
            "nationalid",
            "nationalidnumber",
            "nationalidentitynumber",
            "personalidnumber",
            "idcardnumber",
            "passportnumber",
            "passportno",
            "pesel",
            "nrdowodu",
            "steuerid",
            "steueridentifikationsnummer",
            "codicefiscale",
            "personnummer",
            "fodselsnummer",
            "aadhaar",
            "aadhaarnumber",
        ),
        "national identity number",
    ),
}
"""Name of a field, in lower case and without what is no letter or digit -> what it holds."""

_NAMES = re.compile(rb'"([^"\\]*)":')
_OUR_NAMES = frozenset({"id", "source", "specversion", "type", "time", "subject", "data", "items"}) | {
    name for fact in (*FACTS.values(), CartItem) for name in fact.__dataclass_fields__
}
_HARMLESS_NAMES = {name.encode() for name in _OUR_NAMES}

_ROW = b"0" * 14
_SHORT_ROW = b"0" * 9
"""The shortest national id of those that are known by the word before them."""
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
