"""Say in our own words what bpmnlint found, as its messages are for those who program."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from waggle.services.findings import Finding

_REFUSED: Final = "the engine refuses the diagram, and nothing is deployed"
_UNREADABLE: Final = "whoever looks at the diagram or at Operate reads it wrongly"
_LEFT_OUT: Final = "it is not done, or the engine refuses the diagram"


@dataclass(frozen=True, slots=True)
class Words:
    """What one rule of bpmnlint means."""

    problem: str
    consequence: str
    mend: str
    told_by: tuple[str, ...] = ()
    """Our own rules that say the same about the same element."""
    with_message: bool = False
    """The message names what the words cannot."""


WORDS: Final[Mapping[str, Words]] = {
    "import": Words(
        "the file cannot be read as a diagram",
        _REFUSED,
        "open it in Modeler and save it",
        ("files-can-be-read",),
        with_message=True,
    ),
    "ad-hoc-sub-process": Words(
        "it is an ad-hoc sub-process with what cannot be in one",
        _REFUSED,
        "draw an ordinary sub-process",
        ("the-engine-has-the-element",),
    ),
    "conditional-flows": Words(
        "an arrow out of a split has no condition and is not the default",
        _REFUSED,
        "set a condition on the arrow, or make it the default flow",
        ("answers-of-a-split-have-conditions", "splits-have-a-default"),
    ),
    "end-event-required": Words(
        "no end event on this level",
        "nobody can tell how it ended",
        "draw an end event with a name",
        ("ways-end-at-end-events",),
    ),
    "event-based-gateway": Words(
        "the event-based gateway leads to less than two events",
        "there is nothing to choose from",
        "draw a second event behind it, or remove the gateway",
    ),
    "event-sub-process-typed-start-event": Words(
        "the event sub-process starts on nothing", _REFUSED, "give its start event a message or a timer"
    ),
    "fake-join": Words(
        "several arrows lead into it, as if they were waited for together",
        "it happens once for each arrow that is taken, not when all have come",
        "join the arrows in a gateway without a name before it",
    ),
    "global": Words(
        "a message or error of the file is used by nothing, has no name, or has another's name",
        "people choose the wrong one in Modeler's lists",
        "remove it, or give it a name of its own",
        with_message=True,
    ),
    "label-required": Words(
        "it has no name",
        "nobody can tell in Operate or in a report what happens here",
        "name it: a task by what is done, an event by what has happened, a split by its question",
        ("names-say-something", "answers-of-a-split-have-conditions"),
    ),
    "link-event": Words(
        "the link event has no partner, or no name",
        "the way ends here without a word",
        "draw one catching link event of the same name",
    ),
    "no-bpmndi": Words(
        "it is not drawn", "it runs, and nobody sees it in Operate", "draw it in Modeler", ("everything-is-drawn",)
    ),
    "no-complex-gateway": Words(
        "it is a complex gateway", _REFUSED, "use an exclusive or a parallel gateway", ("the-engine-has-the-element",)
    ),
    "no-disconnected": Words(
        "nothing leads to it or away from it",
        "it never happens, or ends everything without a word",
        "connect it by arrows, or remove it",
        ("everything-is-reached", "ways-end-at-end-events"),
    ),
    "no-duplicate-sequence-flows": Words(
        "two arrows lead from the same element to the same", "what follows happens twice", "remove one of them"
    ),
    "no-gateway-join-fork": Words(
        "the gateway joins and splits at once", _UNREADABLE, "draw two gateways, one that joins and one that splits"
    ),
    "no-implicit-split": Words(
        "several arrows leave it without a gateway",
        "all of them are taken at the same time",
        "put a gateway behind it: exclusive for one way, parallel for all",
    ),
    "no-implicit-end": Words(
        "the way ends here without an end event",
        "nobody can tell in Operate how the journey ended",
        "draw an arrow to what follows, or to an end event",
        ("ways-end-at-end-events",),
    ),
    "no-implicit-start": Words(
        "nothing leads here",
        "it never happens, or begins together with the start",
        "draw an arrow to it from where it should follow",
        ("everything-is-reached",),
    ),
    "no-inclusive-gateway": Words(
        "it is an inclusive gateway", _UNREADABLE, "use exclusive or parallel gateways: what each does is seen at once"
    ),
    "no-overlapping-elements": Words("it lies over another element", _UNREADABLE, "move one of them in Modeler"),
    "single-blank-start-event": Words(
        "more than one plain start event on this level", _REFUSED, "leave one of them", ("journeys-start-on-messages",)
    ),
    "single-event-definition": Words(
        "the event waits for several things at once",
        _REFUSED,
        "use an event-based gateway with one event for each",
        ("the-engine-has-the-element",),
    ),
    "start-event-required": Words(
        "no start event on this level", _REFUSED, "draw a start event", ("journeys-start-on-messages",)
    ),
    "sub-process-blank-start-event": Words(
        "the sub-process starts on an event of its own", _REFUSED, "make its start event a plain one"
    ),
    "superfluous-gateway": Words(
        "the gateway has one arrow in and one out", _UNREADABLE, "remove it and draw one arrow"
    ),
    "superfluous-label": Words("the name repeats what the drawing says", _UNREADABLE, "remove the name"),
    "superfluous-termination": Words(
        "the terminating end event ends nothing that would go on", _UNREADABLE, "make it a plain end event"
    ),
    "called-element": Words(
        "the call activity does not say which piece it calls",
        _REFUSED,
        "choose one of the ready-made pieces",
        ("called-pieces-exist", "calls-say-what-goes-in-and-out"),
    ),
    "connector-properties": Words(
        "a field of the ready-made step is not set", _LEFT_OUT, "fill the field that Modeler marks", with_message=True
    ),
    "duplicate-execution-listeners": Words("the same listener is set twice", _REFUSED, "remove one of both"),
    "duplicate-task-headers": Words(
        "the same task header is set twice",
        "one of both values is lost",
        "remove one of both",
        ("headers-are-set-once",),
    ),
    "element-type": Words(
        "it is an element or event that the engine does not have",
        _REFUSED,
        "draw it with others: exclusive gateways, an event-based gateway, or a sub-process",
        ("the-engine-has-the-element", "events-have-a-meaning", "tasks-do-something"),
        with_message=True,
    ),
    "error-reference": Words(
        "the error event names no error, or one without a code",
        "it catches everything, or the engine refuses it",
        "choose an error with a code in capital letters, for example COUPON_BUDGET_EXHAUSTED",
    ),
    "escalation-boundary-event-attached-to-ref": Words(
        "an escalation is awaited at a task that cannot escalate", _REFUSED, "attach it to a sub-process"
    ),
    "escalation-reference": Words(
        "the escalation event names no escalation, or one without a code", _REFUSED, "choose an escalation with a code"
    ),
    "event-based-gateway-target": Words(
        "behind the event-based gateway stands something that is no event",
        _REFUSED,
        "put a message or a timer event there",
    ),
    "executable-process": Words(
        "no process in the file may be run", "nothing is deployed", "tick Executable on the process"
    ),
    "execution-listener": Words("an execution listener has no type", _REFUSED, "remove the listener"),
    "feel": Words(
        "a formula cannot be read",
        _REFUSED,
        "correct the formula that Modeler marks",
        ("formulas-can-be-read", "conditions-cannot-be-null"),
        with_message=True,
    ),
    "feel-compatibility": Words(
        "a function of a newer engine is used",
        "it is null: a condition stops the journey",
        "use functions of version 8.6",
        ("functions-exist",),
        with_message=True,
    ),
    "implementation": Words(
        "it does not say what does the work: no task type, decision or script",
        _REFUSED,
        "choose one of the ready-made steps, or set the task type, the decision and its result variable",
        ("tasks-do-something",),
    ),
    "io-mapping": Words(
        "an input or output mapping is not whole", _REFUSED, "give it a name and a value", with_message=True
    ),
    "loop-characteristics": Words(
        "it is repeated, and no list says for what",
        _REFUSED,
        "set Input collection",
        ("repetitions-have-a-list",),
    ),
    "message-reference": Words(
        "the event names no message, or one without a name", _REFUSED, "choose an engine message of the catalogue"
    ),
    "no-business-id": Words("it sets a business id, which this engine does not have", _REFUSED, "remove it"),
    "no-candidate-users": Words("it names candidate users, which this engine does not have", _REFUSED, "name groups"),
    "no-before-all-execution-listener": Words("a listener is of a newer kind", _REFUSED, "remove the listener"),
    "no-cancel-execution-listener": Words("a listener is of a newer kind", _REFUSED, "remove the listener"),
    "no-execution-listener-headers": Words("a listener has headers", _REFUSED, "remove them"),
    "no-job-priority-definition": Words("it sets a priority of jobs", "it is ignored", "remove it"),
    "no-task-listeners": Words("a task listener is set, which this engine does not have", _REFUSED, "remove it"),
    "no-expression": Words(
        "a formula stands where the engine takes a fixed text", _REFUSED, "write a fixed text", with_message=True
    ),
    "no-loop": Words(
        "it has the loop marker",
        "the engine ignores it: the task is done once",
        "draw the loop with a gateway and a way back",
        ("repetitions-have-a-list",),
    ),
    "no-multiple-none-start-events": Words(
        "more than one plain start event", _REFUSED, "leave one of them", ("journeys-start-on-messages",)
    ),
    "priority-definition": Words("the priority is no number from 0 to 100", _REFUSED, "write a number from 0 to 100"),
    "secrets": Words(
        "it names a secret in another engine's way",
        "the text itself is handed over",
        "put it into the settings of Waggle",
    ),
    "sequence-flow-condition": Words(
        "a condition stands on an arrow that does not leave an exclusive or inclusive split",
        _REFUSED,
        "put a gateway before it",
        ("answers-of-a-split-have-conditions",),
    ),
    "signal-reference": Words(
        "the signal event names no signal", _REFUSED, "choose a signal, or use an engine message"
    ),
    "start-event-form": Words("a form is linked to a start event that cannot have one", "nobody sees it", "remove it"),
    "subscription": Words(
        "the message that is waited for has no correlation key",
        _REFUSED,
        "set the subscription correlation key to =enrolment_id",
        ("messages-are-keyed-by-enrolment",),
    ),
    "task-schedule": Words(
        "the due or follow-up date is no date",
        _REFUSED,
        "write a formula such as =now() + duration(settings.answer_within)",
    ),
    "timer": Words(
        "the timer says no time that the engine can read",
        _REFUSED,
        "write =duration(settings.<name>) or =date and time(<variable>)",
        ("times-come-from-settings",),
    ),
    "user-task-definition": Words("nobody is assigned to the user task", "everybody sees it", "name a group"),
    "user-task-form": Words(
        "the form of the user task is not set", "nobody can answer it", "link a form", ("user-tasks-reach-people",)
    ),
    "variable-name": Words(
        "a variable has a name that no formula can read",
        _REFUSED,
        "write small letters, digits and _",
        ("names-have-no-dashes",),
    ),
    "version-tag": Words(
        "the version tag is empty", _REFUSED, "write one such as 1.0.0", ("a-version-is-written-on-it",)
    ),
    "wait-for-completion": Words("the thrown compensation is not waited for", _REFUSED, "tick Wait for completion"),
    "feel-expression": Words(
        "a condition or key cannot be what was meant",
        _REFUSED,
        "begin formulas with =, and compare with one =",
        ("formulas-can-be-read", "conditions-cannot-be-null", "messages-are-keyed-by-enrolment"),
        with_message=True,
    ),
}
"""bpmnlint's own rules, those for this version of the engine, and that of our plugin."""

_OTHERWISE: Final = Words(
    "bpmnlint finds fault with it",
    "the engine may refuse the diagram",
    "look at the element in Modeler",
    with_message=True,
)


def in_words(found: Iterable[Mapping[str, Any]], own: Iterable[Finding]) -> list[Finding]:
    """Return what bpmnlint reported, without what our own rules said already.

    Args:
        found: objects with file, rule, id, name and message.
        own: what our own rules found in the same files.
    """
    said = {(finding.file, finding.element, finding.rule) for finding in own}
    told: dict[Finding, None] = {}
    for each in found:
        rule = str(each["rule"]).rpartition("/")[2]
        words = WORDS.get(rule, _OTHERWISE)
        file = Path(each["file"])
        element = str(each.get("id") or file.name)
        if any((file, element, other) in said for other in words.told_by):
            continue
        message = f" ({each['message']})" if words.with_message or rule not in WORDS else ""
        told[
            Finding(
                file,
                element,
                " ".join(str(each.get("name") or "").split()),
                words.problem + message,
                words.consequence,
                words.mend,
                f"bpmnlint/{rule}",
            )
        ] = None
    return list(told)
