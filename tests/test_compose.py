"""docker-compose.yml against the Compose specification's schema and against what Waggle is.

The schema comes with the package check-jsonschema; no Docker is needed and none is asked.
"""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from waggle.registry import find_connectors, find_tasks
from waggle.settings import load_settings, typed_section

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
FOLDER = ROOT / "deploy" / "compose"
ONE_SHOT = {"deploy", "close-stock-users", "master-key"}


class VariableMissing(Exception):
    """A `${NAME:?...}` without a value."""


def interpolated(text: str, variables: Mapping[str, str]) -> str:
    """Fill in `${NAME}`, `${NAME:-default}` and `${NAME:?message}` as Compose does."""

    def value(match: re.Match[str]) -> str:
        if match["name"] is None:
            return "$"
        found = variables.get(match["name"], "")
        if not found and match["how"] == ":?":
            raise VariableMissing(match["name"])
        return found or (match["what"] if match["how"] == ":-" else "")

    return re.sub(r"\$\$|\$\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<what>[^}]*))?\}", value, text)


def variables(name: str) -> dict[str, str]:
    lines = (FOLDER / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if re.match(r"\w+=", line))


def services(given: Mapping[str, str] | None = None) -> dict[str, dict[str, Any]]:
    text = interpolated(FILE.read_text(), variables("dev.env") if given is None else given)
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)["services"]
    return found


