"""What may enter the engine: opaque ids and small scalars under declared names.

Operate and the exporters keep every variable, and nothing there can be erased. So all that goes to the engine passes
here: variables, correlation keys, message ids and the texts of failures.
"""

import math
import re
from collections.abc import Collection, Mapping
from typing import Final

from waggle.errors import PermanentFailure

Variable = str | int | float | bool | None | list["Variable"] | dict[str, "Variable"]

STRUCTURED: Final = frozenset({"settings", "offer", "approval"})
"""The only variables that may be a list or an object, and of scalars only."""

LONGEST_TEXT: Final = 256
"""Characters. Longer is content, and content stays in our own store."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_OPAQUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
# E.164 as people write it; the digits of a time zone (+01:00) are too few.
_PHONE = re.compile(r"\+(?:[\s().-]*[0-9]){8}")
# The engine keeps whole numbers in 64 bits.
_INTEGERS = range(-(2**63), 2**63)


def checked(variables: Mapping[str, object], allowed: Collection[str]) -> dict[str, Variable]:
    """Return *variables* as they may be handed to the engine.

    Raises:
        PermanentFailure: VARIABLE_REFUSED; the message has the name and the rule, never the value.
    """
    for name in variables:
        if name not in allowed:
            raise _refused(name, "is not declared")
    return {name: _variable(name, value) for name, value in variables.items()}


def checked_id(name: str, value: str) -> str:
    """Return *value*, a correlation key or message id called *name* in errors.

    Raises:
        PermanentFailure: VARIABLE_REFUSED.
    """
    if not value:
        raise _refused(name, "is empty")
    _scalar(name, value)
    return value


def failure_text(code: str, *details: str) -> str:
    """Return what an incident or a failed job says: *code* and opaque words.

    A word that might quote a person is replaced by a dash.
    """
    words = [code if _CODE.fullmatch(code) else "CODE_REFUSED", *details]
    return " ".join(word if _is_opaque(word) else "-" for word in words)


def _variable(name: str, value: object) -> Variable:
    if isinstance(value, Mapping) and name in STRUCTURED:
        for key in value:
            # A key made of data would carry a person as well as a value does.
            if not isinstance(key, str) or _NAME.fullmatch(key) is None:
                raise _refused(name, "has a key that is no name")
        return {key: _scalar(name, item) for key, item in value.items()}
    if isinstance(value, list | tuple) and name in STRUCTURED:
        return [_scalar(name, item) for item in value]
    return _scalar(name, value)


def _scalar(name: str, value: object) -> Variable:
    match value:
        case None | bool():
            return value
        case int():
            if value not in _INTEGERS:
                raise _refused(name, "is a number of more than 64 bits")
            return value
        case float():
            if not math.isfinite(value):
                raise _refused(name, "is not a finite number")
            return value
        case str():
            _check_text(name, value)
            return value
    raise _refused(name, f"is a {type(value).__name__}, not a small scalar")


def _check_text(name: str, value: str) -> None:
    if len(value) > LONGEST_TEXT:
        raise _refused(name, f"is longer than {LONGEST_TEXT} characters")
    if "@" in value:
        raise _refused(name, "looks like an address")
    if _PHONE.search(value):
        raise _refused(name, "looks like a phone number")


def _is_opaque(word: str) -> bool:
    return _OPAQUE.fullmatch(word) is not None


def _refused(name: str, why: str) -> PermanentFailure:
    shown = name if _NAME.fullmatch(name) else "a variable whose name is no name"
    return PermanentFailure("VARIABLE_REFUSED", f"{shown} {why}")
