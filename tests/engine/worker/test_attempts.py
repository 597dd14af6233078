import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from tests.engine.worker.notes import Note, Noted
from waggle.engine.worker.attempts import MOST_ATTEMPTS, Attempts, attempt_key
from waggle.errors import BadSettings
from waggle.task import task
from waggle.testing.bench import Diary, working
from waggle.testing.gateway import FakeGateway

pytestmark = pytest.mark.anyio

KEY = attempt_key("note", "enr-1", "Task_Fake")

BEGIN_AND_WAIT = """
import sys, time
from pathlib import Path
from waggle.engine.worker.attempts import Attempts
attempts = Attempts(Path(sys.argv[1]))
attempts.open()
for key in sys.argv[2:]:
    attempts.begin(key)
print("begun", flush=True)
time.sleep(60)
"""


@task("note", timeout_s=5)
async def note(given: Note, diary: Diary) -> Noted:
    await diary.visit(given)
    return Noted(is_noted=True)


def opened(folder: Path) -> Attempts:
    attempts = Attempts(folder)
    attempts.open()
    return attempts


def lost_by_dying(folder: Path, *keys: str) -> None:
    """Let a process die with *keys* at hand."""
    command = [sys.executable, "-c", BEGIN_AND_WAIT, str(folder), *keys]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert any(line == b"begun\n" for line in process.stdout)
        process.send_signal(signal.SIGKILL)


def test_what_was_at_hand_when_its_process_was_killed_counts_for_those_after(tmp_path: Path) -> None:
    for _ in range(2):
        lost_by_dying(tmp_path, KEY, KEY, attempt_key("note", "enr-2", "Task_Fake"))

    attempts = opened(tmp_path)

    assert attempts.lost(KEY) == 2
    assert [path.name for path in tmp_path.glob("at-hand-*") if f"-{os.getpid()}-" not in path.name] == []


def test_what_a_living_process_has_at_hand_does_not_count(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.begin(KEY)

    assert opened(tmp_path).lost(KEY) == 0


def test_processes_of_one_host_count_together(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)

    first.lose(KEY)
    second.lose(KEY)
    assert (first.lost(KEY), second.lost(KEY)) == (2, 2)

    second.forget(KEY)
    assert (first.lost(KEY), opened(tmp_path).lost(KEY)) == (0, 0)


def test_an_attempt_is_lost_unless_an_outcome_was_told() -> None:
    attempts = Attempts(None)
    with attempts.of(KEY):
        pass
    assert attempts.lost(KEY) == 1

    with attempts.of(KEY) as attempt:
        attempt.told()
    assert attempts.lost(KEY) == 0


def test_a_torn_record_costs_itself_and_no_other(tmp_path: Path) -> None:
    first = opened(tmp_path)
    first.lose(KEY)
    with (tmp_path / "lost").open("ab") as file:
        file.write(b"+0123")
    (tmp_path / "at-hand-1-dead").write_bytes(b"half a lin")

    second = opened(tmp_path)
    second.lose(KEY)

    assert (first.lost(KEY), second.lost(KEY), opened(tmp_path).lost(KEY)) == (2, 2, 2)


def test_lines_of_what_ended_are_used_again(tmp_path: Path) -> None:
    attempts = opened(tmp_path)
    for number in range(1000):
        with attempts.of(attempt_key("note", f"enr-{number}", "Task_Fake")) as attempt:
            attempt.told()

    [file] = tmp_path.glob("at-hand-*")
    assert file.stat().st_size < 100


def test_the_file_of_the_lost_stays_small(tmp_path: Path) -> None:
    key = attempt_key("note", "enr-2", "Task_Fake")
    first = opened(tmp_path)
    (tmp_path / "lost").write_text("".join(f"+{number:032x}\n" for number in range(40_000)) + f"+{KEY}\n" * 3)

    second = opened(tmp_path)
    first.lose(key)

    assert (tmp_path / "lost").stat().st_size < 100_000
    assert (first.lost(KEY), second.lost(KEY), second.lost(key)) == (3, 3, 1)


def test_a_process_that_ends_in_peace_leaves_nothing(tmp_path: Path) -> None:
    attempts = opened(tmp_path)
    attempts.begin(KEY)

    attempts.close()

    assert list(tmp_path.glob("at-hand-*")) == []


def test_a_folder_that_cannot_be_written_is_found_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(BadSettings, match="ATTEMPTS_DIR_UNUSABLE"):
        opened(tmp_path / "file")


async def test_a_job_that_was_the_death_of_its_workers_becomes_an_incident(
    gateway: FakeGateway, open_diary: Diary, tmp_path: Path
) -> None:
    attempts = opened(tmp_path)
    for _ in range(MOST_ATTEMPTS):
        attempts.lose(KEY)
    deadly = await gateway.add_job("note")
    harmless = await gateway.add_job("note")

    async with working(gateway, note, services={Diary: open_diary}, attempts_dir=tmp_path) as work:
        await gateway.until(lambda: deadly.state == "incident" and harmless.state == "completed")

    assert deadly.text == "ATTEMPTS_USED_UP note enr-1 died or lost its lease 10 times"
    assert open_diary.entries == [Note("enr-2")]
    assert work.counters.used_up == 1
    # Whoever mends the cause and resolves the incident gets as many tries again.
    assert attempts.lost(KEY) == 0


async def test_a_lost_lease_counts_and_an_outcome_makes_it_forgotten(
    gateway: FakeGateway, diary: Diary, tmp_path: Path
) -> None:
    attempts = opened(tmp_path)
    job = await gateway.add_job("note")
    gateway.refuse("UpdateJobTimeout", grpc.StatusCode.FAILED_PRECONDITION, times=2)

    async with working(gateway, note, services={Diary: diary}, attempts_dir=tmp_path, queue_wait_s=0.1) as work:
        await gateway.until(lambda: work.counters.lease_lost == 1)
        assert attempts.lost(KEY) == 1
        diary.gate.set()
        await gateway.expire_leases()
        await gateway.until(lambda: job.state == "completed")

    assert attempts.lost(KEY) == 0
