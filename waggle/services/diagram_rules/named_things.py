"""Messages, segments and coupon campaigns that a diagram names."""

from collections.abc import Iterator

from waggle.services.diagram_rules.flowing import formula_in
from waggle.services.diagram_rules.surroundings import Surroundings
from waggle.services.diagram_rules.telling import about, choose
from waggle.services.diagrams import Diagram, Node
from waggle.services.findings import Finding


def templates_exist(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A fixed template is a folder in config/messages."""
    for node, template in _fixed(diagram, "template"):
        if template not in known.templates:
            yield about(
                diagram,
                node,
                f'there is no message "{template}" in config/messages',
                "every journey stops here with an incident",
                choose(template, known.templates.keys()),
            )


def templates_fit_their_task(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """Advertising goes by send-message, which asks for consent; what belongs to an order, by send-order-message."""
    for node, template in _fixed(diagram, "template"):
        purpose = known.templates.get(template)
        is_order = node.task_type == "send-order-message"
        is_marketing = node.task_type == "send-message" or _sends_marketing(node, known)
        if purpose is None or not (is_order or is_marketing) or is_order == (purpose == "transactional"):
            continue
        yield about(
            diagram,
            node,
            f'the message "{template}" is sent for the purpose "{purpose}"',
            "the worker refuses it: every journey stops here with an incident",
            "use send-message for it" if is_order else "use send-order-message for it, or another message",
        )


def segments_exist(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A fixed segment is a file in config/segments."""
    for node, segment in _fixed(diagram, "segment"):
        if segment not in known.segments:
            yield about(
                diagram,
                node,
                f'there is no segment "{segment}" in config/segments',
                "every journey stops here with an incident",
                choose(segment, known.segments),
            )


def coupon_campaigns_exist(diagram: Diagram, known: Surroundings) -> Iterator[Finding]:
    """A fixed coupon campaign is a section of config/coupons.toml."""
    for node, campaign in _fixed(diagram, "coupon_campaign"):
        if campaign not in known.campaigns:
            yield about(
                diagram,
                node,
                f'there is no coupon campaign "{campaign}" in config/coupons.toml',
                "every journey stops here with an incident",
                choose(campaign, known.campaigns),
            )


def _fixed(diagram: Diagram, variable: str) -> Iterator[tuple[Node, str]]:
    """Yield every node with the fixed text that it gives for *variable*, in quotation marks or without."""
    for node in diagram.nodes.values():
        for name, source in node.inputs:
            formula = formula_in(source)
            if name == variable and not source.startswith("="):
                yield node, source
            elif name == variable and formula is not None and isinstance(formula.value, str):
                yield node, formula.value


def _sends_marketing(node: Node, known: Surroundings) -> bool:
    piece = known.pieces.get(node.call.process or "") if node.call is not None else None
    return piece is not None and any(each.task_type == "send-message" for each in piece.nodes.values())
