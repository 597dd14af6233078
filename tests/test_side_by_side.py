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


def test_a_server_is_started_once_however_many_processes_there_are(tmp_path: Path) -> None:
    for name in ("test_one.py", "test_two.py"):
        (tmp_path / name).write_text(SUITE, encoding="utf-8")
    plugins = ("-p", "no:cacheprovider", "-p", "waggle.testing.side_by_side", "-p", "xdist.plugin")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-n", "2", "--dist", "loadgroup", "--rootdir", tmp_path, "."],
        cwd=tmp_path,
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "16 passed" in run.stdout, run.stdout + run.stderr
    assert len(list(tmp_path.glob("engine-of-*"))) == 1
