"""Durations on the command line: ISO 8601, as in the settings."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import msgspec
from cyclopts import Parameter, Token


def _read(_type: object, tokens: Sequence[Token]) -> timedelta:
    try:
        return msgspec.convert(tokens[0].value, timedelta, strict=False)
    except msgspec.ValidationError:
        raise ValueError("a duration is written as P90D or PT24H") from None


Duration = Annotated[timedelta, Parameter(converter=_read)]
