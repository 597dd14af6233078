"""The ready-made steps: what Modeler offers is what workers, pieces, decisions and the catalogue say."""

import json
import subprocess
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonschema import Draft7Validator

from tests.journeys.howto import installed
from waggle.cli.templates import FOLDER
from waggle.element_templates import (
    Project,
    TemplateInUse,
    element_templates,
    links,
    missing_templates,
    plan,
    read_folder,
    read_project,
    templates_in_use,
)
from waggle.errors import BadSettings
from waggle.registry import find_tasks
from waggle.resources import shipped
from waggle.task import Task, declared_task, task

ROOT = Path(__file__).parents[2]
LINT = ROOT / "tools/lint"
SHIPPED = ROOT / FOLDER

# "Value is deprecated" comes for each expression in a field that wants one: the validator tells of the branch of the
# schema that did not apply. What is said of 8.8 and later does not hold for 8.6, which refuses an empty input mapping.
VALIDATE = """
import { validateAllZeebe } from '@bpmn-io/element-templates-validator';
import { readFileSync } from 'node:fs';
const { results } = validateAllZeebe(JSON.parse(readFileSync(0)));
console.log(JSON.stringify(results.flatMap(({ object, errors, warnings }) => [ ...errors || [], ...warnings || [] ]
  .filter(({ message }) => message !== 'Value is deprecated' && !message.endsWith('should be used for Camunda 8.8+'))
  .map(({ message }) => [ object.id, message ]))));
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantPoints:
    enrolment_id: str
    step: str
    points: int
    """How many."""
    tier: Literal["silver", "gold"]
    wait: timedelta
    note: str = ""
    coupon_id: str | None = None
    twice: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsGranted:
    points_total: int
    """All points of the `customer`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    rate: int = 3


@task("grant-points", throws=("POINTS_CLOSED",), headers=Tariff)
async def grant_points(job: GrantPoints, tariff: Tariff) -> PointsGranted:
    """Put points on an account."""
    return PointsGranted(points_total=job.points * tariff.rate)


@pytest.fixture(scope="module")
def project() -> Project:
    return read_project(shipped("bpmn"), shipped("config"))


@pytest.fixture(scope="module")
def generated(project: Project) -> list[dict[str, Any]]:
    return [{**each, "version": 1} for each in element_templates(find_tasks().values(), project)]


def points() -> Task:
    found = declared_task(grant_points)
    assert found is not None
    return found


def fields(project: Project, changed: Task | None = None) -> dict[str, dict[str, Any]]:
    """Return the fields of the step for points by what they are bound to."""
    [made] = [
        each for each in element_templates([changed or points()], project) if each["id"].startswith("waggle.task")
    ]
    by_name = {}
    for field in made["properties"]:
        binding = field["binding"]
        by_name[binding.get("name") or binding.get("key") or binding.get("source") or binding["property"]] = field
    return by_name


def test_what_modeler_finds_is_what_the_project_says() -> None:
    found, used = read_folder(SHIPPED), templates_in_use(shipped("bpmn"))
    wanted = element_templates(find_tasks().values(), read_project(shipped("bpmn"), shipped("config")))

    assert [f"{change.template}: {change.kind}" for change in plan(wanted, found, used).changes] == [], (
        "run `waggle templates`"
    )
    assert missing_templates(used, found.values()) == []


def test_the_journeys_that_come_with_it_show_the_fields_of_their_steps() -> None:
    known = [content for name, content in read_folder(SHIPPED).items() if "/" not in name]

    left = {file.name: found for file in sorted(shipped("bpmn").rglob("*.bpmn")) if (found := links(file, known))}

    assert left == {}, "run `waggle templates --link`"


@pytest.mark.timeout(600)  # the packages of Node may have to be fetched first
def test_each_passes_the_validator_of_modeler(generated: list[dict[str, Any]]) -> None:
    node = installed(LINT)
    done = subprocess.run(
        [node, "--input-type=module", "--eval", VALIDATE],
        cwd=LINT,
        input=json.dumps(generated).encode(),
        capture_output=True,
        check=True,
    )

    assert json.loads(done.stdout) == []


