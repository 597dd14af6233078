"""What a fact of an element means, in an analyst's words."""

import re
from collections.abc import Mapping
from typing import Final

from waggle.comparing.elements import Element

_KINDS: Final = {
    "process": "The journey",
    "serviceTask": "Task",
    "task": "Task",
    "sendTask": "Task",
    "receiveTask": "Task",
    "manualTask": "Task",
    "scriptTask": "Calculation",
    "userTask": "Person's task",
    "businessRuleTask": "Decision",
    "callActivity": "Call",
    "subProcess": "Sub-process",
    "adHocSubProcess": "Sub-process",
    "exclusiveGateway": "Gateway",
    "parallelGateway": "Gateway",
    "inclusiveGateway": "Gateway",
    "eventBasedGateway": "Gateway",
    "startEvent": "Start",
    "endEvent": "End",
    "sequenceFlow": "Arrow",
    "textAnnotation": "Note",
}
_EVENTS: Final = {"timer": "Timer", "message": "Message event", "error": "Error event", "signal": "Signal event"}

# Path of a fact -> a sentence about `new` and `old`; the first that fits. {0} is what the path's group holds.
_TOLD: Final = tuple(
    (re.compile(path), changed, came, went)
    for path, changed, came, went in (
        (r"@name", 'is now called "{new}" instead of "{old}"', 'is now called "{new}"', 'lost its name "{old}"'),
        (
            r"timerEventDefinition/timeDuration",
            "now waits {new} instead of {old}",
            "now waits for a duration, {new}",
            "no longer waits for a duration ({old})",
        ),
        (
            r"timerEventDefinition/timeDate",
            "now waits until {new} instead of {old}",
            "now waits until a date, {new}",
            "no longer waits until a date ({old})",
        ),
        (
            r"timerEventDefinition/timeCycle",
            "now repeats {new} instead of {old}",
            "now repeats, {new}",
            "no longer repeats ({old})",
        ),
        (
            r"conditionExpression",
            "is now taken if {new} instead of if {old}",
            "is now taken only if {new}",
            "no longer has the condition {old}",
        ),
        (
            r"zeebe:taskDefinition@type",
            'is now done by "{new}" instead of "{old}"',
            'is now done by "{new}"',
            'is no longer done by "{old}"',
        ),
        (
            r"zeebe:taskDefinition@retries",
            "is now tried {new} times instead of {old}",
            "is now tried {new} times",
            "no longer says how often it is tried (it was {old})",
        ),
        (
            r"zeebe:input\[(.*)\]@source",
            "is now given {0} = {new} instead of {old}",
            "is now given {0} = {new}",
            "is no longer given {0} (it was {old})",
        ),
        (
            r"zeebe:output\[(.*)\]@source",
            "now puts {new} into {0} instead of {old}",
            "now puts {new} into {0}",
            "no longer fills {0} (it was {old})",
        ),
        (
            r"zeebe:header\[(.*)\]@value",
            'now has the header {0} = "{new}" instead of "{old}"',
            'now has the header {0} = "{new}"',
            'lost the header {0} = "{old}"',
        ),
        (
            r"(?:messageEventDefinition@)?(?:messageEventDefinition/)?messageRef/@name",
            'now has the engine message "{new}" instead of "{old}"',
            'now has the engine message "{new}"',
            'no longer has the engine message "{old}"',
        ),
        (
            r".*messageRef/zeebe:subscription@correlationKey",
            "is now found by the key {new} instead of {old}",
            "is now found by the key {new}",
            "is no longer found by the key {old}",
        ),
        (
            r".*errorRef/@errorCode",
            "now has the error {new} instead of {old}",
            "now has the error {new}",
            "no longer has the error {old}",
        ),
        (
            r"zeebe:calledDecision@decisionId",
            'now asks the decision "{new}" instead of "{old}"',
            'now asks the decision "{new}"',
            'no longer asks the decision "{old}"',
        ),
        (
            r"zeebe:calledDecision@resultVariable",
            "now puts the answer into {new} instead of {old}",
            "now puts the answer into {new}",
            "no longer puts the answer into {old}",
        ),
        (
            r"zeebe:calledElement@processId",
            'now calls "{new}" instead of "{old}"',
            'now calls "{new}"',
            'no longer calls "{old}"',
        ),
        (
            r"zeebe:(?:calledElement|calledDecision|formDefinition)@bindingType",
            "now uses the version by {new} instead of {old}",
            "now uses the version by {new}",
            "no longer says which version it uses (it was {old})",
        ),
        (
            r"zeebe:formDefinition@formId",
            'now shows the form "{new}" instead of "{old}"',
            'now shows the form "{new}"',
            'no longer shows the form "{old}"',
        ),
        (
            r"zeebe:assignmentDefinition@candidateGroups",
            "is now decided by {new} instead of {old}",
            "is now decided by {new}",
            "no longer says who decides (it was {old})",
        ),
        (
            r"zeebe:versionTag@value",
            "now has version {new} instead of {old}",
            "now has version {new}",
            "no longer has a version (it was {old})",
        ),
        (
            r"documentation",
            "is described otherwise: {lines}",
            "is now described: {lines}",
            "is no longer described",
        ),
        (
            r"@zeebe:modelerTemplateVersion",
            "uses version {new} of its ready-made step instead of {old}",
            "uses version {new} of a ready-made step",
            "is no longer tied to a ready-made step",
        ),
        (
            r"text",
            'now says "{new}" instead of "{old}"',
            'says "{new}"',
            'no longer says "{old}"',
        ),
    )
)
_REFERENCES: Final = {
    "@sourceRef": "now begins at {new} instead of {old}",
    "@targetRef": "now leads to {new} instead of {old}",
    "@default": "now goes on by {new} instead of {old} if nothing else fits",
    "@attachedToRef": "now sits on {new} instead of {old}",
}
_SWITCHES: Final = {
    ("@cancelActivity", "false"): "no longer interrupts what it sits on",
    ("@cancelActivity", "true"): "now interrupts what it sits on",
    ("@isInterrupting", "false"): "no longer interrupts the journey",
    ("@isInterrupting", "true"): "now interrupts the journey",
    ("@triggeredByEvent", "true"): "is now begun by an event",
    ("@triggeredByEvent", "false"): "is no longer begun by an event",
}
_ON: Final = {"@cancelActivity", "@isInterrupting"}
"""True where it is not said."""
_SILENT: Final = re.compile(r".*(xsi:type|@zeebe:modelerTemplate)|.*EventDefinition|zeebe:\w+(\[[^\]]*\])?(#\d+)?")
"""Tells nothing of its own: what matters about it are its attributes."""


