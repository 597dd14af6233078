"""Compare two versions of a DMN file, rule by rule."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from waggle.comparing.difference import Difference
from waggle.domain.markup import root_of
from waggle.errors import BadSettings

_MODEL: Final = "{https://www.omg.org/spec/DMN/20191111/MODEL/}"
_ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"


@dataclass(frozen=True, slots=True)
class _Rule:
    place: int
    when: str
    answer: str
    note: str


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    facts: Mapping[str, str]
    rules: Mapping[str, _Rule]


def compare_decisions(old: bytes, new: bytes, name: str) -> list[Difference]:
    """Return what is not as it was, table by table.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE.
    """
    before, after = dict(_tables(old, name)), dict(_tables(new, name))
    found: list[Difference] = []
    for table_id, table in after.items():
        was = before.get(table_id)
        if was is None:
            found.append(
                Difference(table_id, "added", f'Decision "{table.name}" is new, with {len(table.rules)} rules')
            )
            continue
        found += _compared(table_id, was, table)
    gone = (table_id for table_id in before if table_id not in after)
    return [*found, *(Difference(each, "removed", f'Decision "{before[each].name}" is gone') for each in gone)]


def _compared(table_id: str, old: _Table, new: _Table) -> Iterator[Difference]:
    subject = f'Decision "{new.name}"'
    for what in dict.fromkeys([*new.facts, *old.facts]):
        before, after = old.facts.get(what), new.facts.get(what)
        if before is None:
            yield Difference(table_id, "changed", f"{subject} has a new {what}: {after}")
        elif after is None:
            yield Difference(table_id, "changed", f"{subject} lost its {what}: {before}")
        elif before != after:
            yield Difference(table_id, "changed", f"{subject}: {what} is now {after} instead of {before}")
    for rule_id, rule in new.rules.items():
        if rule_id not in old.rules:
            text = f"{subject}: rule {rule.place} is new: {_said(rule)}"
            yield Difference(rule_id, "added", text)
            continue
        yield from _rule(rule_id, subject, old.rules[rule_id], rule)
    for rule_id, rule in old.rules.items():
        if rule_id not in new.rules:
            yield Difference(
                rule_id, "removed", f"{subject}: the rule that was number {rule.place} is gone: {_said(rule)}"
            )
    kept_before = [each for each in old.rules if each in new.rules]
    kept_after = [each for each in new.rules if each in old.rules]
    if kept_before != kept_after:
        order = ", ".join(str(old.rules[each].place) for each in kept_after)
        yield Difference(
            table_id, "changed", f"{subject}: the rules stand in another order now (by their old numbers: {order})"
        )


def _rule(rule_id: str, subject: str, old: _Rule, new: _Rule) -> Iterator[Difference]:
    if old.when != new.when:
        text = f"{subject}: rule {new.place} now applies if {new.when} instead of if {old.when}"
        yield Difference(rule_id, "changed", text)
    if old.answer != new.answer:
        text = f"{subject}: rule {new.place} ({new.when}) now answers {new.answer} instead of {old.answer}"
        yield Difference(rule_id, "changed", text)
    if old.note != new.note:
        yield Difference(rule_id, "changed", f'{subject}: the note of rule {new.place} is now "{new.note}"')


def _said(rule: _Rule) -> str:
    return f"if {rule.when}, then {rule.answer}"


def _tables(content: bytes, name: str) -> Iterator[tuple[str, _Table]]:
    try:
        root = root_of(content)
    except ET.ParseError as error:
        raise BadSettings("DIAGRAM_UNREADABLE", f"{name}: {error}") from error
    for decision in root.iter(f"{_MODEL}decision"):
        yield decision.get("id", ""), _table(decision)


def _table(decision: ET.Element) -> _Table:
    tag = decision.find(f"{_MODEL}extensionElements/{_ZEEBE}versionTag")
    facts = {
        "name": decision.get("name", ""),
        "description": " ".join(decision.findtext(f"{_MODEL}description", "").split()),
    }
    if tag is not None:
        facts["version"] = tag.get("value", "")
    table = decision.find(f"{_MODEL}decisionTable")
    literal = decision.findtext(f"{_MODEL}literalExpression/{_MODEL}text")
    if literal is not None:
        facts["expression"] = literal.strip()
    if table is None:
        return _Table(facts["name"], facts, {})
    facts["hit policy"] = " ".join([table.get("hitPolicy", "UNIQUE"), table.get("aggregation", "")]).strip()
    inputs = [
        found.findtext(f"{_MODEL}inputExpression/{_MODEL}text", "").strip() for found in table.iter(f"{_MODEL}input")
    ]
    outputs = [found.get("name", "") for found in table.iter(f"{_MODEL}output")]
    facts["inputs"], facts["outputs"] = ", ".join(inputs), ", ".join(outputs)
    rules = {
        rule.get("id", ""): _Rule(
            place=place,
            when=_joined(inputs, [_text(cell) for cell in rule.iter(f"{_MODEL}inputEntry")]) or "anything",
            answer=_answers(outputs, [_text(cell) for cell in rule.iter(f"{_MODEL}outputEntry")]),
            note=" ".join(rule.findtext(f"{_MODEL}description", "").split()),
        )
        for place, rule in enumerate(table.iter(f"{_MODEL}rule"), 1)
    }
    return _Table(facts["name"], facts, rules)


def _joined(inputs: list[str], cells: list[str]) -> str:
    told = []
    for name, cell in zip(inputs, cells, strict=False):
        if cell not in ("", "-"):
            told.append(f"{name} {cell}" if cell[0] in "<>=" else f"{name} is {cell}")
    return " and ".join(told)


def _answers(outputs: list[str], cells: list[str]) -> str:
    return ", ".join(f"{name} {cell or 'nothing'}" for name, cell in zip(outputs, cells, strict=False))


def _text(cell: ET.Element) -> str:
    return (cell.findtext(f"{_MODEL}text") or "").strip()