@pytest.mark.timeout(600)  # the packages of Node may have to be fetched first
def test_each_follows_the_published_schema(generated: list[dict[str, Any]]) -> None:
    installed(LINT)
    schema = LINT / "node_modules/@camunda/zeebe-element-templates-json-schema/resources/schema.json"
    validator = Draft7Validator(json.loads(schema.read_text()))

    assert [error.message for each in generated for error in validator.iter_errors(each)] == []


def test_there_is_one_for_each_task_piece_decision_and_engine_message(
    generated: list[dict[str, Any]], project: Project
) -> None:
    ids = {each["id"] for each in generated}

    assert {f"waggle.task.{name}" for name in find_tasks() if ":" not in name} <= ids
    assert {f"waggle.piece.{piece.id}" for piece in project.pieces} <= ids
    assert {f"waggle.decision.{table.id}" for table in project.tables} <= ids
    for name, message in project.catalogue.messages.items():
        kinds = {"start": ["start"], "exit": ["exit"], "move": ["wait", "meanwhile"]}[message.kind]
        assert {f"waggle.{kind}.{name}" for kind in kinds} <= ids
    assert {"waggle.time.wait", "waggle.time.until", "waggle.time.limit", "waggle.person.ask"} <= ids


def test_each_has_an_icon_a_manual_and_the_engine_it_is_for(generated: list[dict[str, Any]]) -> None:
    for each in generated:
        assert each["icon"]["contents"].startswith("data:image/svg+xml,")
        assert each["documentationRef"].startswith("https://docs.camunda.io/")
        assert each["engines"] == {"camunda": "^8.6"}
        assert each["category"]["name"].startswith("Waggle: ")


def test_a_field_says_what_the_docstring_of_its_variable_says(project: Project) -> None:
    found = fields(project)

    assert found["points"]["description"] == "How many."
    assert found["=points_total"]["description"] == "All points of the customer. Empty: not kept."


def test_a_field_is_of_the_kind_of_its_variable(project: Project) -> None:
    found = fields(project)

    assert found["points"]["type"] == "Number"
    assert [choice["value"] for choice in found["tier"]["choices"]] == ["silver", "gold"]
    assert found["twice"] | {"type": "Boolean", "value": False} == found["twice"]
    assert found["wait"]["value"] == "=settings.wait"
    assert found["rate"]["binding"] == {"type": "zeebe:taskHeader", "key": "rate"}


def test_what_must_be_given_may_not_be_empty_and_what_need_not_may(project: Project) -> None:
    found = fields(project)

    assert all(found[name]["constraints"]["notEmpty"] for name in ("step", "points", "tier", "wait"))
    assert all(found[name]["optional"] for name in ("note", "coupon_id"))


def test_an_id_is_carried_along_unseen(project: Project) -> None:
    assert fields(project)["enrolment_id"] == {
        "type": "Hidden",
        "value": "=enrolment_id",
        "binding": {"type": "zeebe:input", "name": "enrolment_id"},
    }


def test_the_drop_down_of_messages_holds_those_that_the_task_may_send(generated: list[dict[str, Any]]) -> None:
    by_id = {each["id"]: each for each in generated}

    def offered(step: str) -> list[str]:
        [field] = [each for each in by_id[step]["properties"] if each.get("label") == "Message"]
        return [choice["value"] for choice in field["choices"]]

    assert "abandoned-cart" in offered("waggle.task.send-message")
    assert "order-received" not in offered("waggle.task.send-message")
    assert "order-received" in offered("waggle.task.send-order-message")


def test_a_coupon_may_be_the_one_that_a_decision_chose(generated: list[dict[str, Any]]) -> None:
    [step] = [each for each in generated if each["id"] == "waggle.task.issue-coupon"]
    [field] = [each for each in step["properties"] if each.get("label") == "Coupon campaign"]

    values = [choice["value"] for choice in field["choices"]]
    assert {"cart-10", "=offer.coupon_campaign"} <= set(values)


def test_an_engine_message_comes_with_its_name_and_key(generated: list[dict[str, Any]]) -> None:
    by_id = {each["id"]: each["properties"] for each in generated}

    assert [each["value"] for each in by_id["waggle.exit.order-placed"]] == ["order-placed", "=enrolment_id"]
    assert [each["value"] for each in by_id["waggle.start.cart-updated"]] == ["cart-updated"]


