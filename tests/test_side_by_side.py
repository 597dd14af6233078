"""Tests that run side by side share what takes long to make."""

import subprocess
import sys
from pathlib import Path

SUITE = """
import os
from pathlib import Path

import pytest

@pytest.fixture(scope="session")
def records():
    Path(f"engine-of-{os.getpid()}").touch()

@pytest.mark.parametrize("number", range(4))
def test_on_the_engine(records, number): ...

@pytest.mark.parametrize("number", range(4))
def test_alone(number): ...
"""


TIMES = """
import time
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(12))
def test_with_others(number):
    began = time.monotonic()
    time.sleep(0.05)
    Path(f"other-{number}").write_text(f"{began} {time.monotonic()}")

@pytest.mark.alone
@pytest.mark.parametrize("number", range(2))
def test_by_itself(number):
    began = time.monotonic()
    time.sleep(0.3)
    Path(f"alone-{number}").write_text(f"{began} {time.monotonic()}")
"""


def side_by_side(folder: Path) -> str:
    """Run what is in *folder* in two processes and return what pytest said."""
    plugins = (
        "-p",
        "waggle.testing.side_by_side",
        "-p",
        "xdist.plugin",
        "-W",
        "ignore::pytest.PytestUnknownMarkWarning",
    )
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-n", "2", "--dist", "loadgroup", "--rootdir", folder, "."],
        cwd=folder,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.stdout + run.stderr


def test_a_server_is_started_once_however_many_processes_there_are(tmp_path: Path) -> None:
    for name in ("test_one.py", "test_two.py"):
        (tmp_path / name).write_text(SUITE, encoding="utf-8")

    said = side_by_side(tmp_path)

    assert "16 passed" in said, said
    assert len(list(tmp_path.glob("engine-of-*"))) == 1


def test_what_is_to_run_alone_does(tmp_path: Path) -> None:
    (tmp_path / "test_times.py").write_text(TIMES, encoding="utf-8")

    said = side_by_side(tmp_path)

    assert "14 passed" in said, said
    others, alone = (
        [[float(moment) for moment in file.read_text().split()] for file in tmp_path.glob(f"{kind}-*")]
        for kind in ("other", "alone")
    )
    assert [
        (one, other)
        for one in alone
        for other in (*others, *alone)
        if one is not other and one[0] < other[1] and other[0] < one[1]
    ] == []
    assert any(a[0] < b[1] and b[0] < a[1] for a in others for b in others if a is not b), "nothing ran side by side"
