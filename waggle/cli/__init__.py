"""The command `waggle`."""

import atexit
import gc
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import NoReturn

from cyclopts import App as Commands
from cyclopts import Group, Parameter

from waggle.cli.failures import misused, of_system, say, say_fault, stop_writing
from waggle.errors import BadSettings, TemporaryFailure, WaggleError

DONE, FAILED, MISUSED, NOT_NOW, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes: it was tried and did not succeed; what was asked or set is wrong; something is away and may come back."""

ALLOCATIONS_PER_LOOK = 50_000

# By name, and with what it is for: a command that is not asked for is not imported.
_COMMANDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Everything on this machine": {
        "up": (
            "waggle.cli.up:up",
            "Run engine, mailbox, API, relay and workers; start again what dies; Ctrl-C ends all.",
        ),
        "demo": (
            "waggle.cli.demo:demo",
            "Play three hours of a simulated shop on the real engine, whose clock is moved forward.",
        ),
        "doctor": (
            "waggle.cli.doctor:doctor",
            "Check settings, database, diagrams, connectors, ports and engine; the exit code is 1 if something is bad.",
        ),
        "engine": (
            "waggle.cli.engine:app",
            "The real Camunda 8.6 on this machine, without Docker or an installed Java.",
        ),
    },
    "Journeys, from the drawing to the engine": {
        "check": (
            "waggle.cli.check:check",
            (
                "Look for mistakes in journeys, all they are made of, and all settings; "
                "the exit code is 1 if there are any."
            ),
        ),
        "deploy": (
            "waggle.cli.deploy:deploy",
            "Check all diagrams, decisions and forms and deploy them in one request.",
        ),
        "journeys": ("waggle.cli.journeys:app", "Journeys: which versions run, who is in them, and pausing one."),
        "migrate": (
            "waggle.cli.migrate:migrate",
            "Move the running instances of a journey to its newest version, or to the one given.",
        ),
        "rollback": (
            "waggle.cli.rollback:rollback",
            "Deploy the version before of a journey again, with the pieces, decisions and forms that it came with.",
        ),
        "promote": (
            "waggle.cli.promote:promote",
            "Deploy in one environment what is deployed in another: the same bytes, compared by their hash.",
        ),
        "simulate": (
            "waggle.cli.simulate:simulate",
            (
                "Play a journey's scenarios on a real engine whose clock is moved, with real workers "
                "and a throw-away database."
            ),
        ),
        "tasks": (
            "waggle.cli.tasks:tasks",
            "List the task types that can be used in a diagram, with the limits that are in force here.",
        ),
        "templates": ("waggle.cli.templates:templates", "Write the ready-made steps for Camunda Modeler anew."),
        "new": ("waggle.cli.new:app", "Write the beginning of a journey, a task or a connector, with its test."),
        "diff": ("waggle.cli.diff:diff", "Tell what changed between two versions of journeys, by element."),
        "engine-messages": ("waggle.cli.engine_messages:app", "Engine messages: those that the engine refused."),
    },
    "What is sent, and what waits for a word": {
        "messages": (
            "waggle.cli.messages:app",
            "Messages: what became of them, and those that may or may not have left.",
        ),
        "effects": (
            "waggle.cli.effects:app",
            "Tickets, places in audiences and the like that may or may not have come about.",
        ),
        "segments": (
            "waggle.cli.segments:app",
            "Whom a campaign may be for: rules in config/segments, evaluated over what is known of each person.",
        ),
        "campaigns": (
            "waggle.cli.campaigns:app",
            "One message to everybody in a segment (config/campaigns), once a person has approved it.",
        ),
        "approvals": (
            "waggle.cli.approvals:app",
            "What journeys ask of people: user tasks, also to be found on the page /console/approvals.",
        ),
    },
    "Facts, in and out": {
        "sources": (
            "waggle.cli.sources:app",
            "Sources: where facts come from, whether they still do, and how to try it.",
        ),
        "events": (
            "waggle.cli.events:app",
            "Events at the door: those that were set aside, and those that were turned away.",
        ),
        "streams": (
            "waggle.cli.streams:app",
            "Streams: how far brokers and receivers were told of facts and outcomes.",
        ),
        "export": (
            "waggle.cli.export:export",
            "Write events, outcomes, messages or orders into a folder, a file to a day (UTC).",
        ),
        "import": (
            "waggle.cli.importing:import_",
            "Take in a file; begun again after an interruption, it goes on where it was.",
        ),
        "replay": (
            "waggle.cli.replay:replay",
            "Derive customers, consents, carts, orders and products from the events anew, and mend what differs.",
        ),
    },
    "Customers and their rights": {
        "customer": (
            "waggle.cli.customers:app",
            "A customer: everything that is known, field by field with its origin, and which ids are one person.",
        ),
        "consents": ("waggle.cli.consents:app", "Consents: how they stand, and what proves them."),
        "privacy-requests": (
            "waggle.cli.privacy_requests:app",
            "Requests of customers about their data: access, erasure and so on, with the day they are due.",
        ),
        "retention": (
            "waggle.cli.retention:retention",
            "Delete or empty what is over its term in config/privacy.toml. The relay does the same once a day.",
        ),
        "transfers": (
            "waggle.cli.transfers:transfers",
            "Show how many records with personal data went where, and for which purpose; never whose.",
        ),
        "privacy": (
            "waggle.cli.privacy:app",
            "Keys that protect what is known of people, and the record of what is done with it.",
        ),
    },
    "Who may do what, and copies": {
        "keys": ("waggle.cli.keys:app", "Keys: which programs may send events and ask questions, and for how long."),
        "people": (
            "waggle.cli.people:app",
            "People: who works with Waggle, in which role, and their tokens for the API.",
        ),
        "audit": ("waggle.cli.audit:app", "The audit log: who decided what, and that nobody changed it since."),
        "backup": (
            "waggle.cli.backup:app",
            "Whole copies of the database, encrypted with the master key, which is not in them.",
        ),
    },
    "Single parts, each a process of its own": {
        "api": ("waggle.cli.parts:api", "Serve HTTP: events in, click and unsubscribe links."),
        "relay": ("waggle.cli.parts:relay", "Take accepted events to the projections and the engine."),
        "worker": ("waggle.cli.parts:worker", "Work on the jobs of the journeys."),
        "exchange": (
            "waggle.cli.exchange:exchange",
            "Ask sources that can be asked, read queues, tell streams; `waggle up` runs it where one of them is set.",
        ),
        "mailbox": (
            "waggle.cli.parts:mailbox",
            "Run the mail server for development: it delivers nothing and shows what arrived.",
        ),
    },
}


def _made(*, listing: bool) -> Commands:
    """Return the command line; *listing* says of each command what it is for, in place of its own longer help."""
    app = Commands(
        name="waggle",
        help="Purchase and remarketing journeys: BPMN diagrams on Zeebe, each task a Python worker.\n\n"
        "Example: `waggle up` runs everything on this machine; `waggle demo` shows it at work.",
        version_flags=["--version"],
        # A switch is off unless it is named: --no-json would say nothing.
        default_parameter=Parameter(negative_bool=()),
        error_formatter=misused,
    )
    for title, named in _COMMANDS.items():
        group = Group.create_ordered(title)
        for name, (path, about) in named.items():
            app.command(path, name=name, group=group, help=about if listing else None)
    return app


commands = _made(listing=False)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with an exit code that means something."""
    words = sys.argv[1:] if arguments is None else arguments
    # What is imported stays: to look through it dozens of times for garbage would be a quarter of a short command.
    gc.set_threshold(ALLOCATIONS_PER_LOOK)
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _as_if_interrupted)
    # At the end all goes at once: to look through it a last time would take as long as half of the imports.
    atexit.register(gc.freeze)
    try:
        asked = _made(listing=True) if not words or words[0] in commands.help_flags else commands
        result = asked(words, exit_on_error=True)
        sys.stdout.flush()
    except WaggleError as error:
        _fail(error)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        stop_writing()
        sys.exit(FAILED)
    except OSError as error:
        _fail(of_system(error))
    except Exception as error:  # noqa: BLE001 -- a traceback would quote what it was about
        say_fault(error)
        sys.exit(FAILED)
    sys.exit(result if isinstance(result, int) else DONE)


def _as_if_interrupted(_number: int, _frame: FrameType | None) -> None:
    """Let SIGTERM end a command as Ctrl-C does: what it started ends with it.

    Raises:
        KeyboardInterrupt: this process was started with Ctrl-C ignored, as a shell does in the background.
    """
    if signal.getsignal(signal.SIGINT) in {signal.SIG_IGN, signal.SIG_DFL}:
        raise KeyboardInterrupt
    # Whoever waits for Ctrl-C knows better than an exception here what to end first.
    signal.raise_signal(signal.SIGINT)


def _fail(error: WaggleError) -> NoReturn:
    say(error)
    sys.exit({BadSettings: MISUSED, TemporaryFailure: NOT_NOW}.get(type(error), FAILED))
