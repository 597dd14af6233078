"""Variables: read only where something before may have written them, and never about a person."""

import re
from collections.abc import Iterator
from typing import Final

from waggle.domain.event import FACTS, personal_fields
from waggle.services.diagram_rules.flowing import flowing
from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about, expressions
from waggle.services.diagrams import Diagram
from waggle.services.findings import Finding

_PERSONAL_WORDS: Final = frozenset(
    {
        *(
            "email",
            "mail",
            "phone",
            "mobile",
            "telephone",
            "name",
            "firstname",
            "lastname",
            "surname",
            "address",
            "street",
        ),
        *("zip", "postcode", "postal", "city", "birthday", "birthdate", "birth", "dob", "gender", "iban", "ip"),
        *("password", "recipient", "sender", "salutation", "greeting"),
    }
)
_OF_THINGS: Final = frozenset({"allowed", "enabled", "count", "sent", "outcome", "reason", "id", "template", "consent"})
"""Words at the end of a name that make it a fact and no longer a person's: email_allowed, address_id."""
_ABOUT_THINGS: Final = frozenset({"shop", "product", "campaign", "segment", "template", "journey", "tier", "audience"})
_ADDRESS: Final = re.compile(r"[^\s@\"]+@[^\s@\"]+\.[a-z]{2,}")
_PHONE: Final = re.compile(r"\+(?:[\s().-]*[0-9]){8}")


def variables_are_written_before_they_are_read(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """On at least one way to an element, something has written each variable that it reads; else it is always null."""
    if diagram.is_piece:
        # What a piece reads before it has written it are its inputs: a call that lacks one is found there.
        return
    for reading in flowing(diagram, known).readings():
        is_asked_by_table = reading.what.startswith("column ")
        for variable in sorted(reading.formula.variables - reading.available) if not is_asked_by_table else ():
            if (
                reading.what.startswith("output ")
                and reading.formula.path is not None
                and _is_told_otherwise(diagram, reading.element, known)
            ):
                continue
            yield about(
                diagram,
                diagram.nodes.get(reading.element) or diagram.flows.get(reading.element),
                f'the {reading.what} reads "{variable}", which nothing before it has written',
                "it is always null: a condition is false, a timer or a task becomes an incident",
                f"correct the name, or add the output {variable} to a task before it",
            )


def variables_say_nothing_about_a_person(diagram: Diagram, _known: Surroundings) -> Iterator[Finding]:
    """The engine keeps every variable for ever: names, addresses and numbers of people stay in Waggle's own store."""
    named: dict[str, set[str]] = {}
    for node in diagram.nodes.values():
        results = (node.decision_result, node.script_result)
        written = {*(name for name, _ in (*node.inputs, *node.outputs)), *(name for name in results if name)}
        if node.repetition is not None:
            written |= {name for name in (node.repetition.item, node.repetition.collected) if name}
        for variable in sorted(filter(_is_personal, written)):
            named.setdefault(node.id, set()).add(variable)
    for element, names in named.items():
        for variable in sorted(names):
            yield about(
                diagram,
                diagram.nodes[element],
                f'the variable "{variable}" is something about a person',
                "Operate shows it to everybody on duty, and it cannot be erased when the customer asks for it",
                "hand over customer_id or enrolment_id alone; the worker looks the rest up",
            )
    for thing, what, source in expressions(diagram):
        if _ADDRESS.search(source) or _PHONE.search(source):
            yield about(
                diagram,
                thing,
                f"an address or a telephone number stands in the {what}",
                "Operate shows it to everybody on duty, and it cannot be erased",
                "put it into the settings of Waggle, and let a worker look it up",
            )


def _is_told_otherwise(diagram: Diagram, element: str, known: Surroundings) -> bool:
    """Say whether results_are_taken_under_their_names and its like speak of the outputs of *element*."""
    node = diagram.nodes.get(element)
    if node is None:
        return False
    return bool(
        node.task_type in known.tasks or node.decision or (node.call is not None and node.call.process in known.pieces)
    )


def _is_personal(variable: str) -> bool:
    if variable in PERSONAL_FIELDS:
        return True
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", variable).lower().split("_")
    return bool(set(words) & _PERSONAL_WORDS) and words[-1] not in _OF_THINGS and words[0] not in _ABOUT_THINGS


PERSONAL_FIELDS: Final = frozenset(name for fact in FACTS.values() for name in personal_fields(fact))
"""Fields of events that are stored encrypted."""
