"""`waggle rollback`: the version before becomes the newest again."""

import msgspec
from rich.console import Console

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.deploy import show
from waggle.cli.with_app import with_app
from waggle.log import configure
from waggle.reaching import engine_answers, engine_client
from waggle.services.own_words import refuse_personal


def rollback(
    journey: str, *, reason: str = "rolled back", dry_run: bool = False, json: bool = False, by: By = None
) -> None:
    """Deploy the version before of a journey again, with the pieces, decisions and forms that it came with.

    New instances begin on it; those that run stay on their version to the end, unless `waggle migrate` moves them.
    Other journeys are not touched. The files in the folder stay as they are: `waggle deploy` brings them again.

    Example: `waggle rollback win-back --dry-run`

    Parameters
    ----------
    journey
        Its process id.
    reason
        Why, without naming a customer.
    dry_run
        Say what would change and deploy nothing.
    json
        One JSON document for programs.
    by
        Who decides it; without it, who is logged in.
    """
    refuse_personal("reason", reason)
    console = Console()

    async def work(waggle: App) -> None:
        configure(waggle.settings.log.form, "warning")
        who = await acting(waggle, by, "journeys:manage")
        bundle, in_force, before = await waggle.deploying.before(journey)
        plan = await waggle.deploying.plan(bundle)
        changes = [change for change in plan.changes if change.state != "gone"]
        deployed = []
        if not dry_run:
            address, _ = await engine_answers(waggle)
            async with engine_client(waggle, address) as engine:
                deployed = await waggle.deploying.deploy(
                    engine, bundle, by=who, why=reason, kind="rollback", same_tag=True
                )
        if json:
            print(msgspec.json.encode({"changes": changes, "deployed": deployed}).decode())
            return
        console.print(
            f"{journey}: from {in_force.file.version_tag or 'no tag'} (version {in_force.file.version}) back to "
            f"{before.file.version_tag or 'no tag'}, as it was deployed on {before.deployment.at:%Y-%m-%d}",
            highlight=False,
            style="bold",
        )
        show(changes, deployed, dry=dry_run)

    with_app(work)
