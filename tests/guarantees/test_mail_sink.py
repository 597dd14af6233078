"""The witness tells the truth: what it answered for is on the disk, and it goes wrong only when told to."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.smtp import SmtpSettings
from connectors.smtp.client import SmtpSender
from waggle.errors import OutcomeUnknown
from waggle.ports.email import Email
from waggle.testing.chaos.crash_points import CrashPoints
from waggle.testing.chaos.fault_proxy import FaultProxy
from waggle.testing.chaos.keeper import Child, Keeper
from waggle.testing.chaos.mail_sink import LOOPBACK, Fault, arrivals, sink_command
from waggle.testing.ports import own_ports

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

SENDER_PROCESS = """
import asyncio, sys
from connectors.smtp import SmtpSettings
from connectors.smtp.client import SmtpSender
from waggle.ports.email import Email

async def nothing():
    pass

async def main(port, name):
    sender = SmtpSender(SmtpSettings(host="127.0.0.1", port=int(port), security="none", hello_name=name))
    letter = Email(
        to="ada@example.com", sender="shop@example.com", subject="Your cart", text="", html="",
        message_id="<from-a-process@shop.example>", unsubscribe_url=None, list_id="shop.example",
    )
    await sender.send(letter, before_data=nothing)

sys.stdin.read()
asyncio.run(main(*sys.argv[1:]))
"""
"""Waits until its pid is noted."""


@dataclass
class Sink:
    folder: Path
    port: int
    points: CrashPoints
    keeper: Keeper

    @property
    def journal(self) -> Path:
        return self.folder / "arrivals.jsonl"

    async def send(self, message_id: str, by: SmtpSender | None = None) -> None:
        by = by or sender(self.port)
        try:
            await by.send(letter(message_id), before_data=nothing)
        finally:
            await by.close()


def sender(port: int) -> SmtpSender:
    return SmtpSender(SmtpSettings(host=LOOPBACK, port=port, security="none", hello_name="worker-1", timeout_s=30.0))


async def nothing() -> None:
    pass


def letter(message_id: str) -> Email:
    return Email(
        to="ada@example.com",
        sender="Shop <shop@example.com>",
        subject="Your cart",
        text="It waits.",
        html="<p>It waits.</p>",
        message_id=f"<{message_id}@shop.example>",
        unsubscribe_url=None,
        list_id="shop.example",
    )


@asynccontextmanager
async def sink(folder: Path) -> AsyncIterator[Sink]:
    port = int(own_ports()["WAGGLE_SMTP__PORT"])
    points = CrashPoints(folder / "points")
    points.prepare()
    command = sink_command(folder / "arrivals.jsonl", port, folder / "points", folder / "pids")
    async with Keeper([Child("mail-sink", command)], folder) as keeper:
        found = Sink(folder, port, points, keeper)
        await until_open(port)
        yield found


async def until_open(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection(LOOPBACK, port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def test_each_copy_that_arrives_is_written_down_with_the_id_of_its_row(tmp_path: Path) -> None:
    async with sink(tmp_path) as found:
        for message_id in ("row-1", "row-2", "row-1"):
            await found.send(message_id)
        arrived = arrivals(found.journal)
    assert [(each.message_id, each.to, each.hello) for each in arrived] == [
        ("row-1", "ada@example.com", "worker-1"),
        ("row-2", "ada@example.com", "worker-1"),
        ("row-1", "ada@example.com", "worker-1"),
    ]
    assert [each.arrived_at_ns for each in arrived] == sorted(each.arrived_at_ns for each in arrived)


async def test_a_witness_that_was_killed_knows_what_it_knew_and_half_a_line_counts_for_nothing(tmp_path: Path) -> None:
    async with sink(tmp_path) as found:
        await found.send("row-1")
        await found.keeper.kill("mail-sink")
        with found.journal.open("ab") as journal:
            journal.write(b'{"message_id": "torn')
        assert [each.message_id for each in arrivals(found.journal)] == ["row-1"]
        while not found.keeper.deaths:  # noqa: ASYNC110 -- no event tells of it
            await asyncio.sleep(0.02)
        await until_open(found.port)
        await found.send("row-2")
        assert [each.message_id for each in arrivals(found.journal)] == ["row-1", "row-2"]


async def test_a_mail_whose_answer_is_dropped_has_arrived(tmp_path: Path) -> None:
    async with sink(tmp_path) as found:
        found.points.arm(Fault.DROP_ANSWER)
        with pytest.raises(OutcomeUnknown):
            await found.send("row-1")
        await found.send("row-2")
        assert [each.message_id for each in arrivals(found.journal)] == ["row-1", "row-2"]
        assert found.points.armed() == set()


async def test_a_mail_whose_answer_is_lost_on_the_way_has_arrived(tmp_path: Path) -> None:
    async with sink(tmp_path) as found, FaultProxy(LOOPBACK, found.port) as proxy:
        proxy.drop_reply(after=b"\r\n.\r\n")
        with pytest.raises(OutcomeUnknown):
            await found.send("row-1", sender(proxy.port))
        assert proxy.replies_dropped == 1
        assert [each.message_id for each in arrivals(found.journal)] == ["row-1"]


async def test_a_mail_that_is_cut_off_in_the_middle_is_in_doubt_for_its_sender_and_no_arrival(tmp_path: Path) -> None:
    async with sink(tmp_path) as found, FaultProxy(LOOPBACK, found.port) as proxy:
        proxy.cut_after(300, "up")
        with pytest.raises(OutcomeUnknown):
            await found.send("row-1", sender(proxy.port))
        assert arrivals(found.journal) == []


async def test_a_mail_whose_answer_is_held_has_arrived(tmp_path: Path) -> None:
    async with sink(tmp_path) as found:
        found.points.arm(Fault.HOLD_ANSWER)
        impatient = SmtpSender(SmtpSettings(host=LOOPBACK, port=found.port, security="none", timeout_s=3.0))
        with pytest.raises(OutcomeUnknown):
            await found.send("row-1", impatient)
        await found.send("row-2")
        assert [each.message_id for each in arrivals(found.journal)] == ["row-1", "row-2"]


@pytest.mark.parametrize(
    ("fault", "arrived"), [(Fault.KILL_BEFORE_DATA, []), (Fault.KILL_BEFORE_ANSWER, ["from-a-process"])]
)
async def test_the_process_on_the_other_end_is_killed_where_it_was_told(
    tmp_path: Path, fault: Fault, arrived: list[str]
) -> None:
    async with sink(tmp_path) as found:
        found.points.arm(fault)
        killed = await start_sender(found, "worker-1")
        assert await killed.wait() == -signal.SIGKILL
        assert [each.message_id for each in arrivals(found.journal)] == arrived


async def test_a_process_that_is_not_ours_is_never_killed(tmp_path: Path) -> None:
    async with sink(tmp_path) as found:
        found.points.arm(Fault.KILL_BEFORE_ANSWER)
        await found.send("by-a-stranger")
        found.points.arm(Fault.KILL_BEFORE_ANSWER)
        # The name of a part, with the pid of somebody else: here of the test itself, whose parent is another.
        (tmp_path / "pids" / "worker-1").write_text(str(os.getpid()))
        await found.send("by-an-impostor")
        assert [each.message_id for each in arrivals(found.journal)] == ["by-a-stranger", "by-an-impostor"]


async def start_sender(found: Sink, name: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SENDER_PROCESS, str(found.port), name, stdin=asyncio.subprocess.PIPE
    )
    (found.folder / "pids" / name).write_text(str(process.pid))
    assert process.stdin is not None
    process.stdin.close()
    return process
