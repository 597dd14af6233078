"""`waggle backup`: whole copies of the database, encrypted."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cyclopts import App as Commands

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.with_app import with_app
from waggle.ports.unit_of_work import AuditEntry
from waggle.settings import load_settings
from waggle.wiring.safekeeping import safekeeping

app = Commands(
    name="backup",
    help="Whole copies of the database, encrypted with the master key, which is not in them.\n\n"
    "Example: `waggle backup create /backups/waggle-2026-05-04`",
)


@app.command
def create(file: Path, *, by: By = None) -> None:
    """Write all of the database, as it is now, to the new FILE; everything else goes on meanwhile.

    Example: `waggle backup create /backups/waggle-2026-05-04`

    Parameters
    ----------
    file
        Must not be there yet. Copy the master keys too, but to another place.
    by
        Your name, for the audit log.
    """

    async def work(waggle: App) -> None:
        who = await acting(waggle, by, "admin")
        made = safekeeping(waggle.database).back_up(file, datetime.now(UTC))
        await _note(waggle, who, "backup-created", file.name)
        print(f"{file} holds {_count(made.rows.values())}.")

    with_app(work)


@app.command
def verify(file: Path) -> None:
    """Read all of FILE as a restore would, and say what it holds.

    Example: `waggle backup verify /backups/waggle-2026-05-04`

    Parameters
    ----------
    file
        What `waggle backup create` wrote.
    """
    held = safekeeping(App(load_settings()).database).verify(file)
    print(f"{file} is whole: {_count(held.rows.values())} of {held.made_at:%Y-%m-%d %H:%M} UTC, {held.database}.")


@app.command
def restore(file: Path, *, by: By = None) -> None:
    """Put FILE back into the database, which must be empty; who was erased since then is erased again.

    Stop every part of Waggle before. The master keys and the list of erased persons must be where the settings say.

    Example: `waggle backup restore /backups/waggle-2026-05-04`

    Parameters
    ----------
    file
        What `waggle backup create` wrote, from a database of the same kind.
    by
        Your name, for the audit log.
    """
    restored = safekeeping(App(load_settings()).database).restore(file)
    print(
        f"{_count(restored.content.rows.values())} of {restored.content.made_at:%Y-%m-%d %H:%M} UTC are back; "
        f"persons erased since then, and erased again: {restored.erased_again}."
    )

    async def note(waggle: App) -> None:
        # Only now: before there was nothing in which to look up who may.
        await _note(waggle, await acting(waggle, by, "admin"), "backup-restored", file.name)

    with_app(note)


async def _note(waggle: App, who: str, action: str, subject: str) -> None:
    entry = AuditEntry(at=waggle.clock.now(), actor=who, action=action, subject=subject, why="")
    await waggle.store.run(lambda tx: tx.audit.add(entry))


def _count(rows: Iterable[int]) -> str:
    return f"{sum(rows):,} rows"
