"""Take what was deployed in one environment to another, byte for byte."""

from dataclasses import dataclass
from datetime import datetime

from waggle.errors import PermanentFailure, Rejected
from waggle.ports.journey_engine import Deployed, JourneyEngine
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.bundles import Bundle
from waggle.services.deployment import Deploying, bundle_of

_LATELY = 200


@dataclass(frozen=True, slots=True)
class Promotable:
    """What another environment runs."""

    bundle: Bundle
    environment: str
    deployed_at: datetime
    deployed_by: str
    context_sha256: str
    """Of the message templates and journey settings there at that time, which are not promoted."""
    scenarios: int | None
    """How many passed on these bytes; None: they were never simulated green."""


async def promotable(source: UnitOfWork, environment: str) -> Promotable:
    """Return what was deployed last in the *environment* whose database is *source*.

    Raises:
        Rejected: NOTHING_DEPLOYED; ROLLED_BACK, a journey there is back at the version before.
        PermanentFailure: CONTENT_DAMAGED, what is stored there is not what was deployed.
    """

    def find(tx: Transaction) -> Promotable:
        lately = tx.versions.newest(_LATELY)
        whole = next((each for each in lately if each.kind != "rollback"), None)
        if whole is None:
            raise Rejected("NOTHING_DEPLOYED", f"nothing is recorded as deployed in {environment}")
        back = [name for name, newest in tx.versions.newest_files().items() if newest.deployment.kind == "rollback"]
        if back:
            raise Rejected(
                "ROLLED_BACK",
                f"in {environment} is back at the version before: {', '.join(sorted(back))}; "
                "deploy there what shall go on, then promote that",
            )
        bundle = bundle_of(tx, whole.deployment_id)
        if bundle.sha256 != whole.bundle_sha256:
            raise PermanentFailure("CONTENT_DAMAGED", f"what is stored in {environment} is not what was deployed")
        green = tx.versions.green(bundle.sha256)
        return Promotable(
            bundle=bundle,
            environment=environment,
            deployed_at=whole.at,
            deployed_by=whole.by,
            context_sha256=whole.context_sha256,
            scenarios=None if green is None else green.scenarios,
        )

    return await source.read(find)


def refuse_unsimulated(found: Promotable) -> None:
    """Return if every scenario passed on these bytes.

    Raises:
        Rejected: NEVER_SIMULATED.
    """
    if found.scenarios is None:
        raise Rejected(
            "NEVER_SIMULATED",
            f"no green run of all scenarios is recorded in {found.environment} for these bytes: run "
            "`waggle simulate --all` there, or say --unsimulated",
        )


async def promote(
    found: Promotable, target: Deploying, engine: JourneyEngine, *, by: str, same_tag: bool = False
) -> list[Deployed]:
    """Deploy *found* by *target* and return the engine's answer; the note of its green run goes with it.

    Raises as `Deploying.deploy` does.
    """
    why = f"from {found.environment}"
    answers = await target.deploy(engine, found.bundle, by=by, why=why, kind="promotion", same_tag=same_tag)
    if found.scenarios is not None:
        await target.note_green(found.bundle.sha256, scenarios=found.scenarios)
    return answers
