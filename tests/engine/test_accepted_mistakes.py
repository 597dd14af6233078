"""Mistakes that the engine deploys without a word, so that only a check can tell of them: five, tried on a real one."""

from pathlib import Path

import pytest

from tests.services.planting import CART, SAMPLE, TABLE, Change, found_in, lay_out
from waggle.engine.channel import GatewayAddress, connect
from waggle.engine.client import ZeebeClient
from waggle.engine.local import RunningEngine
from waggle.errors import PermanentFailure
from waggle.testing.engine import once_it_can

pytestmark = [pytest.mark.anyio, pytest.mark.engine]


@pytest.mark.parametrize(
    ("file", "change", "rule"),
    [
        pytest.param(
            CART, Change('type="send-message"', 'type="sned-message"'), "task-types-have-workers", id="a task type"
        ),
        pytest.param(CART, Change('retries="5"', 'retries="five"'), "retries-are-explicit", id="retries"),
        pytest.param(
            CART, Change('decisionId="cart-offer"', 'decisionId="cart-ofer"'), "decisions-exist", id="a decision"
        ),
        pytest.param(
            TABLE, Change('hitPolicy="FIRST"', 'hitPolicy="PRIORITY"'), "hit-policies-are-what-they-say", id="a policy"
        ),
        pytest.param(
            SAMPLE,
            Change('processId="send-when-allowed"', 'processId="send-allowed"'),
            "called-pieces-exist",
            id="a called piece",
        ),
    ],
)
async def test_the_engine_deploys_what_the_check_refuses(
    engine: RunningEngine, tmp_path: Path, file: str, change: Change, rule: str
) -> None:
    shop = lay_out(tmp_path / "shop")
    (shop / file).write_text(change.made_in((shop / file).read_text(encoding="utf-8")), encoding="utf-8")

    async with connect(GatewayAddress(engine.grpc_address)) as channel:
        client = ZeebeClient(channel, frozenset())
        assert await once_it_can(lambda: client.deploy([shop / file]))

    assert rule in {finding.rule for finding in found_in(shop)}


async def test_the_engine_refuses_a_formula_that_the_check_refuses(engine: RunningEngine, tmp_path: Path) -> None:
    shop = lay_out(tmp_path / "shop")
    planted = Change("=eligible = true", "=eligible == true").made_in((shop / CART).read_text(encoding="utf-8"))
    (shop / CART).write_text(planted, encoding="utf-8")

    async with connect(GatewayAddress(engine.grpc_address)) as channel:
        client = ZeebeClient(channel, frozenset())
        with pytest.raises(PermanentFailure, match="DIAGRAM_REFUSED"):
            await once_it_can(lambda: client.deploy([shop / CART]))

    assert "formulas-can-be-read" in {finding.rule for finding in found_in(shop)}
