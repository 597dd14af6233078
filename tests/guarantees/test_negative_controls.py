"""The proof is worth something: each guard of Waggle, left out, makes the checker see the harm."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from waggle.testing.chaos.careless import CARELESS
from waggle.testing.chaos.checker import Budget, Kind
from waggle.testing.chaos.driver import load, settle
from waggle.testing.chaos.rig import Setup, rigged
from waggle.testing.chaos.strikes import fire

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.guarantee, pytest.mark.timeout(400)]

HARM: Mapping[str, Kind] = {
    "forgets_hand_over": "doubled",
    "ignores_message_row": "doubled",
    "acknowledges_before_commit": "lost",
    "marks_applied_first": "lost",
    "counts_budget_outside": "overspent",
    "completes_first": "lost",
}
AMPLE = {name: Budget(count=1000, cost_minor=1_000_000) for name in ("cart-5", "cart-10", "cart-15")}
TIGHT = {name: Budget(count=1, cost_minor=1000) for name in ("cart-5", "cart-10", "cart-15")}


def test_every_careless_variant_has_its_harm() -> None:
    assert HARM.keys() == CARELESS.keys() - {""}


@pytest.mark.parametrize(("careless", "harm"), HARM.items())
async def test_without_a_guard_the_checker_sees_the_harm(careless: str, harm: Kind, tmp_path: Path) -> None:
    point = CARELESS[careless].shown_at
    setup = Setup(
        folder=tmp_path,
        database="sqlite",
        budgets=TIGHT if point is None else AMPLE,
        careless=careless,
        quick=True,
    )
    async with rigged(setup) as rig:
        async with load(rig, seed=1, carts_per_s=8, at_most=16, behaviour="leaves"):
            if point is not None:
                assert not await fire(rig, [point], within_s=90)
        verdict, _ = await settle(rig, within_s=30)
    assert harm in {finding.kind for finding in verdict.findings}, [str(finding) for finding in verdict.findings]
