"""What a dataclass says about its fields: type, default, and the docstring below each."""

import ast
import inspect
import textwrap
import types
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True)
class Described:
    """One variable that a task or piece reads or writes."""

    name: str
    kind: type
    """Without `None`; a Literal is a str."""
    choices: tuple[str, ...] = ()
    """What a Literal allows."""
    required: bool = True
    nullable: bool = False
    default: Any = None
    """None where there is none."""
    text: str = ""
    """The docstring on one line."""


def described(kind: type) -> list[Described]:
    """Return the fields of the dataclass *kind* in their order."""
    texts, hints = _docstrings(kind), get_type_hints(kind)
    found = []
    for each in fields(kind):
        plain, choices, nullable = _plain(hints[each.name])
        default = each.default if each.default is not MISSING else None
        if each.default_factory is not MISSING:
            default = each.default_factory()
        required = each.default is MISSING and each.default_factory is MISSING
        found.append(Described(each.name, plain, choices, required, nullable, default, texts.get(each.name, "")))
    return found


def _plain(hint: Any) -> tuple[type, tuple[str, ...], bool]:  # noqa: ANN401 -- any annotation
    """Return the class behind an annotation, the texts a Literal allows, and whether it may be None."""
    nullable = False
    if get_origin(hint) in (Union, types.UnionType):
        nullable = types.NoneType in get_args(hint)
        [hint, *_] = [each for each in get_args(hint) if each is not types.NoneType]
    if get_origin(hint) is Literal:
        return str, tuple(map(str, get_args(hint))), nullable
    origin = get_origin(hint) or hint
    return (origin if isinstance(origin, type) else object), (), nullable


def _docstrings(kind: type) -> dict[str, str]:
    """Return the text below each field; a class without source has none."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError):
        return {}
    found: dict[str, str] = {}
    before: str | None = None
    for each in tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []:
        text = each.value.value if isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) else None
        if before is not None and isinstance(text, str):
            found[before] = " ".join(text.split())
        before = each.target.id if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) else None
    return found
