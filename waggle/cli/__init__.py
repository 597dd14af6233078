"""The command `waggle`."""

import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import App as Commands
from rich.console import Console
from rich.text import Text

from waggle.errors import BadSettings, TemporaryFailure, WaggleError

DONE, FAILED, MISUSED, NOT_NOW, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: it was tried and did not succeed; what was asked or set is wrong; something is away and may come back."""

commands = Commands(
    name="waggle",
    help="Purchase and remarketing journeys: BPMN diagrams on Zeebe, each task a Python worker.\n\n"
    "Example: `waggle up` runs everything on this machine; `waggle demo` shows it at work.",
    version_flags=["--version"],
)
# By name: a command that is not asked for is not imported.
commands.command("waggle.cli.up:up", name="up")
commands.command("waggle.cli.demo:demo", name="demo")
commands.command("waggle.cli.check:check", name="check")
commands.command("waggle.cli.deploy:deploy", name="deploy")
commands.command("waggle.cli.journeys:app", name="journeys")
commands.command("waggle.cli.migrate:migrate", name="migrate")
commands.command("waggle.cli.rollback:rollback", name="rollback")
commands.command("waggle.cli.promote:promote", name="promote")
commands.command("waggle.cli.simulate:simulate", name="simulate")
commands.command("waggle.cli.doctor:doctor", name="doctor")
commands.command("waggle.cli.tasks:tasks", name="tasks")
commands.command("waggle.cli.templates:templates", name="templates")
commands.command("waggle.cli.new:app", name="new")
commands.command("waggle.cli.diff:diff", name="diff")
commands.command("waggle.cli.keys:app", name="keys")
commands.command("waggle.cli.people:app", name="people")
commands.command("waggle.cli.audit:app", name="audit")
commands.command("waggle.cli.privacy:app", name="privacy")
commands.command("waggle.cli.backup:app", name="backup")
commands.command("waggle.cli.messages:app", name="messages")
commands.command("waggle.cli.effects:app", name="effects")
commands.command("waggle.cli.sources:app", name="sources")
commands.command("waggle.cli.customers:app", name="customer")
commands.command("waggle.cli.replay:replay", name="replay")
commands.command("waggle.cli.events:app", name="events")
commands.command("waggle.cli.engine_messages:app", name="engine-messages")
commands.command("waggle.cli.streams:app", name="streams")
commands.command("waggle.cli.export:export", name="export")
commands.command("waggle.cli.engine:app", name="engine")
commands.command("waggle.cli.consents:app", name="consents")
commands.command("waggle.cli.privacy_requests:app", name="privacy-requests")
commands.command("waggle.cli.retention:retention", name="retention")
commands.command("waggle.cli.transfers:transfers", name="transfers")
commands.command("waggle.cli.segments:app", name="segments")
commands.command("waggle.cli.campaigns:app", name="campaigns")
commands.command("waggle.cli.approvals:app", name="approvals")
commands.command("waggle.cli.parts:api", name="api")
commands.command("waggle.cli.parts:relay", name="relay")
commands.command("waggle.cli.parts:worker", name="worker")
commands.command("waggle.cli.exchange:exchange", name="exchange")
commands.command("waggle.cli.parts:mailbox", name="mailbox")
commands.command("waggle.cli.importing:import_", name="import")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with an exit code that means something."""
    try:
        result = commands(sys.argv[1:] if arguments is None else arguments, exit_on_error=True)
    except WaggleError as error:
        _say(error)
        sys.exit({BadSettings: MISUSED, TemporaryFailure: NOT_NOW}.get(type(error), FAILED))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    sys.exit(result if isinstance(result, int) else DONE)


def _say(error: WaggleError) -> None:
    text = Text.assemble(("waggle: ", "bold red"), (error.code, "bold"), f": {error.message}" if error.message else "")
    Console(stderr=True, soft_wrap=True, highlight=False).print(text)
