"""A campaign whose worker is killed, wherever that is, goes on: nobody gets a second mail, nobody is left out."""

import asyncio
import multiprocessing
import shutil
import signal
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.guarantees.campaign_process import send
from waggle.storage.store import open_store
from waggle.testing import facts
from waggle.testing.campaigns import LOOK_EVERY, stage
from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.clock import A_SUNDAY_NOON, HandClock
from waggle.testing.email import RecordingSender
from waggle.testing.journey_engine import RememberingEngine

pytestmark = pytest.mark.guarantee

PERSONS = 6
LATER = timedelta(minutes=10)
"""Longer than a lease and a reservation."""
MOST_RUNS = 4


async def prepared(url: str) -> str:
    """Make a campaign to six persons and return its enrolment."""
    store, clock = open_store(url), HandClock()
    shop = facts.shop(store, clock, RememberingEngine())
    for number in range(PERSONS):
        await shop.customer(f"c-{number}")
    enrolment_id = await stage(store, clock, RecordingSender()).begin(shop)
    store.close()
    return enrolment_id


async def standing(folder: Path, now: datetime, enrolment_id: str) -> tuple[bool, dict[str, str]]:
    """Return whether the campaign is over, and what became of each recipient."""
    store = open_store(f"sqlite:///{folder / 'waggle.db'}")
    played = stage(store, HandClock(now), RecordingSender())
    found = (await played.running.look(enrolment_id, LOOK_EVERY)).all_served, await played.states(enrolment_id)
    store.close()
    return found


@pytest.fixture(scope="module")
def process() -> multiprocessing.context.ForkServerContext:
    """Processes that begin with everything loaded, and share nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.guarantees.campaign_process"])
    return context


@pytest.mark.timeout(900)
def test_a_kill_at_any_point_makes_no_second_mail_and_leaves_nobody_out(
    sqlite_url: str, tmp_path: Path, process: multiprocessing.context.ForkServerContext
) -> None:
    enrolment_id = asyncio.run(prepared(sqlite_url))
    model = tmp_path / "model"
    model.mkdir()
    for made in (tmp_path / "waggle.db", tmp_path / "keys"):
        shutil.move(made, model / made.name)

    def run(folder: Path, runs: int) -> int | None:
        worker = process.Process(target=send, args=(folder, A_SUNDAY_NOON + runs * LATER, enrolment_id))
        worker.start()
        worker.join()
        return worker.exitcode

    def fresh(name: str) -> tuple[Path, CrashPoints]:
        folder = tmp_path / name
        shutil.copytree(model, folder)
        (folder / "box").touch()
        points = CrashPoints(folder / "points")
        points.prepare()
        return folder, points

    folder, points = fresh("unhurt")
    assert run(folder, 0) == 0
    seen = points.seen()
    assert len(seen) > 15
    for number, point in enumerate(seen):
        folder, points = fresh(f"{number}")
        points.arm(point)
        assert run(folder, 0) == -signal.SIGKILL, point
        runs, over = 1, False
        while not over:
            assert runs < MOST_RUNS, point
            assert run(folder, runs) == 0, point
            over, states = asyncio.run(standing(folder, A_SUNDAY_NOON + runs * LATER, enrolment_id))
            runs += 1
        mails = Counter((folder / "box").read_text().split())
        assert max(mails.values(), default=0) <= 1, point
        assert len(states) == PERSONS, point
        for customer_id, state in states.items():
            got = mails[f"{customer_id}@example.com"]
            # Killed between handing over and hearing the answer it is in doubt, listed, and never sent again.
            assert (state, got) in {("sent", 1), ("in_doubt: answer_lost", 0), ("in_doubt: answer_lost", 1)}, point
