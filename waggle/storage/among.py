"""Whether a column holds one of many texts, in one statement however many there are.

`IN (?, ?, ...)` is another statement for each number of texts: PostgreSQL would plan, and the driver prepare, each of
them on each connection.
"""

import json
from collections.abc import Sequence
from typing import Any, Self

from sqlalchemy import ARRAY, Boolean, ColumnElement, Dialect, Text, TypeDecorator, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine


class _Texts(TypeDecorator[Sequence[str]]):
    """One parameter: an array, or where there are none, JSON."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(ARRAY(Text()) if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:  # noqa: ANN401 -- as the driver wants it
        assert value is not None  # noqa: S101 -- asked without texts, the statement would be the wrong one
        return list(value) if dialect.name == "postgresql" else json.dumps(list(value))


class _Among(FunctionElement[bool]):
    """Of a column and its texts."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: object = None) -> Self:  # noqa: ARG002 -- as it is called
        """Stand as a condition as it is: SQLite would get `... = 1`, and not see that an index helps."""
        return self


@compiles(_Among, "postgresql")
def _in_array(element: _Among, compiler: SQLCompiler, **more: Any) -> str:  # noqa: ANN401 -- passed on
    column, texts = (compiler.process(each, **more) for each in element.clauses)
    return f"{column} = ANY({texts})"


@compiles(_Among, "sqlite")
def _in_json(element: _Among, compiler: SQLCompiler, **more: Any) -> str:  # noqa: ANN401 -- passed on
    column, texts = (compiler.process(each, **more) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({texts}))"  # noqa: S608 -- both were compiled


def among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """Return the condition that *column* holds one of the texts given under *name*, a list that may be empty."""
    return _Among(column, bindparam(name, type_=_Texts()))
