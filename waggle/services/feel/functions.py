"""The functions that FEEL has in version 8.6 of the engine."""

from collections.abc import Mapping
from typing import Final

_ANY: Final = range(1, 1000)

FUNCTIONS: Final[Mapping[str, range]] = {
    **dict.fromkeys(("now", "today", "uuid", "random number"), range(1)),
    **dict.fromkeys(
        (
            *("not", "string", "get entries", "context", "duration", "reverse", "flatten", "distinct values"),
            *("duplicate values", "abs", "sqrt", "log", "exp", "odd", "even", "string length", "upper case"),
            *("lower case", "trim", "to base64", "is empty", "is defined", "day of week", "day of year"),
            *("week of year", "month of year", "last day of month"),
        ),
        range(1, 2),
    ),
    **dict.fromkeys(("floor", "ceiling", "date and time"), range(1, 3)),
    **dict.fromkeys(
        (
            *("get value", "get or else", "years and months duration", "list contains", "remove", "index of"),
            *("decimal", "round up", "round down", "round half up", "round half down", "modulo", "before", "after"),
            *("meets", "met by", "overlaps", "overlaps before", "overlaps after", "finishes", "finished by"),
            *("includes", "during", "starts", "started by", "coincides", "substring before", "substring after"),
            *("contains", "starts with", "ends with", "split", "extract", "sort"),
        ),
        range(2, 3),
    ),
    **dict.fromkeys(("substring", "assert", "sublist", "matches"), range(2, 4)),
    **dict.fromkeys(("context put", "insert before"), range(3, 4)),
    **dict.fromkeys(("number", "date"), range(1, 4)),
    "time": range(1, 5),
    "replace": range(3, 5),
    "string join": range(1, 5),
    **dict.fromkeys(
        ("count", "min", "max", "sum", "product", "mean", "median", "stddev", "mode", "all", "any", "union"), _ANY
    ),
    **dict.fromkeys(("concatenate", "context merge"), _ANY),
    "append": _ANY,
}
"""Name -> how many arguments it takes."""

TRUE_OR_FALSE: Final = frozenset({"is defined"})
"""Functions whose answer is never null; `contains` and its like are null where a text is absent."""

MANY_WORDS: Final = tuple(sorted((name.split() for name in FUNCTIONS if " " in name), key=len, reverse=True))
