"""Cut a formula into words and signs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from waggle.services.feel.formula import FeelMistake

Kind = Literal["text", "number", "moment", "name", "sign", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign."""

    kind: Kind
    text: str
    """Without quotation marks, if it is a text."""
    start: int
    end: int


_TOKEN: Final = re.compile(
    r"""
    (?P<blank>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<moment>@"[^"]*")
    |(?P<text>"(?:[^"\\]|\\.)*")
    |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)
    |(?P<name>`[^`]+`|[^\W\d]\w*|\?)
    |(?P<sign>\*\*|\.\.|!=|<=|>=|->|[<>=+\-*/(){}\[\],.:])
    """,
    re.VERBOSE | re.DOTALL,
)

_MISTAKES: Final = (
    ("==", "it compares with ==", "write one = to compare"),
    ("=>", "it compares with =>", "write >="),
    ("=<", "it compares with =<", "write <="),
    ("<>", "it compares with <>", "write !="),
    ("&", "it joins with &", "write the word and"),
    ("|", "it joins with |", "write the word or"),
    ("'", "it has a text in single quotation marks", 'write the text in straight double ones, as in "sent"'),
    ("‘", "it has a text in curved quotation marks", 'write straight ones, as in "sent"'),  # noqa: RUF001 -- the mistake
    ("’", "it has a text in curved quotation marks", 'write straight ones, as in "sent"'),  # noqa: RUF001 -- the mistake
    ("“", "it has a text in curved quotation marks", 'write straight ones, as in "sent"'),
    ("”", "it has a text in curved quotation marks", 'write straight ones, as in "sent"'),
    ("„", "it has a text in curved quotation marks", 'write straight ones, as in "sent"'),
    ("!", "it says no with !", "write not(...), or != for unequal"),
    (
        "$",
        "it has ${...} in it, which is another engine's way",
        "write the variable alone, after the = at the beginning",
    ),
    (
        "#",
        "it has #{...} in it, which is another engine's way",
        "write the variable alone, after the = at the beginning",
    ),
    ("%", "it computes with %", "write modulo(a, b), or divide by 100 for a percentage"),
    (";", "it has a semicolon in it", "write a comma, or remove it"),
    ('"', "a text has no quotation mark at its end", 'close it with "'),
)


def tokens(text: str) -> list[Token]:
    """Return the words and signs of *text*, and an `end`.

    Raises:
        FeelMistake: a sign that FEEL does not know.
    """
    return [*_tokens(text), Token("end", "", len(text), len(text))]


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        found = next(((sign, why, mend) for sign, why, mend in _MISTAKES[:4] if text.startswith(sign, at)), None)
        match = _TOKEN.match(text, at) if found is None else None
        if match is None:
            found = found or next((each for each in _MISTAKES if text.startswith(each[0], at)), None)
            _, problem, mend = found or (text[at], f"it has {text[at]} in it, which means nothing there", "remove it")
            raise FeelMistake(problem, mend)
        yield from _token(match)
        at = match.end()


def _token(match: re.Match[str]) -> Iterator[Token]:
    written = match[0]
    for kind, shown in (
        ("text", written[1:-1]),
        ("number", written),
        ("moment", written),
        ("name", written.strip("`")),
        ("sign", written),
    ):
        if match[kind] is not None:
            yield Token(kind, shown, match.start(), match.end())  # type: ignore[arg-type]  # the groups are the kinds
