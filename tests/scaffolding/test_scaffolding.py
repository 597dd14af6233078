"""What `waggle new` writes is whole: it passes lint, types, the check and its own test, and nothing is written over."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from waggle.element_templates import read_project
from waggle.errors import BadSettings
from waggle.registry import find_tasks
from waggle.resources import shipped
from waggle.scaffolding import Scaffold, new_connector, new_journey, new_task
from waggle.scaffolding.journey import with_block
from waggle.services.catalogue import load_catalogue
from waggle.services.diagram_checks import check_diagrams
from waggle.services.rendering import MessageTemplates

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    shutil.copytree(shipped("bpmn"), tmp_path / "bpmn")
    shutil.copytree(shipped("config"), tmp_path / "config")
    return tmp_path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what a task or connector of a checkout stands among."""
    for package in ("workers", "connectors"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "waggle").symlink_to(ROOT / "waggle")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/conftest.py").write_text(
        "import pytest\n\n\n@pytest.fixture\ndef anyio_backend() -> str:\n    return 'asyncio'\n"
    )
    return tmp_path


def journey(shop: Path, name: str, event_type: str) -> Scaffold:
    scaffold = new_journey(name, event_type, shop / "bpmn", shop / "config")
    scaffold.carry_out()
    return scaffold


@pytest.mark.parametrize("event_type", ["order-placed", "customer-identified", "product-viewed", "checkout-started"])
def test_a_new_journey_passes_the_check(shop: Path, event_type: str) -> None:
    before = {str(finding) for finding in check_diagrams(shop / "bpmn", shop / "config", find_tasks())}

    journey(shop, "spring-greeting", event_type)

    after = {str(finding) for finding in check_diagrams(shop / "bpmn", shop / "config", find_tasks())}
    assert [finding for finding in sorted(after - before) if "spring-greeting" in finding.partition("mend:")[0]] == []


def test_its_message_can_be_sent_and_its_start_is_offered_to_modeler(shop: Path) -> None:
    journey(shop, "spring-greeting", "order-placed")

    assert MessageTemplates.load(shop / "config/messages").declaration("spring-greeting").purpose == "marketing"
    project = read_project(shop / "bpmn", shop / "config")
    assert "spring-greeting" in [message.name for message in project.messages]
    assert project.catalogue.messages["spring-greeting-begun"].starts[0].business_key == ["order_id"]


def test_it_has_a_scenario_for_every_path(shop: Path) -> None:
    journey(shop, "spring-greeting", "order-placed")

    written = sorted(file.name for file in (shop / "bpmn/scenarios/spring-greeting").iterdir())
    assert written == ["erased.toml", "gaps.toml", "not-eligible.toml", "sent.toml", "withdrawn.toml"]


def test_it_is_switched_off_until_somebody_switches_it_on(shop: Path) -> None:
    journey(shop, "spring-greeting", "order-placed")

    assert "\nenabled = false\n" in (shop / "config/journeys/spring-greeting.toml").read_text()


def test_nothing_that_is_there_is_written_over(shop: Path) -> None:
    journey(shop, "spring-greeting", "order-placed")
    catalogue = (shop / "bpmn/engine-messages.toml").read_text()

    with pytest.raises(BadSettings, match="EXISTS_ALREADY"):
        journey(shop, "spring-greeting", "order-placed")

    assert (shop / "bpmn/engine-messages.toml").read_text() == catalogue


def test_the_catalogue_keeps_all_that_it_says(shop: Path) -> None:
    before = load_catalogue(shop / "bpmn")
    comments = [line for line in (shop / "bpmn/engine-messages.toml").read_text().splitlines() if line.startswith("#")]

    journey(shop, "spring-greeting", "order-placed")

    after = load_catalogue(shop / "bpmn")
    assert set(after.messages) - set(before.messages) == {"spring-greeting-begun"}
    for name, message in before.messages.items():
        assert [each for each in after.messages[name].ends if each.journey != "spring-greeting"] == message.ends
    now = (shop / "bpmn/engine-messages.toml").read_text().splitlines()
    assert [line for line in now if line.startswith("#")] == comments


def test_a_block_stands_behind_its_message_and_before_the_comment_of_the_next() -> None:
    text = "[a]\nx = 1\n\n[[a.ends]]\ny = 1\n\n# About b.\n[b]\n"

    assert with_block(text, "a", "[[a.ends]]\ny = 2\n") == (
        "[a]\nx = 1\n\n[[a.ends]]\ny = 1\n\n[[a.ends]]\ny = 2\n\n# About b.\n[b]\n"
    )


@pytest.mark.parametrize(
    ("name", "event_type", "code"),
    [
        ("Spring Greeting", "order-placed", "NAME_WRONG"),
        ("spring-greeting", "spring-came", "EVENT_UNKNOWN"),
        ("spring-greeting", "campaign-requested", "EVENT_UNKNOWN"),
        ("spring-greeting", "stock-changed", "EVENT_WITHOUT_CUSTOMER"),
    ],
)
def test_what_cannot_become_a_journey_is_refused(shop: Path, name: str, event_type: str, code: str) -> None:
    with pytest.raises(BadSettings, match=code):
        journey(shop, name, event_type)


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("grant-points", ("GrantPoints", "PointsGranted")),
        ("send-gift", ("SendGift", "GiftSent")),
    ],
)
def test_a_task_is_named_by_what_it_does_and_has_done(checkout: Path, name: str, types: tuple[str, str]) -> None:
    new_task(name, checkout).carry_out()

    text = (checkout / f"workers/{name.replace('-', '_')}.py").read_text()
    assert all(f"class {each}:" in text for each in types)


@pytest.mark.guarantee
@pytest.mark.timeout(900)  # the types of all that it imports are read anew
@pytest.mark.parametrize("what", ["task", "connector"])
def test_new_code_passes_lint_types_and_its_own_test(checkout: Path, what: str) -> None:
    scaffold = new_task("grant-points", checkout) if what == "task" else new_connector("carrier-pigeon", checkout)
    scaffold.carry_out()
    files = [str(file) for file in scaffold.new if file.suffix == ".py"]
    tests = [file for file in files if "/tests/" in file]
    paths = {"PYTHONPATH": str(checkout), "PATH": str(Path(sys.executable).parent)}

    for command in (
        ["ruff", "check", "--no-cache", *files],
        ["ruff", "format", "--no-cache", "--check", *files],
        ["mypy", "--cache-dir", str(checkout / "types"), *files],
        ["pytest", "-q", "-p", "no:cacheprovider", *tests],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=checkout, env=paths, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


def test_code_is_written_into_a_checkout_alone(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="NO_CHECKOUT"):
        new_task("grant-points", tmp_path)
    with pytest.raises(BadSettings, match="NO_CHECKOUT"):
        new_connector("pigeon", tmp_path)
