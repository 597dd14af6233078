"""Whatever is killed at whatever moment: nothing is lost, nothing comes twice, and what is in doubt is listed.

A short run; `make chaos` is the long one, on both databases.
"""

from pathlib import Path

import pytest

from waggle.testing.chaos.driver import Wanted, run
from waggle.testing.chaos.strikes import Silence

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.engine,
    pytest.mark.guarantee,
    pytest.mark.postgres,
    pytest.mark.timeout(400),
]


async def test_no_kill_at_any_moment_loses_or_doubles_anything(tmp_path: Path) -> None:
    wanted = Wanted(
        folder=tmp_path, database="postgresql", seed=11, kills=10, broker_kills=1, with_points=False, commit=""
    )
    report = await run(wanted, Silence())
    assert not report.found, str(wanted.plan())
    assert report.broker_kills == 1
    assert report.database_kills > 0
    assert report.acted == report.accepted > report.carts > 20
    assert report.mails > 10
    assert report.in_doubt == report.in_doubt_listed <= 11
