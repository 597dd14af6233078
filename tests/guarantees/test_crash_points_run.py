"""A mail whose answer is lost, by a cut or by a death, is in doubt, listed, and never sent again."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from waggle.testing.chaos.checker import Budget
from waggle.testing.chaos.driver import load, settle
from waggle.testing.chaos.mail_sink import Fault
from waggle.testing.chaos.plan import SMTP
from waggle.testing.chaos.rig import Setup, rigged
from waggle.testing.chaos.strikes import fire

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.guarantee, pytest.mark.timeout(600)]

AMPLE = {name: Budget(count=1000, cost_minor=1_000_000) for name in ("cart-5", "cart-10", "cart-15")}


async def test_a_mail_whose_answer_is_lost_is_in_doubt_and_never_comes_twice(tmp_path: Path) -> None:
    async with rigged(Setup(folder=tmp_path, database="sqlite", budgets=AMPLE, quick=True)) as rig:
        async with load(rig, seed=2, carts_per_s=1, at_most=14, behaviour="leaves"):
            # Each of these mails has arrived; two of them cost a worker its life.
            for loss in (Fault.DROP_ANSWER, Fault.KILL_BEFORE_ANSWER, "worker.EmailSender.answered"):
                assert not await fire(rig, [loss], within_s=90)
            rig.proxies[SMTP].drop_reply(after=b"\r\n.\r\n")
            # This one has arrived too, and its answer is lost on the way.
            await _until(lambda: rig.proxies[SMTP].replies_dropped == 1)
        verdict, evidence = await settle(rig, within_s=90)
    assert not verdict.findings
    assert rig.proxies[SMTP].replies_dropped == 1
    assert verdict.in_doubt == verdict.in_doubt_listed >= 4
    assert set(Counter(evidence.arrived).values()) == {1}


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while not condition():  # noqa: ASYNC110 -- no event tells of it
            await asyncio.sleep(0.1)
