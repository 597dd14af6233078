"""`waggle new`: the beginning of a journey, a task or a connector."""

from pathlib import Path

from cyclopts import App as Commands
from rich.console import Console
from rich.text import Text

from waggle.scaffolding import Scaffold, new_connector, new_journey, new_task
from waggle.settings import load_settings

app = Commands(
    name="new",
    help="Write the beginning of a journey, a task or a connector, with its test.\n\n"
    "What is there already is never written over.\n\n"
    "Example: `waggle new journey thank-you-note --on order-placed`",
)


@app.command
def journey(name: str, *, on: str) -> None:
    """Write a journey: diagram, settings, catalogue entry, message and scenarios.

    It waits, asks whether it may write, sends one mail and records the outcome;
    change it in Camunda Modeler. It is switched off until its file says enabled.

    Example: `waggle new journey thank-you-note --on order-placed`

    Parameters
    ----------
    name
        Such as thank-you-note; also the name of its files.
    on
        Type of the event that starts it.
    """
    settings = load_settings()
    _write(new_journey(name, on, settings.bpmn_dir, settings.config_dir))


@app.command
def task(name: str) -> None:
    """Write a worker for a new task type, and its test.

    Example: `waggle new task grant-points`

    Parameters
    ----------
    name
        What it does to what, such as grant-points.
    """
    _write(new_task(name, Path.cwd()))


@app.command
def connector(name: str) -> None:
    """Write a connector to an outside system, and its test.

    Example: `waggle new connector pigeon`

    Parameters
    ----------
    name
        As the vendor calls itself.
    """
    _write(new_connector(name, Path.cwd()))


def _write(scaffold: Scaffold) -> None:
    scaffold.carry_out()
    console = Console(highlight=False, soft_wrap=True)
    for file in scaffold.new:
        console.print(Text(f"+ {file}", "green"))
    for file in scaffold.changed:
        console.print(Text(f"~ {file}", "yellow"))
    console.print("\nNext:")
    for step in scaffold.next_steps:
        console.print(Text(f"  {step}"))
