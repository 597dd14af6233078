"""`waggle privacy`: master keys, and the record of processing."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cyclopts import App as Commands
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.ports.unit_of_work import AuditEntry
from waggle.services.processing_record import as_markdown, processing_record
from waggle.settings import load_settings
from waggle.wiring.privacy import checked_privacy_map
from waggle.wiring.safekeeping import safekeeping

app = Commands(
    name="privacy",
    help="Keys that protect what is known of people, and the record of what is done with it.\n\n"
    "Example: `waggle privacy record` prints the record of processing (GDPR Art. 30).",
)


@app.command
def record(*, json: bool = False) -> None:
    """Print the record of processing (GDPR Art. 30), made from privacy.toml.

    Example: `waggle privacy record > record.md`

    Parameters
    ----------
    json
        One JSON document for programs.
    """
    found = processing_record(checked_privacy_map(load_settings().config_dir), datetime.now(UTC))
    print(msgspec.json.encode(found).decode() if json else as_markdown(found), end="")


@app.command(name="new-master-key")
def new_master_key(file: Path) -> None:
    """Make FILE with a first master key, for privacy.master_key_file; one that is there is left as it is.

    Example: `waggle privacy new-master-key /etc/waggle/master.toml`

    Parameters
    ----------
    file
        Where it is to lie: outside the database and every backup, readable for Waggle's user only.
    """
    if safekeeping(App(load_settings()).database).new_master_key(file):
        print(f"The master key is in {file}. Keep a copy elsewhere: without it all personal data is lost.")
    else:
        print(f"{file} was there, and is as it was.")


@app.command(name="rotate-master-key")
def rotate_master_key(*, by: By = None) -> None:
    """Make a new master key and wrap every person's key by it, while everything else goes on.

    Broken off, it goes on where it was when it is run again. Older master keys stay in the file, since backups need
    them; `waggle privacy drop-master-key` takes one out.

    Example: `waggle privacy rotate-master-key`

    Parameters
    ----------
    by
        Your name, for the audit log.
    """

    async def work(waggle: App) -> None:
        who = await acting(waggle, by, "privacy:manage")
        columns = (TextColumn("keys of persons"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)
            done = safekeeping(waggle.database).rotate_master_key(
                datetime.now(UTC), lambda count, total: bar.update(task, completed=count, total=total)
            )
        await _note(waggle, who, "master-key-rotated", done.key_id)
        begun = " An earlier rotation was ended by this; run it again for another key." if done.was_begun else ""
        print(f"{done.rewrapped} keys of persons are wrapped by {done.key_id} now.{begun}")

    with_app(work)


@app.command(name="drop-master-key")
def drop_master_key(key_id: str, *, by: By = None) -> None:
    """Take an older master key out of the file: backups made with it can never be read again.

    Example: `waggle privacy drop-master-key 2026-05-04-1f0c92aa`

    Parameters
    ----------
    key_id
        Its id, as in the file.
    by
        Your name, for the audit log.
    """

    async def work(waggle: App) -> None:
        who = await acting(waggle, by, "privacy:manage")
        safekeeping(waggle.database).drop_master_key(key_id)
        await _note(waggle, who, "master-key-dropped", key_id)
        print(f"{key_id} is no longer there.")

    with_app(work)


async def _note(waggle: App, who: str, action: str, key_id: str) -> None:
    entry = AuditEntry(at=waggle.clock.now(), actor=who, action=action, subject=key_id, why="")
    await waggle.store.run(lambda tx: tx.audit.add(entry))