def called(element: Element) -> str:
    """Return how people speak of an element: its kind and name."""
    kind = next((told for event, told in _EVENTS.items() if f"{event}EventDefinition" in element.facts), "Event")
    kind = _KINDS.get(element.kind, kind if element.kind.endswith("Event") else "Element")
    if element.kind == "startEvent" and "timerEventDefinition" in element.facts:
        kind = "Timer"
    if element.kind == "process":
        return f'{kind} "{element.name}"' if element.name else f"{kind} {element.id}"
    return f'{kind} "{element.name}"' if element.name else f"{kind} {element.id}"


def short(element: Element) -> str:
    """Return an element's name in quotes, or its id."""
    return f'"{element.name}"' if element.name else element.id


def changes(old: Element, new: Element, named: Mapping[str, Element]) -> list[str]:
    """Return what is not as it was, each the end of a sentence that begins with the element; *named* resolves ids."""
    told = [f"is now a {new.kind} instead of a {old.kind}"] if old.kind != new.kind else []
    for path in dict.fromkeys([*new.facts, *old.facts]):
        before, after = old.facts.get(path), new.facts.get(path)
        if before != after and (said := _told(path, before, after, named)):
            told.append(said)
    return told


def expression(value: str) -> str:
    """Return an expression without what only the engine needs."""
    inner = value.strip()
    if inner.startswith("="):
        inner = inner[1:].strip()
        found = re.fullmatch(r"(?:duration|date and time)\(([^()]*)\)", inner)
        return found[1].strip() if found else inner
    return f'"{inner}"'


def _told(path: str, before: str | None, after: str | None, named: Mapping[str, Element]) -> str:
    if (switch := _switched(path, before, after)) is not None:
        return switch
    if path in _REFERENCES:
        return _reference(path, before, after, named)
    for pattern, changed, came, went in _TOLD:
        if found := pattern.fullmatch(path):
            form = went if after is None else came if before is None else changed
            return form.format(
                *found.groups(), old=_value(path, before), new=_value(path, after), lines=_lines(before, after)
            )
    if _SILENT.fullmatch(path):
        return ""
    what = path.replace("zeebe:", "").replace("@", " ").replace("/", " ").strip()
    if after is None:
        return f"lost {what} ({before})" if before else f"lost {what}"
    return (
        f"has {what} = {after} instead of {before}"
        if before is not None
        else f"has {what}{f' = {after}' if after else ''}"
    )


def _switched(path: str, before: str | None, after: str | None) -> str | None:
    usual = "true" if path in _ON else "false"
    before, after = before or usual, after or usual
    if (path, after) not in _SWITCHES:
        return None
    return _SWITCHES[path, after] if before != after else ""


def _reference(path: str, before: str | None, after: str | None, named: Mapping[str, Element]) -> str:
    def said(value: str | None) -> str:
        return "nothing" if value is None else short(named[value]) if value in named else value

    return _REFERENCES[path].format(old=said(before), new=said(after))


def _value(path: str, value: str | None) -> str:
    if value is None:
        return ""
    spoken = path.endswith("@source") or path.startswith(("timerEventDefinition", "conditionExpression"))
    return expression(value) if spoken or value.startswith("=") else value


def _lines(before: str | None, after: str | None) -> str:
    """Return the lines of a text that are new, or how many went."""
    old, new = ((text or "").splitlines() for text in (before, after))
    fresh = [line.strip() for line in new if line not in old]
    return " / ".join(fresh) if fresh else f"{len([line for line in old if line not in new])} lines less"
