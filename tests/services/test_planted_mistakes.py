"""Mistakes that analysts make, each planted alone: `waggle check` finds it and says what happens and how to mend it.

Where nothing else is said, one rule alone finds the mistake, so that without this rule nobody would be told.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.services.planting import (
    CAMPAIGN,
    CART,
    CATALOGUE,
    FORM,
    LOYALTY,
    MAPPING,
    PIECE,
    PRIVACY,
    PURPOSES,
    REPLENISHMENT,
    SAMPLE,
    SCENARIO,
    SEGMENT,
    SETTINGS,
    STATE,
    TABLE,
    WORDING,
    Change,
    found_in,
    lay_out,
    told,
)
from waggle.services.diagram_checks import UNREADABLE
from waggle.services.diagram_rules import DIAGRAM_RULES, SURROUNDING_RULES, TABLE_RULES, rule_id

FIRST_MAIL = '<bpmn:serviceTask id="Task_SendFirstMail"'
ISSUE_COUPON = '<bpmn:callActivity id="CallActivity_IssueCoupon"'
SEND_MAIL = '<bpmn:callActivity id="CallActivity_SendMail"'
AWAIT_REPLY = '<bpmn:callActivity id="CallActivity_AwaitReply"'
APPROVE = '<bpmn:userTask id="Task_Approve"'
RECORD_REPLY = '<bpmn:serviceTask id="Task_RecordReply"'
RECORD_SILENCE = '<bpmn:serviceTask id="Task_RecordSilence"'
SCORE = '<bpmn:serviceTask id="Task_ScoreEach"'
SEND_IN_PIECE = '<bpmn:serviceTask id="Task_SendInPiece"'
PAUSE = '<bpmn:intermediateCatchEvent id="Event_PauseOver"'
REPLIED = "=engaged = true"
STARTED_BY = (
    '<bpmn:messageEventDefinition id="MessageEventDefinition_SampleStarted" messageRef="Message_SampleStarted" />'
)
AFTER_SAMPLE = "[[sample-started.starts]]"


@dataclass(frozen=True)
class Planted:
    """One mistake."""

    what: str
    file: str
    rule: str
    element: str
    problem: str
    """Contained in what is said."""
    changes: tuple[Change, ...]
    also: tuple[str, ...] = ()
    """Other rules to which the same mistake is one."""


def planted(
    what: str, file: str, rule: str, element: str, problem: str, *changes: Change, also: tuple[str, ...] = ()
) -> Planted:
    return Planted(what, file, rule, element, problem, changes, also)


def change(old: str, new: str, after: str = "") -> Change:
    return Change(old, new, after)


MISTAKES = [
    # What the engine deploys, and a journey then hangs on, drops or does wrong.
    planted(
        "a task type with a typo",
        CART,
        "task-types-have-workers",
        "Task_SendFirstMail",
        'the task type "sned-message"',
        change('type="send-message"', 'type="sned-message"'),
    ),
    planted(
        "an input that the worker must have is missing",
        CART,
        "tasks-get-their-inputs",
        "Task_SendFirstMail",
        'the input "step" is missing',
        change('<zeebe:input source="first-mail" target="step" />', ""),
    ),
    planted(
        "an input under a name that the worker does not read",
        CART,
        "tasks-get-their-inputs",
        "Task_SendFirstMail",
        'does not read the input "coupon"',
        change('target="coupon_id"', 'target="coupon"', FIRST_MAIL),
    ),
    planted(
        "a result that the worker does not return",
        CART,
        "results-are-taken-under-their-names",
        "Task_CheckEligibility",
        'reads "is_eligible", which the worker does not return',
        change('source="=eligible"', 'source="=is_eligible"'),
    ),
    planted(
        "retries in letters",
        CART,
        "retries-are-explicit",
        "Task_SendFirstMail",
        'retries are "five"',
        change('retries="5"', 'retries="five"', FIRST_MAIL),
    ),
    planted(
        "no retries at all",
        CART,
        "retries-are-explicit",
        "Task_SendFirstMail",
        'retries are "0"',
        change('retries="5"', 'retries="0"', FIRST_MAIL),
    ),
    planted(
        "a step that two tasks share",
        CART,
        "steps-are-unique",
        "Task_SendReminder",
        'the step "first-mail" stands at more',
        change('source="reminder" target="step"', 'source="first-mail" target="step"'),
    ),
    planted(
        "a step that is computed",
        CART,
        "steps-are-unique",
        "Task_SendReminder",
        "the step =message_reason is computed",
        change('source="reminder" target="step"', 'source="=message_reason" target="step"'),
    ),
    planted(
        "a step that two call activities share",
        SAMPLE,
        "steps-are-unique",
        "CallActivity_SendMail",
        'the step "coupon" stands at more than one task',
        change('source="mail" target="step"', 'source="coupon" target="step"'),
    ),
    planted(
        "a step that is fixed in a piece",
        PIECE,
        "steps-are-unique",
        "Task_SendInPiece",
        'the step "mail" is fixed in a piece',
        change('source="=step"', 'source="mail"'),
        also=("pieces-say-what-they-take-and-give",),
    ),
    planted(
        "an effect that is repeated under one step",
        SAMPLE,
        "steps-are-unique",
        "Task_ScoreEach",
        "stands in a repetition",
        change('type="score-customer"', 'type="send-message"', SCORE),
        change(
            '<zeebe:output source="=score_band" target="score_band" />',
            '<zeebe:input source="each" target="step" /><zeebe:input source="abandoned-cart" target="template" />',
            SCORE,
        ),
    ),
    planted(
        "a journey that does not open its enrolment first",
        SAMPLE,
        "the-enrolment-is-opened-first",
        "Task_Approve",
        "begins with something else than open-enrolment",
        change(
            'sourceRef="Event_SampleStarted" targetRef="Task_OpenEnrolment"',
            'sourceRef="Event_SampleStarted" targetRef="Task_Approve"',
        ),
        also=("everything-is-reached", "arrows-are-known-at-both-ends"),
    ),
    planted(
        "a user task of the kind that is no job",
        SAMPLE,
        "user-tasks-reach-people",
        "Task_Approve",
        "the engine's newer kind",
        change("<zeebe:formDefinition", "<zeebe:userTask /><zeebe:formDefinition", APPROVE),
    ),
    planted(
        "a form that does not exist",
        SAMPLE,
        "user-tasks-reach-people",
        "Task_Approve",
        'there is no form "approve-simple"',
        change('formId="approve-sample"', 'formId="approve-simple"'),
    ),
    planted(
        "a form that may change under way",
        SAMPLE,
        "user-tasks-reach-people",
        "Task_Approve",
        "not bound to the deployment",
        change('bindingType="deployment"', 'bindingType="latest"', APPROVE),
    ),
    planted(
        "an answer that no form asks for",
        SAMPLE,
        "answers-of-people-exist",
        "Task_RecordReply",
        'no form asks for "percentage"',
        change('source="replied"', 'source="=string(approval.percentage)"', RECORD_REPLY),
    ),
    planted(
        "an answer that nobody can give",
        SAMPLE,
        "answers-of-people-exist",
        "Task_CountRounds",
        'with "aproved"',
        change("&#34;approved&#34;", "&#34;aproved&#34;"),
    ),
    planted(
        "a piece that does not exist",
        SAMPLE,
        "called-pieces-exist",
        "CallActivity_SendMail",
        'there is no piece "send-allowed"',
        change('processId="send-when-allowed"', 'processId="send-allowed"'),
    ),
    planted(
        "a piece that may change under way",
        SAMPLE,
        "called-pieces-exist",
        "CallActivity_SendMail",
        "not bound to the deployment",
        change('bindingType="deployment"', 'bindingType="latest"', SEND_MAIL),
    ),
    planted(
        "an input that the piece needs is missing",
        SAMPLE,
        "calls-say-what-goes-in-and-out",
        "CallActivity_AwaitReply",
        'needs the input "wait"',
        change('<zeebe:input source="=settings.reply_window" target="wait" />', ""),
        also=("settings-agree-with-the-file",),
    ),
    planted(
        "an input that the piece does not read",
        SAMPLE,
        "calls-say-what-goes-in-and-out",
        "CallActivity_AwaitReply",
        'does not read the input "patience"',
        change(
            '<zeebe:output source="=engaged"',
            '<zeebe:input source="=rounds" target="patience" /><zeebe:output source="=engaged"',
        ),
    ),
    planted(
        "a result that the piece never writes",
        SAMPLE,
        "calls-say-what-goes-in-and-out",
        "CallActivity_AwaitReply",
        'which "wait-for-engagement" never writes',
        change('source="=engaged"', 'source="=clicked"'),
    ),
    planted(
        "everything flows into the piece",
        SAMPLE,
        "calls-say-what-goes-in-and-out",
        "CallActivity_SendMail",
        "all variables of the journey go into the piece",
        change(' propagateAllParentVariables="false"', "", SEND_MAIL),
    ),
    planted(
        "a piece that reads settings",
        PIECE,
        "pieces-take-inputs-only",
        "Event_Waited",
        "reads settings",
        change("=duration(wait)", "=duration(settings.wait)"),
        also=("pieces-say-what-they-take-and-give",),
    ),
    planted(
        "a piece whose documentation forgets an input",
        PIECE,
        "pieces-say-what-they-take-and-give",
        "sample-piece",
        'does not name "wait"',
        change(", wait\n", "\n"),
    ),
    planted(
        "an error code that nobody throws",
        CART,
        "caught-errors-are-thrown",
        "Event_BudgetExhausted",
        "throws COUPON_BUGDET_EXHAUSTED",
        change('errorCode="COUPON_BUDGET_EXHAUSTED"', 'errorCode="COUPON_BUGDET_EXHAUSTED"'),
        also=("thrown-errors-are-caught",),
    ),
    planted(
        "an error that nobody catches",
        CART,
        "thrown-errors-are-caught",
        "Task_IssueCoupon",
        "COUPON_BUDGET_EXHAUSTED is thrown here and caught nowhere",
        change('attachedToRef="Task_IssueCoupon"', 'attachedToRef="Task_DecideOffer"'),
        also=("caught-errors-are-thrown",),
    ),
    planted(
        "an escalation that nobody waits for",
        SAMPLE,
        "escalations-meet-someone",
        "Event_Replied",
        "nobody waits for the escalation",
        change(
            "<bpmn:incoming>Flow_ReplyToReplied</bpmn:incoming>",
            '<bpmn:incoming>Flow_ReplyToReplied</bpmn:incoming><bpmn:escalationEventDefinition id="E_1" />',
        ),
    ),
    planted(
        "a compensation that is tied to nothing",
        SAMPLE,
        "compensation-has-something-to-undo",
        "Event_UndoSilence",
        "no task that undoes is tied to it",
        change('sourceRef="Event_UndoSilence"', 'sourceRef="Event_Other"'),
    ),
    planted(
        "a compensation with nothing to undo",
        SAMPLE,
        "compensation-has-something-to-undo",
        "Event_NoReply",
        "nothing that it could undo",
        change(
            '<bpmn:compensateEventDefinition id="CompensateEventDefinition_NoReply" />',
            '<bpmn:compensateEventDefinition id="CompensateEventDefinition_NoReply" activityRef="Task_RecordReply" />',
        ),
    ),
    planted(
        "an engine message that the catalogue does not have",
        CART,
        "messages-are-in-the-catalogue",
        "Event_MessageClicked",
        'no engine message "mail-clicked"',
        change('name="message-clicked"', 'name="mail-clicked"'),
        also=("catalogue-entries-have-diagrams",),
    ),
    planted(
        "an exit that is awaited as a move",
        CART,
        "messages-are-in-the-catalogue",
        "Event_MessageClicked",
        '"order-placed" is no move of abandoned-cart',
        change('messageRef="Message_MessageClicked"', 'messageRef="Message_OrderPlaced"'),
        also=("catalogue-entries-have-diagrams",),
    ),
    planted(
        "a message that only a called piece waits for",
        CATALOGUE,
        "messages-are-in-the-catalogue",
        "Event_MessageClicked",
        '"message-clicked" is no move of sample-reminder',
        change(
            '[[message-clicked.moves]]\njourney = "sample-reminder"\nscope = "message"\nmessage = "message_id"\n', ""
        ),
    ),
    planted(
        "another correlation key",
        CART,
        "messages-are-keyed-by-enrolment",
        "Event_MessageClicked",
        "is =customer_id",
        change('correlationKey="=enrolment_id"', 'correlationKey="=customer_id"'),
    ),
    planted(
        "a correlation key without =",
        CART,
        "messages-are-keyed-by-enrolment",
        "Event_MessageClicked",
        "is enrolment_id",
        change('correlationKey="=enrolment_id"', 'correlationKey="enrolment_id"'),
    ),
    planted(
        "a message that a journey throws",
        SAMPLE,
        "engine-messages-are-not-thrown",
        "Event_Replied",
        "no worker does that",
        change(
            "<bpmn:incoming>Flow_ReplyToReplied</bpmn:incoming>",
            '<bpmn:incoming>Flow_ReplyToReplied</bpmn:incoming><bpmn:messageEventDefinition id="M_1" />',
        ),
    ),
    planted(
        "a signal that nobody throws",
        SAMPLE,
        "signals-are-thrown-somewhere",
        "Event_PauseOver",
        "nobody throws the signal",
        change(
            '<bpmn:timerEventDefinition id="TimerEventDefinition_PauseOver">\n        <bpmn:timeDuration '
            'xsi:type="bpmn:tFormalExpression">=duration(settings.pause)</bpmn:timeDuration>\n'
            "      </bpmn:timerEventDefinition>",
            '<bpmn:signalEventDefinition id="S_1" />',
        ),
        also=("settings-agree-with-the-file",),
    ),
    planted(
        "an exit that lets the journey go on",
        SAMPLE,
        "exits-interrupt",
        "Event_CustomerErased",
        "does not interrupt",
        change(
            '<bpmn:startEvent id="Event_CustomerErased"',
            '<bpmn:startEvent isInterrupting="false" id="Event_CustomerErased"',
        ),
        also=("journeys-end-with-their-customer",),
    ),
    planted(
        "advertising without an exit for withdrawn consent",
        SAMPLE,
        "marketing-ends-with-consent",
        "sample-reminder",
        "no exit for consent-withdrawn",
        change('messageRef="Message_ConsentWithdrawn"', 'messageRef="Message_CustomerErased"'),
        also=("catalogue-entries-have-diagrams",),
    ),
    planted(
        "a journey without an exit for erased customers",
        SAMPLE,
        "journeys-end-with-their-customer",
        "sample-reminder",
        "no exit for customer-erased",
        change('messageRef="Message_CustomerErased"', 'messageRef="Message_ConsentWithdrawn"'),
        also=("catalogue-entries-have-diagrams",),
    ),
    planted(
        "an exit with whatever consent is withdrawn",
        CATALOGUE,
        "consent-exits-are-about-marketing",
        "Event_ConsentWithdrawn",
        "names no purpose",
        change('when = [{ field = "purpose", rule = "equals", value = "marketing" }]', "", AFTER_SAMPLE),
    ),
    planted(
        "a message template that does not exist",
        CART,
        "templates-exist",
        "Task_SendReminder",
        'no message "abandoned-card"',
        change('source="abandoned-cart-reminder"', 'source="abandoned-card"'),
    ),
    planted(
        "a template given to a piece that does not exist",
        SAMPLE,
        "templates-exist",
        "CallActivity_SendMail",
        'no message "abandoned-card"',
        change('source="abandoned-cart"', 'source="abandoned-card"'),
        also=(),
    ),
    planted(
        "an order mail sent as advertising",
        SAMPLE,
        "templates-fit-their-task",
        "CallActivity_SendMail",
        'sent for the purpose "transactional"',
        change('source="abandoned-cart"', 'source="confirm-email"'),
    ),
    planted(
        "a segment that does not exist",
        SAMPLE,
        "segments-exist",
        "Task_RecordReply",
        'there is no segment "bee-lovers"',
        change(
            '<zeebe:input source="replied"',
            '<zeebe:input source="bee-lovers" target="segment" /><zeebe:input source="replied"',
        ),
        also=("tasks-get-their-inputs",),
    ),
    planted(
        "a coupon campaign that does not exist",
        SAMPLE,
        "coupon-campaigns-exist",
        "CallActivity_IssueCoupon",
        'no coupon campaign "cart-50"',
        change('source="cart-5"', 'source="cart-50"'),
    ),
    planted(
        "a decision that does not exist",
        CART,
        "decisions-exist",
        "Task_DecideOffer",
        'there is no decision "cart-ofer"',
        change('decisionId="cart-offer"', 'decisionId="cart-ofer"'),
    ),
    planted(
        "a decision that may change under way",
        CART,
        "decisions-exist",
        "Task_DecideOffer",
        "not bound to the deployment",
        change('bindingType="deployment"', 'bindingType="latest"'),
    ),
    planted(
        "a decision that asks for what nobody knows",
        TABLE,
        "decisions-get-their-inputs",
        "Task_DecideOffer",
        'asks for "days_since_order", which nothing before it has written',
        change("<text>order_count</text>", "<text>days_since_order</text>"),
    ),
    planted(
        "a column of the answer that the table does not have",
        CART,
        "answers-that-are-read-exist",
        "Task_IssueCoupon",
        'has no column "campaign"',
        change("=offer.coupon_campaign", "=offer.campaign"),
    ),
    planted(
        "a fixed time",
        CART,
        "times-come-from-settings",
        "Event_ReplyWindowOver",
        'the time =duration("PT24H") is fixed',
        change("=duration(settings.reply_window)", '=duration("PT24H")'),
        also=("settings-agree-with-the-file",),
    ),
    planted(
        "a fixed time without a formula",
        CART,
        "times-come-from-settings",
        "Event_ReplyWindowOver",
        "the time PT24H is fixed",
        change("=duration(settings.reply_window)", "PT24H"),
        also=("settings-agree-with-the-file",),
    ),
    planted(
        "a duration where a date should be",
        CART,
        "timers-have-the-right-kind",
        "Event_CartIdle",
        "the kind Date",
        change("=date and time(cart_idle_at)", "=duration(cart_idle_at)"),
    ),
    planted(
        "a setting without the function that makes a time of it",
        SAMPLE,
        "timers-have-the-right-kind",
        "Event_PauseOver",
        "the kind Duration",
        change("=duration(settings.pause)", "=settings.pause"),
    ),
    planted(
        "a setting that is not set",
        CART,
        "settings-agree-with-the-file",
        "Event_ReplyWindowOver",
        "reads settings.answer_window",
        change("settings.reply_window", "settings.answer_window"),
    ),
    planted(
        "a setting in words",
        SETTINGS,
        "durations-in-settings-are-durations",
        "Event_PauseOver",
        'settings.pause is "one hour"',
        change('"PT1H"', '"one hour"'),
    ),
    # Formulas.
    planted(
        "two equals signs",
        CART,
        "formulas-can-be-read",
        "Flow_MayWeWriteToChooseAnOffer",
        "it compares with ==",
        change("=eligible = true", "=eligible == true"),
    ),
    planted(
        "single quotation marks",
        SAMPLE,
        "formulas-can-be-read",
        "Task_RecordSilence",
        "single quotation marks",
        change('source="=message_reason"', "source=\"=message_reason + 'x'\"", RECORD_SILENCE),
    ),
    planted(
        "curved quotation marks",
        SAMPLE,
        "formulas-can-be-read",
        "Task_RecordSilence",
        "curved quotation marks",
        change('source="=message_reason"', 'source="=message_reason + “x”"', RECORD_SILENCE),
    ),
    planted(
        "a bracket that is never closed",
        CART,
        "formulas-can-be-read",
        "Event_ReplyWindowOver",
        "the ( is never closed",
        change("=duration(settings.reply_window)", "=duration(settings.reply_window"),
    ),
    planted(
        "and written as in other languages",
        SAMPLE,
        "formulas-can-be-read",
        "Flow_RepliedToReply",
        "it joins with &",
        change(REPLIED, "=engaged = true &amp;&amp; proceed = true"),
    ),
    planted(
        "an if without an else",
        SAMPLE,
        "formulas-can-be-read",
        "Task_RecordSilence",
        "the word else is missing",
        change('source="=message_reason"', 'source="=if engaged = true then message_reason"', RECORD_SILENCE),
    ),
    planted(
        "a name with a blank",
        SAMPLE,
        "formulas-can-be-read",
        "Task_RecordSilence",
        'the words "message reason" stand side',
        change('source="=message_reason"', 'source="=message reason"', RECORD_SILENCE),
    ),
    planted(
        "a variable without =",
        SAMPLE,
        "formulas-begin-with-an-equals-sign",
        "Task_RecordSilence",
        'is the fixed text "message_reason"',
        change('source="=message_reason"', 'source="message_reason"', RECORD_SILENCE),
    ),
    planted(
        "a condition without =",
        CART,
        "conditions-cannot-be-null",
        "Flow_MayWeWriteToChooseAnOffer",
        "the condition eligible = true is no comparison",
        change("=eligible = true", "eligible = true"),
    ),
    planted(
        "a bare variable as a condition",
        CART,
        "conditions-cannot-be-null",
        "Flow_MayWeWriteToChooseAnOffer",
        "the condition =eligible is no comparison",
        change("=eligible = true", "=eligible"),
    ),
    planted(
        "a bare variable in a condition of two parts",
        SAMPLE,
        "conditions-cannot-be-null",
        "Flow_RepliedToReply",
        "the part proceed is no comparison",
        change(REPLIED, "=engaged = true and proceed"),
    ),
    planted(
        "a function that does not exist",
        CART,
        "functions-exist",
        "Event_CartIdle",
        'calls "dateTime", which is no function',
        change("=date and time(cart_idle_at)", "=dateTime(cart_idle_at)"),
    ),
    planted(
        "a function with too few arguments",
        SAMPLE,
        "functions-exist",
        "Task_RecordSilence",
        'gives "contains" 1 arguments',
        change('source="=message_reason"', 'source="=string(contains(message_reason))"', RECORD_SILENCE),
    ),
    planted(
        "a dash in the name of a variable",
        SAMPLE,
        "names-have-no-dashes",
        "Task_RecordSilence",
        "message minus reason",
        change('source="=message_reason"', 'source="=message-reason"', RECORD_SILENCE),
        also=("variables-are-written-before-they-are-read",),
    ),
    planted(
        "a variable in capital letters",
        SAMPLE,
        "names-have-no-dashes",
        "Task_ScoreEach",
        'the variable is called "Band"',
        change('target="score_band"', 'target="Band"', SCORE),
    ),
    planted(
        "true in quotation marks",
        SAMPLE,
        "compared-values-can-occur",
        "Flow_StillOpenToApprove",
        'compares proceed with "true", which it never is',
        change("=proceed = true", '=proceed = "true"'),
    ),
    planted(
        "a state that never comes",
        CART,
        "compared-values-can-occur",
        "Flow_WhatAboutTheCartToCheckEligibility",
        'compares cart_state with "idel", which it never is',
        change('=cart_state = "idle"', '=cart_state = "idel"'),
    ),
    planted(
        "an order where there may be nothing",
        SAMPLE,
        "ordered-values-are-there",
        "Flow_RepliedToReply",
        "compares cart_id, which may be null",
        change(REPLIED, '=cart_id > "a"'),
    ),
    # Ways.
    planted(
        "a split without a default",
        CART,
        "splits-have-a-default",
        "Gateway_MayWeWrite",
        "no default flow",
        change(' default="Flow_MayWeWriteToRecordNotWritten"', ""),
        also=("answers-of-a-split-have-conditions",),
    ),
    planted(
        "a default flow with a condition",
        SAMPLE,
        "answers-of-a-split-have-conditions",
        "Flow_RepliedToSilent",
        "the default flow has a condition",
        change(
            'name="no" sourceRef="Gateway_Replied" targetRef="Task_RecordSilence" />',
            'name="no" sourceRef="Gateway_Replied" targetRef="Task_RecordSilence">'
            "<bpmn:conditionExpression>=engaged = false"
            "</bpmn:conditionExpression></bpmn:sequenceFlow>",
        ),
    ),
    planted(
        "the same condition twice",
        CART,
        "answers-of-a-split-have-conditions",
        "Flow_WhatAboutTheCartToCartIdle",
        'the same condition as the answer "idle"',
        change('=cart_state = "active"', '=cart_state = "idle"'),
    ),
    planted(
        "an answer without a name",
        SAMPLE,
        "answers-of-a-split-have-conditions",
        "Flow_RepliedToReply",
        "has no name",
        change(' name="yes" sourceRef="Gateway_Replied"', ' sourceRef="Gateway_Replied"'),
    ),
    planted(
        "a task that nothing leads to",
        SAMPLE,
        "everything-is-reached",
        "Task_CountRounds",
        "no way leads here",
        change('targetRef="Task_CountRounds"', 'targetRef="Task_ScoreEach"'),
        also=("arrows-are-known-at-both-ends",),
    ),
    planted(
        "an arrow that its element does not know",
        SAMPLE,
        "arrows-are-known-at-both-ends",
        "Task_RecordReply",
        "does not list the arrow Flow_ReplyToReplied",
        change("<bpmn:outgoing>Flow_ReplyToReplied</bpmn:outgoing>", ""),
    ),
    planted(
        "a way that ends at a task",
        SAMPLE,
        "ways-end-at-end-events",
        "Task_RecordReply",
        "ends here without an end event",
        change(
            '<bpmn:sequenceFlow id="Flow_ReplyToReplied" sourceRef="Task_RecordReply" targetRef="Event_Replied" />', ""
        ),
        also=("everything-is-reached",),
    ),
    planted(
        "a wait without an end",
        CART,
        "waits-come-to-an-end",
        "Event_MessageClicked",
        'waits for "message-clicked" without an end',
        change(
            'sourceRef="Gateway_ReplyOrSilence" targetRef="Event_ReplyWindowOver"',
            'sourceRef="Gateway_ReplyOrSilence" targetRef="Event_OutcomeKnown"',
        ),
        also=("everything-is-reached", "outcomes-are-recorded", "arrows-are-known-at-both-ends"),
    ),
    planted(
        "a loop that never waits",
        CART,
        "loops-wait",
        "Gateway_LookAgain",
        "leads back here without waiting",
        change(
            'sourceRef="Gateway_WhatAboutTheCart" targetRef="Event_CartIdle"',
            'sourceRef="Gateway_WhatAboutTheCart" targetRef="Gateway_LookAgain"',
        ),
        also=("everything-is-reached", "arrows-are-known-at-both-ends"),
    ),
    planted(
        "an end without an outcome",
        SAMPLE,
        "outcomes-are-recorded",
        "Event_Replied",
        "records no outcome",
        change(
            'sourceRef="Gateway_Replied" targetRef="Task_RecordReply"',
            'sourceRef="Gateway_Replied" targetRef="Event_Replied"',
        ),
        also=("everything-is-reached", "arrows-are-known-at-both-ends"),
    ),
    planted(
        "an outcome of several words",
        SAMPLE,
        "outcomes-are-single-words",
        "Task_RecordReply",
        'the outcome "Has replied"',
        change('source="replied"', 'source="Has replied"'),
    ),
    # Variables.
    planted(
        "a variable with a typo",
        SAMPLE,
        "variables-are-written-before-they-are-read",
        "Flow_RepliedToReply",
        'reads "enagaged", which nothing before it has written',
        change(REPLIED, "=enagaged = true"),
    ),
    planted(
        "a variable that is only known later",
        SAMPLE,
        "variables-are-written-before-they-are-read",
        "CallActivity_IssueCoupon",
        'the input coupon_campaign reads "message_reason"',
        change('source="cart-5"', 'source="=message_reason"'),
    ),
    planted(
        "an address of a person in a variable",
        SAMPLE,
        "variables-say-nothing-about-a-person",
        "Task_ScoreEach",
        'the variable "customer_email" is something about a person',
        change('target="score_band"', 'target="customer_email"', SCORE),
    ),
    planted(
        "an address in a formula",
        SAMPLE,
        "variables-say-nothing-about-a-person",
        "Task_RecordReply",
        "an address or a telephone number stands in the input outcome",
        change('source="replied"', 'source="=&#34;anna@example.com&#34;"'),
    ),
    # Elements.
    planted(
        "a complex gateway",
        SAMPLE,
        "the-engine-has-the-element",
        "Gateway_Replied",
        "a complex gateway",
        change(
            '<bpmn:exclusiveGateway id="Gateway_Replied" name="Replied?" default="Flow_RepliedToSilent">',
            '<bpmn:complexGateway id="Gateway_Replied" name="Replied?" default="Flow_RepliedToSilent">',
        ),
        change("</bpmn:exclusiveGateway>", "</bpmn:complexGateway>", 'id="Gateway_Replied"'),
    ),
    planted(
        "a journey without a message",
        SAMPLE,
        "journeys-start-on-messages",
        "Event_SampleStarted",
        "without an engine message",
        change(
            STARTED_BY,
            "",
        ),
        also=("catalogue-entries-have-diagrams",),
    ),
    planted(
        "a journey that starts on an error",
        SAMPLE,
        "events-have-a-meaning",
        "Event_SampleStarted",
        "starts on an error",
        change(
            STARTED_BY,
            '<bpmn:errorEventDefinition id="E_1" />',
        ),
        also=("catalogue-entries-have-diagrams",),
    ),
    planted(
        "an error that lets its task go on",
        CART,
        "errors-and-compensation-interrupt",
        "Event_BudgetExhausted",
        "an error event that does not interrupt",
        change('attachedToRef="Task_IssueCoupon"', 'attachedToRef="Task_IssueCoupon" cancelActivity="false"'),
    ),
    planted(
        "the loop marker",
        SAMPLE,
        "repetitions-have-a-list",
        "Task_ScoreEach",
        "it has the loop marker",
        change(
            '<bpmn:multiInstanceLoopCharacteristics isSequential="true">',
            '<bpmn:standardLoopCharacteristics /><bpmn:multiInstanceLoopCharacteristics isSequential="true">',
        ),
    ),
    planted(
        "a repetition without a list",
        SAMPLE,
        "repetitions-have-a-list",
        "Task_ScoreEach",
        "no list says for what",
        change('inputCollection="=rounds" ', ""),
    ),
    planted(
        "a manual task",
        SAMPLE,
        "tasks-do-something",
        "Task_Approve",
        "it is a manual task",
        change("<bpmn:userTask", "<bpmn:manualTask"),
        change("</bpmn:userTask>", "</bpmn:manualTask>"),
    ),
    planted(
        "a header twice",
        SAMPLE,
        "headers-are-set-once",
        "Task_ScoreEach",
        'the task header "group" is set twice',
        change(
            '<zeebe:header key="group" value="a" />',
            '<zeebe:header key="group" value="a" /><zeebe:header key="group" value="b" />',
        ),
    ),
    planted(
        "a data store",
        SAMPLE,
        "decorations-are-known-for-what-they-are",
        "DataStoreReference_Orders",
        "a data store",
        change(
            "<bpmn:association",
            '<bpmn:dataStoreReference id="DataStoreReference_Orders" name="Orders" /><bpmn:association',
        ),
    ),
    # Names, ids and drawing.
    planted(
        "another process id than file name",
        SAMPLE,
        "the-file-is-named-like-the-process",
        "sample-remainder",
        "the process id is not the file's name",
        change('process id="sample-reminder"', 'process id="sample-remainder"'),
        also=(
            "messages-are-in-the-catalogue",
            "catalogue-entries-have-diagrams",
            "settings-agree-with-the-file",
            "settings-have-a-journey",
            "scenarios-name-what-is-there",
            "levels-fit-the-eye",
        ),
    ),
    planted(
        "no version tag",
        SAMPLE,
        "a-version-is-written-on-it",
        "sample-reminder",
        "no version tag",
        change('<zeebe:versionTag value="1.0.0" />', ""),
    ),
    planted(
        "drawn for another engine",
        CART,
        "drawn-for-this-engine",
        "abandoned-cart",
        "drawn for engine 8.9.0",
        change('executionPlatformVersion="8.6.0"', 'executionPlatformVersion="8.9.0"'),
    ),
    planted(
        "no owner in the documentation",
        SAMPLE,
        "the-documentation-says-what-it-is-for",
        "sample-reminder",
        "no line Owner:",
        change("Owner: tests.", ""),
    ),
    planted(
        "a generated id",
        SAMPLE,
        "ids-are-given-by-people",
        "Activity_0x1a2b3",
        "the id does not say what it is",
        change('id="Task_RecordUndone"', 'id="Activity_0x1a2b3"'),
        change('targetRef="Task_RecordUndone"', 'targetRef="Activity_0x1a2b3"'),
        also=("everything-is-drawn",),
    ),
    planted(
        "a task without a name",
        SAMPLE,
        "names-say-something",
        "Task_RecordReply",
        "it has no name",
        change(' name="Record the reply"', ""),
    ),
    planted(
        "a task that is not drawn",
        CART,
        "everything-is-drawn",
        "Task_SendReminder",
        "it is not drawn",
        change(
            '<bpmndi:BPMNShape id="Task_SendReminder_di" bpmnElement="Task_SendReminder">',
            '<bpmndi:BPMNShape id="Task_SendReminder_di" bpmnElement="Task_Other">',
        ),
    ),
    planted(
        "a folded sub-process",
        CART,
        "sub-processes-are-unfolded",
        "SubProcess_RemindOnce",
        "the sub-process is folded",
        change(' isExpanded="true"', "", '<bpmndi:BPMNShape id="SubProcess_RemindOnce_di"'),
    ),
    planted(
        "a crowded level",
        CART,
        "levels-fit-the-eye",
        "SubProcess_FindOutWhetherToWrite",
        "16 events, tasks and gateways",
        change(
            "<bpmn:startEvent",
            "".join(f'<bpmn:endEvent id="Event_More{letter}" name="x" />' for letter in "ABCDEFGH")
            + "<bpmn:startEvent",
            '<bpmn:subProcess id="SubProcess_FindOutWhetherToWrite"',
        ),
        also=("everything-is-drawn", "everything-is-reached"),
    ),
    planted(
        "a step made from a template that is gone",
        SAMPLE,
        "element-templates-are-there",
        "Task_RecordReply",
        'there is no element template "waggle:record"',
        change(RECORD_REPLY, RECORD_REPLY + ' zeebe:modelerTemplate="waggle:record"'),
    ),
    planted(
        "a file that is no diagram",
        SAMPLE,
        UNREADABLE,
        "sample-reminder.bpmn",
        "",
        change("</bpmn:definitions>", ""),
    ),
    # Decision tables.
    planted(
        "a hit policy that this engine takes for another",
        TABLE,
        "hit-policies-are-what-they-say",
        "cart-offer",
        "hit policy PRIORITY",
        change('hitPolicy="FIRST"', 'hitPolicy="PRIORITY"'),
    ),
    planted(
        "one output only",
        TABLE,
        "tables-answer-with-two-columns",
        "cart-offer",
        "one output column only",
        change('<output id="Output_Reason" label="Reason" name="reason" typeRef="string" />', ""),
    ),
    planted(
        "no row for everybody else",
        TABLE,
        "tables-always-answer",
        "cart-offer",
        "the last row does not match everything",
        change("<text></text>", '<text>"new"</text>', '<rule id="Rule_AnyoneElse">'),
        also=("rows-can-match",),
    ),
    planted(
        "a row behind the one for everybody",
        TABLE,
        "rows-can-match",
        "Rule_Late",
        "it stands behind the row Rule_AnyoneElse",
        change(
            "</decisionTable>",
            '<rule id="Rule_Late"><inputEntry id="a"><text></text></inputEntry>'
            '<inputEntry id="b"><text></text></inputEntry>'
            '<inputEntry id="c"><text></text></inputEntry><outputEntry id="d"><text>null</text></outputEntry>'
            '<outputEntry id="e"><text>"late"</text></outputEntry></rule></decisionTable>',
        ),
    ),
    planted(
        "two rows that match where one may",
        TABLE,
        "rows-can-match",
        "Rule_AnyoneElse",
        "the hit policy is UNIQUE",
        change('hitPolicy="FIRST"', 'hitPolicy="UNIQUE"'),
    ),
    planted(
        "an answer without quotation marks",
        TABLE,
        "cells-can-be-read",
        "Rule_Occasional",
        "reads a variable occasional",
        change('<text>"occasional"</text>', "<text>occasional</text>", '<outputEntry id="Reason_Occasional">'),
    ),
    planted(
        "a condition that cannot be read",
        TABLE,
        "cells-can-be-read",
        "Rule_SmallCart",
        "it compares with =<",
        change("<text>&lt; 3000</text>", "<text>=&lt; 3000</text>"),
    ),
    planted(
        "a text that the column never holds",
        TABLE,
        "cells-fit-their-column",
        "Rule_Occasional",
        '"ocasional" in the column',
        change('<text>"occasional"</text>', '<text>"ocasional"</text>', '<inputEntry id="ScoreBand_Occasional">'),
    ),
    planted(
        "a text among numbers",
        TABLE,
        "cells-fit-their-column",
        "Rule_SmallCart",
        "in the column of numbers",
        change("<text>&lt; 3000</text>", '<text>"small"</text>'),
    ),
    planted(
        "a campaign offered that does not exist",
        TABLE,
        "offered-campaigns-exist",
        "cart-offer",
        'the coupon campaign "cart-50"',
        change('<text>"cart-5"</text>', '<text>"cart-50"</text>'),
    ),
    planted(
        "a table without a version",
        TABLE,
        "tables-have-a-version",
        "cart-offer",
        "no version tag",
        change('<zeebe:versionTag value="1.0.0" />', ""),
    ),
    planted(
        "a table drawn for another engine",
        TABLE,
        "tables-are-drawn-for-this-engine",
        "cart-offer",
        "drawn for engine 8.9.0",
        change('executionPlatformVersion="8.6.0"', 'executionPlatformVersion="8.9.0"'),
    ),
    planted(
        "a table under another name than its file's",
        TABLE,
        "tables-are-named-like-their-file",
        "cart-offers",
        "no decision in the file has its name",
        change('<decision id="cart-offer"', '<decision id="cart-offers"'),
        also=("decisions-exist",),
    ),
    planted(
        "a table that needs one which is not there",
        TABLE,
        "required-decisions-exist",
        "cart-offer",
        'needs the decision "score"',
        change(
            "<decisionTable",
            '<informationRequirement id="i"><requiredDecision href="#score" /></informationRequirement><decisionTable',
        ),
    ),
    planted(
        "another version of DMN",
        TABLE,
        UNREADABLE,
        "cart-offer.dmn",
        "another version of DMN",
        change("https://www.omg.org/spec/DMN/20191111/MODEL/", "https://www.omg.org/spec/DMN/20211108/MODEL/"),
        also=("decisions-exist",),
    ),
    # What stands beside.
    planted(
        "a catalogue entry without a diagram",
        CATALOGUE,
        "catalogue-entries-have-diagrams",
        "sample-started",
        'names the journey "sample-remainder", which has no diagram',
        change('journey = "sample-reminder"', 'journey = "sample-remainder"', AFTER_SAMPLE),
        also=("messages-are-in-the-catalogue",),
    ),
    planted(
        "an event that does not exist",
        CATALOGUE,
        "catalogue-events-exist",
        "sample-started",
        'no event "product-seen"',
        change('event_type = "product-viewed"', 'event_type = "product-seen"', "[sample-started]"),
    ),
    planted(
        "a field that the event does not have",
        CATALOGUE,
        "catalogue-events-exist",
        "sample-started",
        'business_key names the field "client_id"',
        change('["customer_id"]', '["client_id"]', AFTER_SAMPLE),
    ),
    planted(
        "a switch that is not set",
        CATALOGUE,
        "switches-of-the-catalogue-are-set",
        "order-placed",
        'widened_if names "order_ends_all"',
        change('widened_if = "order_ends_other_carts"', 'widened_if = "order_ends_all"'),
    ),
    planted(
        "settings for a journey that does not exist",
        SETTINGS,
        "settings-have-a-journey",
        "sample-remainder",
        'there is no journey "sample-remainder"',
        change("", ""),
        also=(),
    ),
    planted(
        "a form without a version",
        FORM,
        "forms-have-a-version",
        "approve-sample",
        "no version tag",
        change('"versionTag": "1.0.0",', ""),
    ),
    planted(
        "a mail that reads what the renderer does not have",
        "config/messages/confirm-email/message.toml",
        "message-templates-can-be-filled",
        "confirm-email",
        "there is no variable",
        change("{{ shop_name }}", "{{ shopname }}"),
    ),
    planted(
        "a scenario that names an unknown element",
        SCENARIO,
        "scenarios-name-what-is-there",
        "replied",
        'there is no element "Task_RecordAnswer"',
        change("Task_RecordReply", "Task_RecordAnswer"),
    ),
    planted(
        "a scenario that sets what the journey does not read",
        SCENARIO,
        "scenarios-name-what-is-there",
        "replied",
        'has no setting "break"',
        change('pause = "PT1M"', 'break = "PT1M"'),
    ),
    planted(
        "a scenario that awaits a mail which does not exist",
        SCENARIO,
        "scenarios-name-what-is-there",
        "replied",
        'no message "abandoned-card"',
        change('template = "abandoned-cart"', 'template = "abandoned-card"'),
    ),
    # What a running installation reads.
    planted(
        "a question to a role that does not exist",
        SAMPLE,
        "user-tasks-reach-people",
        "Task_Approve",
        'the candidate group "marketeer" is no role',
        change('candidateGroups="marketer"', 'candidateGroups="marketer, marketeer"'),
    ),
    planted(
        "a form with a field that our page cannot show",
        FORM,
        UNREADABLE,
        "approve-sample.form",
        "which our page cannot show",
        change('"type": "number"', '"type": "datetime"'),
        also=("user-tasks-reach-people",),
    ),
    planted(
        "a segment that asks for what no customer has",
        SEGMENT,
        "segments-can-be-read",
        "newsletter-readers",
        "all, rule 1: ",
        change('field = "consent"', 'field = "consents"'),
    ),
    planted(
        "a segment with a key that is unknown",
        SEGMENT,
        "segments-can-be-read",
        "newsletter-readers",
        "unknown field `everybody`",
        change("\nall = [", "\neverybody = ["),
    ),
    planted(
        "a campaign for a segment that does not exist",
        CAMPAIGN,
        "campaigns-can-be-run",
        "spring-news",
        'there is no segment "newsletter-reader"',
        change('segment = "newsletter-readers"', 'segment = "newsletter-reader"'),
    ),
    planted(
        "a campaign with the mail of another occasion",
        CAMPAIGN,
        "campaigns-can-be-run",
        "spring-news",
        "belongs to an order",
        change('template = "campaign-spring-news"', 'template = "confirm-email"'),
    ),
    planted(
        "a campaign that lasts in words",
        CAMPAIGN,
        "campaigns-can-be-run",
        "spring-news",
        "duration",
        change('valid_for = "P3D"', 'valid_for = "3 days"'),
    ),
    planted(
        "levels in the wrong order",
        LOYALTY,
        "loyalty-levels-rise",
        "loyalty",
        "from the lowest to the highest",
        change("from_points = 600", "from_points = 100"),
    ),
    planted(
        "a product that lasts for a number",
        REPLENISHMENT,
        "products-last-for-a-time",
        "replenishment",
        "honey-500g: Invalid ISO8601 duration",
        change('# "honey-500g" = "P30D"', '"honey-500g" = "30"'),
    ),
    planted(
        "a wording without a language",
        WORDING,
        "wordings-are-named-by-version-and-language",
        "marketing-email-1",
        "name it <version>.<language>.md",
        change("", ""),
    ),
    planted(
        "a purpose whose wording is not there",
        PURPOSES,
        "purposes-can-be-explained",
        "consents",
        "config/consent-texts/marketing-email-2.en.md is missing",
        change('text = "marketing-email-1"', 'text = "marketing-email-2"'),
    ),
    planted(
        "a table that does not say whose its rows are",
        PRIVACY,
        "the-privacy-map-can-be-read",
        "privacy",
        "no subject says about whom",
        change('subject = "customer_id"', "", "[table.customers]"),
    ),
    planted(
        "a field that no event has, told to others",
        PRIVACY,
        "the-privacy-map-can-be-read",
        "privacy",
        "[disclosure.crm] mail is no personal field",
        change("[record]", '[disclosure.crm]\nfields = ["mail"]\n\n[record]'),
    ),
    planted(
        "a mapping to an event that does not exist",
        MAPPING,
        "mappings-can-be-read",
        "erp-stock",
        "stock-change",
        change('type = "stock-changed"', 'type = "stock-change"'),
    ),
    planted(
        "a mapping that is no TOML",
        MAPPING,
        "mappings-can-be-read",
        "erp-stock",
        "(at line",
        change("[[event]]", "[[event]"),
    ),
    planted(
        "a rule for a field that no product has",
        STATE,
        "preferred-sources-are-for-fields",
        "state",
        "[product] colour is not there",
        change("# [product]\n# price", '[product]\ncolour = { prefer = ["erp"] }\n# price'),
    ),
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a shop that nobody has made a mistake in yet."""
    return lay_out(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def known_before(whole: Path) -> frozenset[tuple[str, str, str]]:
    """Return what is said of it: it is a part of what is shipped, and so its catalogue names journeys that it lacks."""
    return frozenset(told(finding, whole) for finding in found_in(whole))


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_it_is_found_and_said_what_happens_and_how_to_mend_it(
    mistake: Planted, whole: Path, known_before: frozenset[tuple[str, str, str]], tmp_path: Path
) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(whole, shop)
    if mistake.rule == "settings-have-a-journey":
        shutil.copy(shop / SETTINGS, shop / "config/journeys/sample-remainder.toml")
    if mistake.file == WORDING:
        shutil.copy(shop / WORDING, shop / "config/consent-texts/marketing-email-1.md")
    if mistake.rule == "element-templates-are-there":
        (shop / ".camunda/element-templates").mkdir(parents=True)
        (shop / ".camunda/element-templates/send.json").write_text('{"id": "waggle:send"}', encoding="utf-8")
    text = (shop / mistake.file).read_text(encoding="utf-8")
    for each in mistake.changes:
        text = each.made_in(text)
    (shop / mistake.file).write_text(text, encoding="utf-8")

    new = [finding for finding in found_in(shop) if told(finding, shop) not in known_before]

    about = [finding for finding in new if (finding.rule, finding.element) == (mistake.rule, mistake.element)]
    assert any(mistake.problem in finding.problem for finding in about), [told(finding, shop) for finding in new]
    assert all(finding.consequence and finding.mend for finding in new)
    assert {finding.rule for finding in new} == {mistake.rule, *mistake.also}


def test_every_rule_has_a_planted_mistake() -> None:
    every: list[Callable[..., Any]] = [*DIAGRAM_RULES, *TABLE_RULES, *SURROUNDING_RULES]

    assert {UNREADABLE, *map(rule_id, every)} - {mistake.rule for mistake in MISTAKES} == set()


def test_sixty_and_more_are_planted() -> None:
    assert len(MISTAKES) >= 60
