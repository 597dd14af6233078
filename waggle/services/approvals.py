"""What journeys ask of people, and what these answer: user tasks, listed and decided here."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, Literal
from xml.etree import ElementTree as ET

from waggle.domain.approval import Approval, ApprovalState, Given
from waggle.domain.role import ROLES, Role
from waggle.errors import BadSettings, PermanentFailure, Rejected
from waggle.log import get_logger
from waggle.ports.clock import Clock
from waggle.ports.unit_of_work import AuditEntry, Transaction, UnitOfWork
from waggle.services.diagrams import parse_xml
from waggle.services.forms import Form, load_forms
from waggle.services.own_words import refuse_personal

log = get_logger(__name__)

SCOPE: Final = "approvals:decide"
_MODEL: Final = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_ZEEBE: Final = "{http://camunda.org/schema/zeebe/1.0}"
_MOST_LISTED = 50
_MOST_SHOWN_CHARS = 200

Decision = Literal["approved", "refused"]


@dataclass(frozen=True, slots=True)
class Question:
    """One user task of a diagram."""

    element_id: str
    title: str
    about: str
    form: Form
    roles: tuple[str, ...]


class QuestionBook:
    """Every user task, by diagram and element id."""

    def __init__(self, questions: Mapping[tuple[str, str], Question]) -> None:
        self._questions = questions

    def get(self, journey: str, element_id: str) -> Question | None:
        """Return what is asked at *element_id* of a journey, or of a piece that it calls."""
        found = self._questions.get((journey, element_id))
        return found or next((each for (_, known), each in self._questions.items() if known == element_id), None)


def load_questions(bpmn_dir: Path) -> QuestionBook:
    """Read every user task.

    Raises:
        BadSettings: FORM_WRONG, or FORM_UNKNOWN: a user task names none that there is; DIAGRAM_UNREADABLE.
    """
    forms = load_forms(bpmn_dir)
    questions = {}
    for file in sorted([*bpmn_dir.glob("journeys/*.bpmn"), *bpmn_dir.glob("pieces/*.bpmn")]):
        for task in parse_xml(file).iter(f"{_MODEL}userTask"):
            question = _question(task, forms, file)
            questions[file.stem, question.element_id] = question
    return QuestionBook(questions)


def _question(task: ET.Element, forms: Mapping[str, Form], file: Path) -> Question:
    def said(element: str, attribute: str) -> str:
        found = task.find(f"{_MODEL}extensionElements/{_ZEEBE}{element}")
        return found.get(attribute, "") if found is not None else ""

    name, element_id = " ".join(task.get("name", "").split()), task.get("id", "")
    form = said("formDefinition", "formId")
    if form not in forms:
        known = ", ".join(sorted(forms)) or "none yet"
        raise BadSettings(
            "FORM_UNKNOWN", f'{file}: {element_id} ("{name}") shows the form "{form}": link one of {known}'
        )
    roles = tuple(each.strip() for each in said("assignmentDefinition", "candidateGroups").split(",") if each.strip())
    if wrong := [each for each in roles if each not in ROLES]:
        raise BadSettings(
            "ROLE_UNKNOWN", f'{file}: {element_id} ("{name}"): "{wrong[0]}" is no role: use some of {", ".join(ROLES)}'
        )
    about = " ".join((task.findtext(f"{_MODEL}documentation") or "").split())
    return Question(element_id, name, about, forms[form], roles)


@dataclass(frozen=True, slots=True)
class ApprovalLine:
    """One question, for whoever may answer it."""

    approval_id: str
    title: str
    journey: str
    element_id: str
    enrolment_id: str
    subject: str
    requested_by: str | None
    asked_at: datetime
    roles: tuple[str, ...]
    state: ApprovalState
    answer: str | None
    comment: str
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class ApprovalPage:
    """One question with its form; `form` is None if the diagram has changed since it was asked."""

    line: ApprovalLine
    about: str
    form: Form | None
    shown: Mapping[str, Given]
    answers: Mapping[str, Given]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a journey hears; only what may leave for the engine."""

    answer: str
    answers: Mapping[str, Given]


