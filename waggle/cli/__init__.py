"""The command `waggle`."""

import sys
from typing import NoReturn

from cyclopts import App as Commands
from rich.console import Console

from waggle.cli import deploy, doctor, keys, parts, tasks, up
from waggle.cli.demo import demo
from waggle.cli.engine import app as engine
from waggle.errors import BadSettings, TemporaryFailure, WaggleError

FAILED, MISUSED, NOT_NOW = 1, 2, 3
"""Exit codes: it was tried and did not succeed; what was asked or set is wrong; something is away and may come back."""

commands = Commands(
    name="waggle",
    help="Purchase and remarketing journeys: BPMN diagrams on Zeebe, each task a Python worker.\n\n"
    "Example: `waggle up` runs everything on this machine; `waggle demo` shows it at work.",
    version_flags=["--version"],
)
commands.command(up.up)
commands.command(demo)
commands.command(deploy.deploy)
commands.command(doctor.doctor)
commands.command(tasks.tasks)
commands.command(keys.app)
commands.command(engine)
commands.command(parts.api)
commands.command(parts.relay)
commands.command(parts.worker)
commands.command(parts.mailbox)


def main() -> NoReturn:
    """Run the command line and end the process with an exit code that means something."""
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    try:
        result = commands(sys.argv[1:], exit_on_error=True)
    except WaggleError as error:
        errors.print(f"[bold red]waggle:[/] {error.code}: ", error.message or "(no more is known)", sep="", markup=True)
        code = {BadSettings: MISUSED, TemporaryFailure: NOT_NOW}.get(type(error), FAILED)
        sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(result if isinstance(result, int) else 0)
