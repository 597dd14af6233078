"""Compare two versions of a BPMN diagram, element by element."""

from collections.abc import Iterator, Mapping

from waggle.comparing.difference import Difference
from waggle.comparing.elements import Element, Model, read_model
from waggle.comparing.words import called, changes, expression, short


def compare_diagrams(old: bytes, new: bytes, name: str) -> list[Difference]:
    """Return what is not as it was, in the order of the new diagram, what went last.

    Raises:
        BadSettings: DIAGRAM_UNREADABLE.
    """
    before, after = read_model(old, name), read_model(new, name)
    # A flow may lead to what only one side has.
    named = {**before.elements, **after.elements}
    found: list[Difference] = []
    for element_id, element in after.elements.items():
        was = before.elements.get(element_id)
        if was is None:
            found.append(Difference(element_id, "added", _whole(element, after, "is new")))
            continue
        found += [Difference(element_id, "changed", f"{called(was)} {said}") for said in changes(was, element, named)]
    for element_id, was in before.elements.items():
        if element_id not in after.elements:
            found.append(Difference(element_id, "removed", _whole(was, before, "is gone")))
    found += _platform(before, after)
    return [*found, *_moved(before, after)]


def _whole(element: Element, model: Model, what: str) -> str:
    facts = element.facts
    if element.kind != "sequenceFlow":
        return f"{called(element)} {what}{_detail(facts)}"
    ends = [facts.get("@sourceRef", ""), facts.get("@targetRef", "")]
    source, target = (short(model.elements[end]) if end in model.elements else end for end in ends)
    condition = f", taken if {expression(facts['conditionExpression'])}" if "conditionExpression" in facts else ""
    name = f' "{element.name}"' if element.name else ""
    return f"Arrow{name} from {source} to {target} {what}{condition}"


def _detail(facts: Mapping[str, str]) -> str:
    """Return what an element does, in short."""
    does = facts.get("zeebe:taskDefinition@type")
    calls = facts.get("zeebe:calledElement@processId") or facts.get("zeebe:calledDecision@decisionId")
    waits = next(
        (facts[path] for path in facts if path.startswith("timerEventDefinition/time") and "@" not in path), None
    )
    message = next((facts[path] for path in facts if path.endswith("messageRef/@name")), None)
    if does or calls:
        return f" ({does or calls})"
    if waits:
        return f": waits {expression(waits)}"
    return f": {message}" if message else ""


def _platform(before: Model, after: Model) -> Iterator[Difference]:
    for key in dict.fromkeys([*after.platform, *before.platform]):
        old, new = before.platform.get(key), after.platform.get(key)
        if old != new:
            what = {"modeler:executionPlatformVersion": "the engine version"}.get(key, key)
            yield Difference(
                "", "changed", f"The file is drawn for {what} {new or 'unknown'} instead of {old or 'unknown'}"
            )


def _moved(before: Model, after: Model) -> Iterator[Difference]:
    """Yield one line for all that was only drawn elsewhere."""
    moved = [
        element_id
        for element_id in after.elements
        if element_id in before.elements and after.places.get(element_id) != before.places.get(element_id)
    ]
    if moved:
        things = "One element was" if len(moved) == 1 else f"{len(moved)} elements were"
        yield Difference("", "moved", f"{things} moved in the drawing; that changes nothing for shoppers")