class Approvals:
    """Journeys ask, people answer; who asked for a thing does not approve it, and each answer is in the audit log."""

    def __init__(self, store: UnitOfWork, questions: QuestionBook, clock: Clock) -> None:
        self._store = store
        self._questions = questions
        self._clock = clock

    async def ask(
        self, enrolment_id: str, element_id: str, *, step: str | None, shown: Mapping[str, Given]
    ) -> Reply | None:
        """Ask, once; return the answer, or None while there is none.

        Raises:
            PermanentFailure: ENROLMENT_UNKNOWN; or QUESTION_UNKNOWN, no diagram here has such a user task.
        """

        def put_question(tx: Transaction) -> Approval:
            enrolment = tx.enrolments.get(enrolment_id)
            if enrolment is None:
                raise PermanentFailure("ENROLMENT_UNKNOWN", enrolment_id)
            known = tx.approvals.of_step(enrolment_id, step or element_id)
            if known is not None:
                return known
            question = self._questions.get(enrolment.journey, element_id)
            if question is None:
                raise PermanentFailure("QUESTION_UNKNOWN", f"{enrolment.journey} has no user task {element_id}")
            campaign = tx.campaigns.of_enrolment(enrolment_id)
            asked = Approval(
                approval_id=str(uuid.uuid4()),
                enrolment_id=enrolment_id,
                step=step or element_id,
                element_id=element_id,
                journey=enrolment.journey,
                subject=enrolment.business_key,
                title=question.title,
                form=question.form.id,
                roles=question.roles,
                shown={name: _short(value) for name, value in shown.items()},
                requested_by=campaign.requested_by if campaign is not None else None,
                asked_at=self._clock.now(),
            )
            tx.approvals.save(asked)
            return asked

        # Asked again every few seconds: that costs no write.
        known = await self._store.read(lambda tx: tx.approvals.of_step(enrolment_id, step or element_id))
        approval = await self._store.run(put_question) if known is None else known
        if approval.answer is None:
            return None
        question = self._questions.get(approval.journey, approval.element_id)
        answers = question.form.for_engine(approval.answers) if question is not None else {}
        return Reply(approval.answer, answers)

    async def list(self, *, all_states: bool = False) -> list[ApprovalLine]:
        """Return what waits for an answer, the oldest first; or the newest of all."""
        if all_states:
            return [_line(each) for each in await self._store.read(lambda tx: tx.approvals.newest(_MOST_LISTED))]
        return [_line(each) for each in await self._store.read(lambda tx: tx.approvals.waiting())]

    async def show(self, approval_id: str) -> ApprovalPage:
        """Return one question.

        Raises:
            Rejected: APPROVAL_UNKNOWN.
        """
        approval = await self._store.read(lambda tx: tx.approvals.get(approval_id))
        if approval is None:
            raise _unknown(approval_id)
        question = self._questions.get(approval.journey, approval.element_id)
        form = question.form if question is not None and question.form.id == approval.form else None
        about = question.about if question is not None else ""
        return ApprovalPage(_line(approval), about, form, approval.shown, approval.answers)

    async def decide(
        self, approval_id: str, decision: Decision, *, by: str, comment: str = "", given: Mapping[str, str] = {}
    ) -> ApprovalLine:
        """Answer a question; the same answer of the same person again changes nothing.

        *given* are the fields of its form as a browser sends them; of a refusal they are not asked for.

        Raises:
            Rejected: APPROVAL_UNKNOWN; APPROVAL_OVER, somebody was faster or the journey has ended; OWN_REQUEST;
                SCOPE_MISSING; ANSWER_WRONG, COMMENT_MISSING (a refusal says why), or WORDS_REFUSED.
        """
        if comment.strip():
            refuse_personal("comment", comment)
        elif decision == "refused":
            raise Rejected("COMMENT_MISSING", "say in the comment why, so that whoever asked can do better")

        def put_decision(tx: Transaction) -> Approval:
            approval = tx.approvals.get(approval_id)
            if approval is None:
                raise _unknown(approval_id)
            if (approval.answer, approval.decided_by) == (decision, by):
                return approval
            self._check(tx, approval, by)
            question = self._questions.get(approval.journey, approval.element_id)
            form = question.form if question is not None else None
            decided = replace(
                approval,
                state="decided",
                answer=decision,
                answers=form.answers(given) if form is not None and decision == "approved" else {},
                comment=comment.strip(),
                decided_by=by,
                decided_at=self._clock.now(),
            )
            tx.approvals.save(decided)
            tx.audit.add(_entry(decided))
            return decided

        try:
            decided = await self._store.run(put_decision)
        except Rejected as rejected:
            if rejected.code in {"SCOPE_MISSING", "OWN_REQUEST"}:
                await self._note_refusal(approval_id, by, rejected.code)
            raise
        log.info("approval decided", enrolment_id=decided.enrolment_id, step=decided.step, answer=decided.answer)
        return _line(decided)

    async def _note_refusal(self, approval_id: str, by: str, code: str) -> None:
        entry = AuditEntry(
            at=self._clock.now(),
            actor=by,
            action="scope-missing" if code == "SCOPE_MISSING" else "approval-barred",
            subject=approval_id,
            why=SCOPE,
        )
        await self._store.run(partial(_note, entry=entry))

    def _check(self, tx: Transaction, approval: Approval, by: str) -> None:
        enrolment = tx.enrolments.get(approval.enrolment_id)
        if approval.state != "waiting" or enrolment is None or not enrolment.live:
            was = f"{approval.answer} by {approval.decided_by}" if approval.answer else "its journey has ended"
            raise Rejected("APPROVAL_OVER", f"{approval.title}: {was}")
        if approval.requested_by == by:
            raise Rejected("OWN_REQUEST", f"{by} asked for it: somebody else has to decide")
        # Where nobody was added yet, whoever has the machine decides, as everywhere.
        if not any(each.removed_at is None for each in tx.people.all()):
            return
        person = tx.people.get(by)
        role = person.role if person is not None and person.removed_at is None else None
        if not may_decide(role, approval.roles):
            raise Rejected("SCOPE_MISSING", f"{by} may not decide this: {', '.join(approval.roles) or SCOPE} may")