def faults(file: Path) -> str:
    """Return what the schema says against *file*, nothing if it is valid."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return "" if checked.returncode == 0 else checked.stdout + checked.stderr


def test_the_file_is_valid_by_the_compose_specification() -> None:
    assert faults(FILE) == ""


def test_it_stays_valid_with_the_development_variables_filled_in(tmp_path: Path) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text(interpolated(FILE.read_text(), variables("dev.env")))

    assert faults(file) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("    image: postgres:17-bookworm", "    imgae: postgres:17-bookworm"),
        ("condition: service_healthy", "condition: healthy"),
    ],
    ids=["a misspelled key", "an unknown condition"],
)
def test_the_schema_finds_a_planted_fault(tmp_path: Path, right: str, wrong: str) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text(FILE.read_text().replace(right, wrong))

    assert file.read_text() != FILE.read_text()
    assert faults(file) != ""


def test_each_task_type_is_done_by_exactly_one_worker_service() -> None:
    done = [
        task_type
        for service in services().values()
        if service.get("command", [""])[0] == "worker"
        for task_type in service["command"][1:]
    ]

    assert sorted(done) == sorted(find_tasks())


def test_each_worker_service_says_how_many_of_it_run() -> None:
    workers = {name: each for name, each in services().items() if each.get("command", [""])[0] == "worker"}

    assert {"send-message", "issue-coupon"} < set(workers)
    assert all(worker["deploy"]["replicas"] >= 1 for worker in workers.values())


def test_what_stays_up_tells_whether_it_is_well() -> None:
    silent = {name for name, service in services().items() if "healthcheck" not in service}

    assert silent == ONE_SHOT


def test_parts_without_an_api_are_asked_for_their_health_where_they_were_told_to_answer() -> None:
    for name, service in services().items():
        part = service.get("command", [""])[0]
        if part in {"relay", "worker"}:
            port = service["environment"][f"WAGGLE_{part.upper()}__HEALTH_PORT"]

            assert f"http://127.0.0.1:{port}/readyz" in service["healthcheck"]["test"][-1], name


def test_no_container_is_killed_before_its_worker_has_drained() -> None:
    for name, service in services().items():
        if service.get("command", [""])[0] == "worker":
            grace_s = float(service["stop_grace_period"].removesuffix("s"))

            assert grace_s > float(service["environment"]["WAGGLE_WORKER__DRAIN_S"]), name


def test_a_worker_drains_for_longer_than_its_longest_task_may_take() -> None:
    tasks = find_tasks()
    for service in services().values():
        if service.get("command", [""])[0] == "worker":
            longest_s = max(tasks[task_type].timeout_s for task_type in service["command"][1:])

            assert float(service["environment"]["WAGGLE_WORKER__DRAIN_S"]) > longest_s


def test_nothing_starts_before_what_it_needs_is_ready() -> None:
    known = services()
    for name, service in known.items():
        for needed, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"

            assert needed in known, name
            assert how["condition"] == wanted, name


def test_only_loopback_is_published() -> None:
    published = [port for service in services().values() for port in service.get("ports", [])]

    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_the_mailbox_runs_in_development_only_and_the_exchange_where_it_is_asked_for() -> None:
    assert {name: each["profiles"] for name, each in services().items() if "profiles" in each} == {
        "mailbox": ["dev"],
        "exchange": ["exchange"],
    }


def test_every_secret_has_to_be_set() -> None:
    secrets = re.findall(r"^\s+(\w*PASSWORD):(.*)$", FILE.read_text(), re.MULTILINE)
    handed_on = {name for name, value in secrets if value == ""}

    assert handed_on == {"WAGGLE_SMTP__PASSWORD"}
    assert {value for name, value in secrets if name not in handed_on} == {
        " ${POSTGRES_PASSWORD:?set it in .env}",
        " ${ELASTIC_PASSWORD:?set it in .env}",
        " ${OPERATE_PASSWORD:?set it in .env}",
    }


@pytest.mark.parametrize(
    "missing", ["POSTGRES_PASSWORD", "ELASTIC_PASSWORD", "OPERATE_PASSWORD", "PUBLIC_URL", "SMTP_HOST"]
)
def test_it_does_not_start_without(missing: str) -> None:
    given = {name: value for name, value in variables("dev.env").items() if name != missing}

    with pytest.raises(VariableMissing, match=missing):
        interpolated(FILE.read_text(), given)


def test_both_variable_files_name_all_that_is_asked_for() -> None:
    asked = set(re.findall(r"\$\{(\w+)", FILE.read_text())) - {"WAGGLE_VERSION"}

    assert set(variables("example.env")) == asked
    assert set(variables("dev.env")) == asked | {"COMPOSE_PROFILES"}


def test_the_example_holds_no_password() -> None:
    assert {value for name, value in variables("example.env").items() if "PASSWORD" in name} == {""}


@pytest.mark.parametrize("file", ["dev.env", "filled in"])
def test_every_setting_given_to_waggle_is_one(file: str, tmp_path: Path) -> None:
    filled = {
        name: value or {"SMTP_SECURITY": "tls", "PUBLIC_URL": "https://go.shop.example"}.get(name, "x")
        for name, value in variables("example.env").items()
    }
    for name, service in services(variables("dev.env") if file == "dev.env" else filled).items():
        if not service["image"].startswith("waggle:"):
            continue
        given = {key: value for key, value in service["environment"].items() if value is not None}
        settings = load_settings({**given, "WAGGLE_HOME": str(tmp_path)}, here=ROOT)
        smtp: object = typed_section(find_connectors()["smtp"].settings, settings.connectors["smtp"], "smtp")

        assert not settings.embedded_engine, name
        assert smtp


def test_waggle_runs_without_rights_it_does_not_need() -> None:
    ours = {name: each for name, each in services().items() if each["image"].startswith("waggle:")}

    assert len(ours) == 13
    for service in ours.values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
    assert re.search(r"^USER waggle$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_images_of_others_are_pinned_to_a_version() -> None:
    foreign = [each["image"] for each in services().values() if not each["image"].startswith("waggle:")]

    assert [image for image in foreign if not re.search(r":\d+", image)] == []


def test_the_image_is_built_from_hashed_locks() -> None:
    installs = re.findall(r"pip install (.*?)(?: \\)?$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert [each for each in installs if "--require-hashes" not in each and "--no-index" not in each] == []


def test_every_file_that_is_mounted_exists() -> None:
    mounted = {
        volume.split(":")[0]
        for service in services().values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    }

    assert mounted == {"./bpmn", "./config", "./deploy/compose/close-stock-users.sh"}
    assert all((ROOT / path).exists() for path in mounted)
