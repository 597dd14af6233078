"""`waggle promote`: what one environment runs goes to another, byte for byte."""

from contextlib import ExitStack
from dataclasses import asdict

import msgspec
from rich.console import Console

from waggle.app import App
from waggle.cli.acting import By, acting
from waggle.cli.deploy import show
from waggle.cli.with_app import with_app
from waggle.errors import BadSettings, Rejected
from waggle.log import configure
from waggle.ports.journey_engine import Deployed
from waggle.reaching import engine_answers, engine_client
from waggle.services.bundles import context_sha256
from waggle.services.promoting import Promotable, promotable, refuse_unsimulated
from waggle.services.promoting import promote as promoted
from waggle.services.versions import Plan


def promote(  # noqa: PLR0913 -- each is an option of its own
    source: str,
    target: str,
    /,
    *,
    dry_run: bool = False,
    unsimulated: bool = False,
    same_tag: bool = False,
    json: bool = False,
    by: By = None,
) -> None:
    """Deploy in one environment what is deployed in another: the same bytes, compared by their hash.

    Environments are the sections `[environments.<name>]` of the settings, and this one by the name in [deployment].
    Message templates and journey settings are not promoted: they are files where each environment runs.

    Example: `waggle promote staging production --dry-run`

    Parameters
    ----------
    source
        Where it was checked, simulated and deployed.
    target
        Where it shall run.
    dry_run
        Say what would change there and deploy nothing.
    unsimulated
        Also what never passed `waggle simulate --all` as it is.
    same_tag
        Also where a version tag stands for other bytes there.
    json
        One JSON document for programs.
    by
        Who decides it; without it, who is logged in.
    """

    async def work(waggle: App) -> None:
        configure(waggle.settings.log.form, "warning")
        if source == target:
            raise BadSettings("SAME_ENVIRONMENT", f"{source} is both where it comes from and where it goes")
        with ExitStack() as stack:
            there, here = (_opened(waggle, name, stack) for name in (source, target))
            who = await acting(here, by, "journeys:manage")
            found = await promotable(there.store, source)
            if not unsimulated:
                refuse_unsimulated(found)
            plan = await here.deploying.plan(found.bundle)
            if plan.problems and not same_tag:
                raise Rejected("VERSION_TAG_REUSED", f"nothing was deployed in {target}:\n" + "\n".join(plan.problems))
            deployed: list[Deployed] = []
            if not dry_run:
                address, _ = await engine_answers(here)
                async with engine_client(here, address) as engine:
                    deployed = await promoted(found, here.deploying, engine, by=who, same_tag=same_tag)
        same_context = context_sha256(waggle.settings.config_dir) == found.context_sha256
        if json:
            print(msgspec.json.encode(_document(found, target, plan, deployed, same_context=same_context)).decode())
            return
        _show(found, target, plan, deployed, same_context=same_context, dry=dry_run)

    with_app(work)


def _opened(waggle: App, name: str, stack: ExitStack) -> App:
    other = waggle.in_environment(name)
    if other is not waggle:
        stack.callback(other.close)
    return other


def _document(
    found: Promotable, target: str, plan: Plan, deployed: list[Deployed], *, same_context: bool
) -> dict[str, object]:
    told = {name: value for name, value in asdict(found).items() if name != "bundle"}
    return {
        "bundle": found.bundle.sha256,
        "from": told,
        "to": target,
        "same_templates_and_settings": same_context,
        "changes": plan.changes,
        "deployed": deployed,
    }


def _show(  # noqa: PLR0913 -- all that is told
    found: Promotable, target: str, plan: Plan, deployed: list[Deployed], *, same_context: bool, dry: bool
) -> None:
    console = Console()
    simulated = "never simulated green" if found.scenarios is None else f"{found.scenarios} scenarios green"
    console.print(
        f"{found.bundle.sha256[:12]}: deployed in {found.environment} on {found.deployed_at:%Y-%m-%d %H:%M} UTC by "
        f"{found.deployed_by}, {simulated}; to {target}",
        style="bold",
        highlight=False,
    )
    if not same_context:
        console.print(
            f"Message templates or journey settings here are not those that {found.environment} had: "
            "they are not promoted, see that they fit.",
            style="yellow",
            highlight=False,
        )
    show(plan.changes, deployed, dry=dry)