def may_decide(role: Role | None, roles: tuple[str, ...]) -> bool:
    """Say whether somebody in *role* may answer a question that is put to *roles*."""
    return role is not None and SCOPE in ROLES[role] and (not roles or role in roles)


def _line(approval: Approval) -> ApprovalLine:
    return ApprovalLine(
        approval_id=approval.approval_id,
        title=approval.title,
        journey=approval.journey,
        element_id=approval.element_id,
        enrolment_id=approval.enrolment_id,
        subject=approval.subject,
        requested_by=approval.requested_by,
        asked_at=approval.asked_at,
        roles=approval.roles,
        state=approval.state,
        answer=approval.answer,
        comment=approval.comment,
        decided_by=approval.decided_by,
        decided_at=approval.decided_at,
    )


def _entry(approval: Approval) -> AuditEntry:
    assert approval.decided_at is not None  # noqa: S101 -- set where it is decided
    detail = {"journey": approval.journey, "element": approval.element_id, "subject": approval.subject}
    return AuditEntry(
        at=approval.decided_at,
        actor=approval.decided_by or "",
        action=f"approval-{approval.answer}",
        subject=approval.approval_id,
        why=approval.comment,
        detail=detail,
    )


def _short(value: Given) -> Given:
    return value[:_MOST_SHOWN_CHARS] if isinstance(value, str) else value


def _unknown(approval_id: str) -> Rejected:
    return Rejected("APPROVAL_UNKNOWN", f"there is no approval {approval_id!r}; `waggle approvals list` shows them")


def _note(tx: Transaction, entry: AuditEntry) -> None:
    tx.audit.add(entry)
