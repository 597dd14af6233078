"""Every command that the documentation shows can be typed as it stands there."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import CycloptsError

from tests.cli.place import ROOT
from waggle.cli import commands

PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/howto-*.md"))]
BLOCK = re.compile(r"^```(?:sh|bash)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAM = re.compile(r"^(?:\w+=\S+ )*(?:\.venv/bin/)?waggle (.*)$")


def shown(page: Path) -> Iterator[str]:
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            if found := PROGRAM.match(line.strip()):
                yield found[1]


EVERY = list(dict.fromkeys((page.name, line.partition("  #")[0].strip()) for page in PAGES for line in shown(page)))


def fault(line: str) -> str | None:
    """Return what is wrong with a command; it is taken apart and not run."""
    words = shlex.split(line, comments=True)
    for end in ("|", ">", "&&", "&", "<"):
        words = words[: words.index(end)] if end in words else words
    try:
        commands.parse_args(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return str(error)
    return None


@pytest.mark.parametrize(("page", "line"), EVERY, ids=[f"{page}: {line}" for page, line in EVERY])
def test_a_command_that_is_shown_can_be_typed(page: str, line: str) -> None:
    assert fault(line) is None, page


def test_a_command_with_a_needed_word_left_out_is_noticed() -> None:
    assert len(EVERY) > 30
    assert fault("new journey thank-you") is not None
