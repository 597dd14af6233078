"""Tasks that keep a diary outside their process, so that what was begun is known whatever becomes of the process.

They are found by `waggle worker` as those of any other distribution are: see `worker_processes.announced`.
"""

import asyncio
import os
import time
from dataclasses import dataclass

from waggle.task import task

DIARY = "PROBE_DIARY"
"""The environment's name of the file that is written."""


@dataclass(frozen=True, slots=True)
class Probe:
    enrolment_id: str
    step: str


@dataclass(frozen=True, slots=True)
class Probed:
    probed: str


def note(*words: str) -> None:
    """Append one line; whole, since it is one short write to a file opened for appending."""
    file = os.open(os.environ[DIARY], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, (" ".join(words) + "\n").encode())
    finally:
        os.close(file)


@task("probe-quickly", timeout_s=4, concurrency=4)
async def probe_quickly(job: Probe) -> Probed:
    """Note the call and return at once."""
    note(job.enrolment_id, job.step)
    return Probed(job.step)


@task("probe-slowly", timeout_s=4, concurrency=8, side_effect=True)
async def probe_slowly(job: Probe) -> Probed:
    """Note the call and take as long as a mail server would."""
    note(job.enrolment_id, job.step)
    await asyncio.sleep(0.4)
    return Probed(job.step)


@task("probe-in-a-thread", timeout_s=4, concurrency=8, side_effect=True)
def probe_in_a_thread(job: Probe) -> Probed:
    """Note the call and block as long as a mail server would."""
    note(job.enrolment_id, job.step)
    time.sleep(0.4)
    return Probed(job.step)