# Versions.


def made(project: Project, changed: Task | None = None) -> list[dict[str, Any]]:
    return element_templates([changed or points()], replace(project, pieces=(), tables=()))


def written(folder: Path, wanted: list[dict[str, Any]], *used: TemplateInUse) -> list[tuple[str, str, int]]:
    planned = plan(wanted, read_folder(folder), used)
    planned.carry_out(folder)
    return [(each.template, each.kind, each.version) for each in planned.changes]


USED = TemplateInUse(Path("a.bpmn"), "Task_GrantPoints", "waggle.task.grant-points", 1)


def with_more_fields() -> Task:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class GrantMore:
        enrolment_id: str
        reason: str

    return replace(points(), input=GrantMore)


def test_writing_the_same_again_changes_nothing(project: Project, tmp_path: Path) -> None:
    assert {kind for _, kind, _ in written(tmp_path, made(project))} == {"new"}
    assert written(tmp_path, made(project)) == []


def test_a_first_folder_has_the_versions_that_diagrams_from_elsewhere_were_tied_to(
    project: Project, tmp_path: Path
) -> None:
    used = replace(USED, version=3)

    assert ("waggle.task.grant-points", "new", 3) in written(tmp_path, made(project), used)
    assert missing_templates([used], read_folder(tmp_path).values()) == []


def test_a_version_rises_when_a_diagram_would_get_something_else(project: Project, tmp_path: Path) -> None:
    written(tmp_path, made(project))

    assert written(tmp_path, made(project, with_more_fields())) == [("waggle.task.grant-points", "new version", 2)]
    assert json.loads((tmp_path / "task-grant-points.json").read_text())["version"] == 2
    assert not (tmp_path / "versioned").exists()


def test_another_text_or_a_new_entry_of_a_drop_down_is_no_new_version(project: Project, tmp_path: Path) -> None:
    first = made(project)
    written(tmp_path, first)
    second = json.loads(json.dumps(first))
    for each in second:
        if each["id"] == "waggle.task.grant-points":
            each["description"] = "Other words."
            for field in each["properties"]:
                field.get("choices", []).append({"name": "Bronze", "value": "bronze"})

    assert written(tmp_path, second) == [("waggle.task.grant-points", "new texts", 1)]


def test_an_old_version_stays_for_as_long_as_a_diagram_uses_it(project: Project, tmp_path: Path) -> None:
    written(tmp_path, made(project))
    before = (tmp_path / "task-grant-points.json").read_text()

    changes = written(tmp_path, made(project, with_more_fields()), USED)
    kept = tmp_path / "versioned/task-grant-points-1.json"
    assert kept.read_text() == before
    assert ("waggle.task.grant-points", "kept for diagrams", 1) in changes
    assert written(tmp_path, made(project, with_more_fields()), USED) == []

    assert written(tmp_path, made(project, with_more_fields())) == [("waggle.task.grant-points", "removed", 1)]
    assert not kept.exists()


def test_a_step_that_went_stays_for_the_diagrams_that_use_it(project: Project, tmp_path: Path) -> None:
    written(tmp_path, made(project))
    without = [each for each in made(project) if each["id"] != "waggle.task.grant-points"]

    written(tmp_path, without, USED)

    assert (tmp_path / "versioned/task-grant-points-1.json").exists()
    assert not (tmp_path / "task-grant-points.json").exists()
    assert missing_templates([USED], read_folder(tmp_path).values()) == []


def test_templates_of_other_origin_are_left_alone(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "slack.json"
    other.write_text('{"id": "io.camunda.connectors.Slack.v1", "version": 1}')

    written(tmp_path, made(project))

    assert other.exists()
    assert "slack.json" not in read_folder(tmp_path)


def test_a_diagram_whose_step_is_not_there_is_named(project: Project, tmp_path: Path) -> None:
    assert missing_templates([USED], []) == [USED]


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(BadSettings, match=r"broken\.json"):
        read_folder(tmp_path)
