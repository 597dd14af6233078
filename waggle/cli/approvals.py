"""`waggle approvals`: what journeys ask of people."""

from typing import Annotated

import msgspec
from cyclopts import App as Commands
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.errors import BadSettings
from waggle.services.approvals import SCOPE, ApprovalLine, ApprovalPage, Decision
from waggle.services.forms import ANSWERED

app = Commands(
    name="approvals",
    help="What journeys ask of people: user tasks, also to be found on the page /console/approvals.\n\n"
    "Example: `waggle approvals list`",
)


@app.default
@app.command(name="list")
def list_(*, all_states: bool = False, json: bool = False) -> None:
    """List what waits for an answer, the oldest first.

    Example: `waggle approvals list`

    Parameters
    ----------
    all_states
        Also what was answered: the newest of all.
    json
        One JSON document for programs.
    """
    found = with_app(lambda waggle: waggle.approvals.list(all_states=all_states))
    if json:
        print(msgspec.json.encode(found).decode())
    elif found:
        table = Table(box=None, pad_edge=False)
        table.add_column("approval", no_wrap=True)
        for head in ("question", "about", "asked by", "state"):
            table.add_column(head, overflow="fold")
        for each in found:
            state = f"{each.answer} by {each.decided_by}" if each.answer else each.state
            table.add_row(each.approval_id, each.title, each.subject, each.requested_by or "", state)
        Console().print(table)
    else:
        print("Nothing waits for an answer.")


@app.command
def show(approval_id: str, *, json: bool = False) -> None:
    """Show one question and what its form asks for.

    Example: `waggle approvals show 1b4e28ba-2fa1-11d2-883f-0016d3cca427`

    Parameters
    ----------
    approval_id
        As `waggle approvals list` shows it.
    json
        One JSON document for programs.
    """
    found = with_app(lambda waggle: waggle.approvals.show(approval_id))
    if json:
        print(msgspec.json.encode(found).decode())
    else:
        _told(found)


@app.command
def decide(  # noqa: PLR0913 -- the options of a command
    approval_id: str,
    decision: Decision,
    *,
    comment: str = "",
    answer: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006 -- the library takes it as the default
    by: By = None,
    json: bool = False,
) -> None:
    """Answer a question; who asked for what is to be approved may not.

    Example: `waggle approvals decide 1b4e28ba approved --answer test_was_read=yes --by kim`

    Parameters
    ----------
    approval_id
        As `waggle approvals list` shows it.
    decision
        approved or refused.
    comment
        For the record, without naming a customer; a refusal needs one.
    answer
        A field of the form, as KEY=VALUE; may be repeated. A tick is KEY=yes.
    by
        Who answers.
    json
        One JSON document for programs.
    """
    given = dict(_pair(each) for each in answer)

    async def deciding(waggle: App) -> ApprovalLine:
        who = await acting(waggle, by, SCOPE)
        return await waggle.approvals.decide(approval_id, decision, by=who, comment=comment, given=given)

    line = with_app(deciding)
    if json:
        print(msgspec.json.encode(line).decode())
    else:
        print(f"{line.title} ({line.subject}): {line.answer} by {line.decided_by}. The journey goes on within seconds.")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise BadSettings("ANSWER_FORM", f"--answer {text}: write KEY=VALUE, such as test_was_read=yes")
    return key, value


def _told(found: ApprovalPage) -> None:
    line = found.line
    print(f"{line.title}: {line.subject} ({line.state}{f', {line.answer}' if line.answer else ''})")
    print(
        f"Asked {line.asked_at:%Y-%m-%d %H:%M} UTC by {line.requested_by or 'a program'}; for {', '.join(line.roles)}."
    )
    if found.about:
        print(found.about)
    for each in found.form.fields if found.form is not None else ():
        if each.kind == "text":
            print(each.text_with(found.shown))
        elif each.kind in ANSWERED:
            options = f" (one of {', '.join(value for value, _ in each.options)})" if each.options else ""
            needed = ", needed" if each.required else ""
            print(f"--answer {each.key}=...  {each.label}{options}{needed}")
    if line.comment:
        print(f"Comment: {line.comment}")
