"""The table of every rule, from the rules themselves: docs/checks.md."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from waggle.services.bpmnlint_words import WORDS
from waggle.services.diagram_checks import UNREADABLE
from waggle.services.diagram_rules import DIAGRAM_RULES, SURROUNDING_RULES, TABLE_RULES, rule_id

_UNREADABLE_DEMAND: Final = (
    "A file is what its ending says, holds one executable process or decisions of DMN 1.3, and no two have one id."
)


def demands() -> Mapping[str, str]:
    """Return rule id -> what it demands, in a sentence."""
    rules: list[Callable[..., Any]] = [*DIAGRAM_RULES, *TABLE_RULES, *SURROUNDING_RULES]
    own = {rule_id(rule): _sentence(rule) for rule in rules}
    linted = {f"bpmnlint/{rule}": f"Not this: {words.problem}." for rule, words in WORDS.items()}
    return {UNREADABLE: _UNREADABLE_DEMAND, **own, **linted}


def listed() -> str:
    """Return docs/checks.md."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# What `waggle check` looks for"
    yield ""
    yield (
        "Made from the rules themselves by `python tools/lint/checks_table.py`; a test says when it is out of date. "
        "Each finding names the element, what happens if it is ignored, and how to mend it. `waggle deploy` refuses "
        "what has findings of the first three tables."
    )
    for title, rules in (
        ("Diagrams", DIAGRAM_RULES),
        ("Decisions", TABLE_RULES),
        ("What stands beside them", SURROUNDING_RULES),
    ):
        yield from ("", f"## {title}", "", "| rule | what it demands |", "| --- | --- |")
        if title == "Diagrams":
            yield f"| {UNREADABLE} | {_UNREADABLE_DEMAND} |"
        for rule in rules:
            yield f"| {rule_id(rule)} | {_sentence(rule)} |"
    yield ""
    yield "## bpmnlint"
    yield ""
    yield (
        "Needs Node; without it these are left out, and the check says so. What our own rules say about the same "
        "element is not said twice."
    )
    yield from ("", "| rule | what it finds | if ignored | mend |", "| --- | --- | --- | --- |")
    for name, words in sorted(WORDS.items()):
        yield f"| bpmnlint/{name} | {words.problem} | {words.consequence} | {words.mend} |"


def _sentence(rule: Callable[..., Any]) -> str:
    return " ".join((inspect.getdoc(rule) or "").split()).replace("|", "\\|")
