"""`/console/approvals`: what waits for an answer, and the answer."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from waggle.console.forms import MAX_FORM_BYTES, answers_in, rendered
from waggle.console.gate import LIST, LOGIN, Gate, problem, to
from waggle.console.page import ago, escaped, page
from waggle.errors import Rejected
from waggle.ports.clock import Clock
from waggle.services.approvals import ApprovalLine, ApprovalPage, Decision, may_decide
from waggle.services.console_sessions import Visitor

_SHOWN_LATELY: Final = 10
_BUTTONS: Final[Mapping[str, Decision]] = {"approve": "approved", "refuse": "refused"}
_STATUS: Final = {"SCOPE_MISSING": 403, "OWN_REQUEST": 403, "APPROVAL_OVER": 409}


class Approvals(Protocol):
    """What people are asked."""

    async def list(self, *, all_states: bool = False) -> list[ApprovalLine]: ...
    async def show(self, approval_id: str) -> ApprovalPage: ...
    async def decide(
        self, approval_id: str, decision: Decision, *, by: str, comment: str = "", given: Mapping[str, str] = ...
    ) -> ApprovalLine: ...


def approval_routes(gate: Gate, approvals: Approvals, clock: Clock) -> Router:
    """Return the pages."""

    @get(LIST)
    async def listed(request: Request[Any, Any, Any]) -> Response[Any]:
        visitor = await gate.visitor(request)
        if visitor is None:
            return to(LOGIN)
        over = [each for each in await approvals.list(all_states=True) if each.state != "waiting"]
        return _overview(visitor, await approvals.list(), over[:_SHOWN_LATELY], clock)

    @get(LIST + "/{approval_id:str}")
    async def one(approval_id: FromPath[str], request: Request[Any, Any, Any]) -> Response[Any]:
        visitor = await gate.visitor(request)
        if visitor is None:
            return to(LOGIN)
        try:
            found = await approvals.show(approval_id)
        except Rejected:
            return _unknown(visitor)
        return _question(visitor, found, clock)

    @post(LIST + "/{approval_id:str}", status_code=200, request_max_body_size=MAX_FORM_BYTES)
    async def decide(approval_id: FromPath[str], request: Request[Any, Any, Any]) -> Response[Any]:
        async def answered(visitor: Visitor, fields: Mapping[str, str]) -> Response[Any]:
            return await _decide(approvals, approval_id, visitor, fields, clock)

        return await gate.posted(request, answered)

    return Router("/", route_handlers=[listed, one, decide], include_in_schema=False)


async def _decide(
    approvals: Approvals, approval_id: str, visitor: Visitor, fields: Mapping[str, str], clock: Clock
) -> Response[Any]:
    decision = _BUTTONS.get(fields.get("do", ""))
    if decision is None:
        return problem(visitor, "Nothing was decided", "Press one of the buttons.", 422)
    given, comment = answers_in(fields), fields.get("comment", "")
    try:
        await approvals.decide(approval_id, decision, by=visitor.name, comment=comment, given=given)
    except Rejected as rejected:
        if rejected.code == "APPROVAL_UNKNOWN":
            return _unknown(visitor)
        found = await approvals.show(approval_id)
        said = f"Not decided: {rejected.message}."
        return _question(visitor, found, clock, said, _STATUS.get(rejected.code, 422), given, comment)
    return to(f"{LIST}/{approval_id}")


def _unknown(visitor: Visitor) -> Response[str]:
    return problem(visitor, "There is no such question", "It may have been cleared away.", 404)


def _overview(visitor: Visitor, waiting: list[ApprovalLine], over: list[ApprovalLine], clock: Clock) -> Response[str]:
    mine = [each for each in waiting if may_decide(visitor.role, each.roles)]
    others = len(waiting) - len(mine)
    cards = "".join(_card(visitor, each, clock) for each in mine)
    body = '<h1>Approvals</h1><p class="quiet">What journeys ask of people, the oldest first.</p>'
    body += cards or '<p class="empty">Nothing waits for your answer.</p>'
    if others:
        body += (
            f'<p class="quiet small">{others} more {"wait" if others > 1 else "waits"} for people in other roles.</p>'
        )
    if over:
        body += "<h2>Answered lately</h2>" + "".join(_card(visitor, each, clock) for each in over)
    return page("Approvals", body, visitor)


def _card(visitor: Visitor, line: ApprovalLine, clock: Clock) -> str:
    who = f"asked by {escaped(line.requested_by)}" if line.requested_by else "asked by a program"
    own = ' <span class="word">yours: somebody else decides</span>' if line.requested_by == visitor.name else ""
    over = line.state != "waiting"
    state = (
        f' <span class="word {escaped(line.answer or "")}">{escaped(line.answer or "nobody answered")}</span>'
        if over
        else own
    )
    by = f" by {escaped(line.decided_by)}" if line.decided_by else ""
    when = ago(line.decided_at or line.asked_at if over else line.asked_at, clock.now())
    told = f"{when}{by}" if over else f"{who}, {when}"
    return (
        f'<a class="card" href="{LIST}/{escaped(line.approval_id)}"><b>{escaped(line.title)}</b>{state}'
        f'<p>{escaped(line.subject)}</p><p class="quiet small">{told}</p></a>'
    )


def _question(  # noqa: PLR0913, PLR0917 -- a page, and what was put into it
    visitor: Visitor,
    found: ApprovalPage,
    clock: Clock,
    trouble: str = "",
    status_code: int = 200,
    given: Mapping[str, str] | None = None,
    comment: str = "",
) -> Response[str]:
    line = found.line
    warning = f'<p class="warning" role="alert">{escaped(trouble)}</p>' if trouble else ""
    about = f'<p class="quiet">{escaped(found.about)}</p>' if found.about else ""
    body = (
        f'<p class="small"><a href="{LIST}">Approvals</a></p>{warning}<h1>{escaped(line.title)}</h1>{about}'
        f"<dl><dt>About</dt><dd>{escaped(line.subject)}</dd><dt>Journey</dt><dd>{escaped(line.journey)}</dd>"
        f"<dt>Asked</dt><dd>{escaped(ago(line.asked_at, clock.now()))}"
        f"{f' by {escaped(line.requested_by)}' if line.requested_by else ''}</dd></dl>"
    )
    body += _decided(found) if line.state != "waiting" else _form(visitor, found, given or {}, comment)
    return page(line.title, body, visitor, status_code=status_code)


def _decided(found: ApprovalPage) -> str:
    line = found.line
    if line.answer is None:
        return '<p class="warning">The journey ended before anybody answered.</p>'
    kind = "notice" if line.answer == "approved" else "warning"
    when = f"{line.decided_at:%Y-%m-%d %H:%M} UTC" if line.decided_at is not None else ""
    labels = {each.key: each.label for each in found.form.fields} if found.form is not None else {}
    rows = "".join(
        f"<dt>{escaped(labels.get(key) or key)}</dt><dd>{escaped(_value(value))}</dd>"
        for key, value in found.answers.items()
        if value not in {None, ""}
    )
    comment = f"<dt>Comment</dt><dd>{escaped(line.comment)}</dd>" if line.comment else ""
    return (
        f'<p class="{kind}" role="status">{escaped(line.answer.capitalize())} by {escaped(line.decided_by or "")}, '
        f"{when}. The journey goes on within seconds.</p><dl>{rows}{comment}</dl>"
    )


def _value(value: object) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _form(visitor: Visitor, found: ApprovalPage, given: Mapping[str, str], comment: str) -> str:
    line = found.line
    if line.requested_by == visitor.name:
        return '<p class="warning">You asked for this yourself, so somebody else has to decide.</p>'
    if not may_decide(visitor.role, line.roles):
        return f'<p class="warning">This is for people in these roles: {escaped(", ".join(line.roles))}.</p>'
    asked = rendered(found.form, found.shown, given) if found.form is not None else ""
    return (
        f'<form class="card form" method="post" action="{LIST}/{escaped(line.approval_id)}">'
        f'<input type="hidden" name="form_token" value="{visitor.form_token}">{asked}'
        '<label class="field">Comment<small>Stays in the audit log. A refusal says why; name no customer.</small>'
        f'<input type="text" name="comment" maxlength="500" value="{escaped(comment)}"></label>'
        '<div class="buttons"><button type="submit" name="do" value="approve">Approve</button>'
        '<button class="second" type="submit" name="do" value="refuse">Refuse</button></div></form>'
    )
