"""Ways out that every journey must have, whatever else it does."""

from collections.abc import Iterator
from typing import Final

from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about
from waggle.services.diagrams import Diagram, Node
from waggle.services.findings import Finding

CONSENT_WITHDRAWN: Final = "consent-withdrawn"
CUSTOMER_ERASED: Final = "customer-erased"

_MARKETING: Final = frozenset({"send-message", "issue-coupon", "add-to-audience"})
"""Tasks that are done only with the customer's consent to marketing."""
_ABOUT_A_REQUEST: Final = "request_id"


def marketing_ends_with_consent(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """Whatever advertises to a customer is left at once when the customer withdraws consent."""
    if _is_about_a_customer(diagram, known):
        yield from _missing_exit(
            diagram,
            known,
            CONSENT_WITHDRAWN,
            _MARKETING,
            "somebody who has just said no stays in the journey until it ends by itself",
        )


def journeys_end_with_their_customer(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """Whatever writes to a customer is left at once when the customer is erased."""
    if _is_about_a_customer(diagram, known):
        yield from _missing_exit(
            diagram,
            known,
            CUSTOMER_ERASED,
            _MARKETING | {"send-order-message"},
            "the journey of somebody who was forgotten goes on, and each of its tasks fails",
        )


def consent_exits_are_about_marketing(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """Who withdraws another consent than the one to marketing stays in a journey that advertises."""
    if not _doing(diagram, known, _MARKETING):
        return
    for name, message in known.catalogue.messages.items():
        for told in message.ends if message.event_type == CONSENT_WITHDRAWN else ():
            if told.journey == diagram.process_id and not any(rule.field == "purpose" for rule in told.when):
                yield about(
                    diagram,
                    next(_exits(diagram, known, CONSENT_WITHDRAWN), None),
                    f"the catalogue ends it with any withdrawn consent, as [[{name}.ends]] names no purpose",
                    "who only objects to profiling is no longer written to",
                    'add when = [{ field = "purpose", rule = "equals", value = "marketing" }] there',
                )


def _missing_exit(
    diagram: Diagram, known: Surroundings, event: str, task_types: frozenset[str], consequence: str
) -> Iterator[Finding]:
    exits = list(_exits(diagram, known, event))
    open_ones = [node for node in _doing(diagram, known, task_types) if not _is_left(diagram, node, exits)]
    if not open_ones:
        return
    yield about(
        diagram,
        open_ones[0] if exits else None,
        f"it has no exit for {event}",
        consequence,
        f"add an event sub-process that starts on {event}, records the outcome and ends; and an entry "
        f"[[{event}.ends]] in the catalogue",
    )


def _exits(diagram: Diagram, known: Surroundings, event: str) -> Iterator[Node]:
    """Yield what waits for an event of the type *event* and ends what it stands on or in."""
    causes = {event, *(name for name, _ in known.catalogue.caused_by(event))}
    for node in diagram.nodes.values():
        if node.message in causes and node.kind in ("startEvent", "boundaryEvent") and node.interrupts:
            yield node


def _is_left(diagram: Diagram, node: Node, exits: list[Node]) -> bool:
    scopes = {diagram.process_id, *(scope.id for scope in diagram.around(node))}
    for found in exits:
        host = diagram.nodes.get(found.parent)
        if found.attached_to in {node.id, *scopes} or (host is not None and host.listens and host.parent in scopes):
            return True
    return False


def _doing(diagram: Diagram, known: Surroundings, task_types: frozenset[str]) -> list[Node]:
    """Return the tasks of these types, and the calls of pieces that have one."""
    found = []
    for node in diagram.nodes.values():
        piece = known.pieces.get(node.call.process or "") if node.call is not None else None
        inside = {each.task_type for part in known.parts(piece) for each in part.nodes.values()} if piece else set()
        if task_types & {node.task_type, *inside}:
            found.append(node)
    return found


def _is_about_a_customer(diagram: Diagram, known: Surroundings) -> bool:
    """Say whether an event with a customer starts it; what somebody asked for about their data goes on without them."""
    entries = [
        (message, entry)
        for message in known.catalogue.messages.values()
        for entry in message.starts
        if entry.journey == diagram.process_id
    ]
    return any(entry.customer and _ABOUT_A_REQUEST not in message.variables for message, entry in entries)
