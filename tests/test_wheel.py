"""The wheel, installed in an environment of its own and run from `/`: nothing of the checkout helps it."""

import json
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from waggle.testing.ports import own_ports

ROOT = Path(__file__).parents[1]

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder), where=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that holds what runs Waggle, and Waggle."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    quiet = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(python, *quiet, "--require-hashes", "--requirement", str(ROOT / "requirements" / "run.lock"))
    _run(python, *quiet, "--no-deps", "--no-index", str(wheel))
    return folder / "bin"


def test_the_wheel_holds_the_product_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    shipped = {name.removeprefix("waggle/_shipped/") for name in names if name.startswith("waggle/_shipped/")}
    data = {
        str(path.relative_to(ROOT))
        for folder in ("bpmn", "config")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }

    assert {top for top in tops if not top.endswith(".dist-info")} == {"waggle", "workers", "connectors"}
    assert shipped == data
    assert "waggle/engine/local/artefacts.toml" in names
    assert any(name.startswith("waggle/storage/migrations/versions/") for name in names)
    assert [name for name in names if "__pycache__" in name] == []


def test_its_needs_fit_together(installed: Path) -> None:
    assert "No broken requirements" in _run(str(installed / "python"), "-m", "pip", "check")


def test_the_demo_runs_from_the_root_folder_and_the_oracle_agrees(installed: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    settings = {**own_ports(), "WAGGLE_HOME": str(tmp_path / "home"), "WAGGLE_ENGINE__OPERATE": "false"}
    arguments = ("demo", "--shoppers", "20", "--exit", "--report", str(report))
    _run(str(installed / "waggle"), *arguments, settings=settings)

    numbers = json.loads(report.read_text("utf-8"))
    assert numbers["sent"] > 0
    assert (numbers["differences"], numbers["duplicates"], numbers["incidents"]) == (0, 0, 0)
    assert numbers["abandonment_to_send_s"]["max"] <= 30 * 60


def test_the_command_answers_from_the_root_folder(installed: Path) -> None:
    assert "waggle" in _run(str(installed / "waggle"), "--help").lower()


def test_diagrams_settings_tasks_and_connectors_are_found_without_the_checkout(installed: Path) -> None:
    script = (
        "from waggle.registry import find_connectors, find_tasks, load\n"
        "from waggle.resources import shipped\n"
        "[load(where) for each in find_connectors().values() for where in each.provides.values()]\n"
        "print(*find_tasks(), *find_connectors())\n"
        "print(*sorted(path.name for path in shipped('bpmn').rglob('*.bpmn')))\n"
        "print(shipped('config') / 'waggle.toml')\n"
    )

    found, diagrams, settings = _run(str(installed / "python"), "-c", script).splitlines()

    assert {"send-message", "smtp"} <= set(found.split())
    assert "abandoned-cart.bpmn" in diagrams.split()
    assert Path(settings).is_relative_to(installed.parent)


def _run(*command: str, where: Path = Path("/"), settings: Mapping[str, str] | None = None) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("WAGGLE_", "PYTHON"))}
    environment = {**clean, **(settings or {})}
    done = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, timeout=800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
