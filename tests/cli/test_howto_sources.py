"""What docs/howto-sources.md says can be pasted into a terminal, and does what is written there."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.place import ROOT, Place, started, until
from waggle.testing.ports import ports_for_good

pytestmark = [pytest.mark.anyio, pytest.mark.engine, pytest.mark.timeout(900)]

HOWTO = ROOT / "docs/howto-sources.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DRAWN = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|:\d+/")
"""Ids of enrolments, and ports, which are others in a test."""


@dataclass
class Step:
    """Commands, and what they are said to print."""

    commands: str
    printed: str = ""


def steps() -> Iterator[Step]:
    """Yield what is to be pasted up to the real shop."""
    text = HOWTO.read_text(encoding="utf-8")
    step: Step | None = None
    for language, content in FENCE.findall(text[: text.index("**7. The real shop.**")]):
        if language == "sh":
            if step is not None:
                yield step
            step = Step(content)
        elif step is not None:
            step.printed = content
    assert step is not None
    yield step


class Terminal:
    """A shell in which the commands are pasted one after the other."""

    def __init__(self, shell: asyncio.subprocess.Process) -> None:
        self._shell = shell

    async def paste(self, commands: str) -> str:
        """Return what was printed."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{commands}\necho end-of-$((1 + 1))-commands\n".encode())
        await self._shell.stdin.drain()
        async with asyncio.timeout(300):
            printed = await self._shell.stdout.readuntil(b"end-of-2-commands\n")
        return printed.decode().removesuffix("end-of-2-commands\n")


def is_in(printed: str, expected: str) -> bool:
    """Say whether every line of *expected* was printed, whatever was drawn by lot."""
    lines = {DRAWN.sub("*", line.rstrip()) for line in printed.splitlines()}
    return {DRAWN.sub("*", line.rstrip()) for line in expected.splitlines()} <= lines


async def test_the_way_from_a_shopify_payload_to_a_journey_can_be_pasted(tmp_path: Path) -> None:
    place = Place(tmp_path / "my-shop/state", *ports_for_good(4))
    # What the reader exports is exported here; what is set besides keeps the test apart from others on this machine.
    besides = {name: value for name, value in place.environment.items() if "PORT" in name}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("WAGGLE_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = inherited | besides | {"PATH": path, "COLUMNS": "120"}
    shell = await asyncio.create_subprocess_exec(
        "bash", cwd=tmp_path, env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, limit=1 << 20,
    )  # fmt: skip
    terminal = Terminal(shell)
    first, second, *others = steps()
    try:
        await terminal.paste(first.commands)
        assert second.commands.strip() == "waggle up"
        folder = tmp_path / "my-shop"
        unset = {name: "" for name in place.environment if "PORT" not in name}
        here = unset | {"WAGGLE_CONFIG": str(folder / "waggle.toml"), "WAGGLE_HOME": str(folder / "state")}
        async with started(place, "up", **here) as waggle:
            await waggle.says("Ctrl-C ends everything", within_s=300)
            assert others
            for step in others:
                printed = await terminal.paste(step.commands)
                # What was sent is known a moment later; whoever reads on takes longer.
                for _ in range(60):
                    if is_in(printed, step.printed) or "send" in step.commands.splitlines()[-1]:
                        break
                    await asyncio.sleep(0.5)
                    printed = await terminal.paste(step.commands.splitlines()[-1])
                assert is_in(printed, step.printed), f"{step.commands}\nprinted:\n{printed}\n{waggle.said}"
    finally:
        shell.terminate()
        await shell.wait()
        place.clear()
    await until(lambda: not place.processes())
