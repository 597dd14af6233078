"""docs/howto-journey.md, followed to the letter: ready-made steps alone, from a shop's webhook to a mail."""

import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.connectors.vendors import vendors
from tests.journeys import howto
from waggle.element_templates import (
    element_templates,
    missing_templates,
    plan,
    read_folder,
    read_project,
    templates_in_use,
)
from waggle.engine.local import RunningEngine
from waggle.engine.records import RecordStream
from waggle.http_api import http_api
from waggle.registry import find_tasks
from waggle.resources import shipped
from waggle.scenarios.house import open_stage
from waggle.scenarios.player import Player
from waggle.scenarios.scenario import read_scenario
from waggle.scenarios.selection import Library
from waggle.services.diagram_checks import check_diagrams
from waggle.services.diagrams import read_diagram
from waggle.testing.journeys import House, opened

pytestmark = pytest.mark.anyio

JOURNEY = "thank-you-note"
ORDER = "5123456789012"
SHOPIFY = vendors()["shopify"]
SECRET = "hush-honey"
SOURCE = f"""
[source.shop-main]
connector = "shopify"
domain = "hive-and-honey.myshopify.com"
currency = "EUR"
secret = "{SECRET}"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """An analyst's folder in which the how-to was followed up to step 5."""
    folder = tmp_path / "shop"
    shutil.copytree(shipped("bpmn"), folder / "bpmn")
    shutil.copytree(shipped("config"), folder / "config")
    howto.files().write(folder)
    templates = folder / ".camunda/element-templates"
    project = read_project(folder / "bpmn", folder / "config")
    plan(element_templates(find_tasks().values(), project), {}, []).carry_out(templates)
    howto.draw_with_modeler(templates, folder / f"bpmn/journeys/{JOURNEY}.bpmn")
    return folder


def test_what_is_drawn_by_the_howto_passes_the_check(shop: Path) -> None:
    found = check_diagrams(shop / "bpmn", shop / "config", find_tasks())

    assert [str(finding) for finding in found if JOURNEY in str(finding.file)] == []


def test_every_step_of_it_is_a_ready_made_one(shop: Path) -> None:
    diagram = read_diagram(shop / f"bpmn/journeys/{JOURNEY}.bpmn")
    used = [each for each in templates_in_use(shop / "bpmn") if each.file == diagram.file]
    plain = {node.id for node in diagram.nodes.values() if node.kind in {"exclusiveGateway", "endEvent", "subProcess"}}

    assert {each.element for each in used} == set(diagram.nodes) - plain
    assert missing_templates(used, read_folder(shop / ".camunda/element-templates").values()) == []


@pytest.mark.engine
async def test_an_order_of_a_shopify_shop_is_thanked_for_two_days_later(
    shop: Path, engine: RunningEngine, records: RecordStream, sqlite_url: str, tmp_path: Path
) -> None:
    settings = shop / "config/waggle.toml"
    settings.write_text(settings.read_text() + SOURCE)
    folders = {"WAGGLE_BPMN_DIR": str(shop / "bpmn"), "WAGGLE_CONFIG_DIR": str(shop / "config")}
    async with opened(engine, records, sqlite_url, tmp_path, **folders) as house:
        await call(house, "customers/update", "customers_update")
        await call(house, "orders/create", "orders_create")

        await house.wait(days=1, hours=23)
        assert house.mails() == []
        await house.wait(hours=2)

        [mail] = house.mails()
        assert mail["To"] == "anna@example.com"
        assert mail["Subject"].startswith("Thank you from ")
        enrolment = await house.app.store.read(lambda tx: tx.enrolments.newest(JOURNEY, ORDER))
        assert enrolment is not None
        assert enrolment.outcome == "noted"


@pytest.mark.engine
async def test_its_scenario_goes_as_it_says(
    shop: Path, engine: RunningEngine, records: RecordStream, tmp_path: Path
) -> None:
    async with open_stage(engine, records) as stage:
        player = Player(stage, Library(shop / "bpmn"), shop / "config", tmp_path)
        await player.deploy([JOURNEY])
        played = await player.play(read_scenario(shop / f"bpmn/scenarios/{JOURNEY}/note.toml"))

    assert played.differences == []
    assert [each.template for each in played.mails] == ["thank-you-note"]


async def call(house: House, topic: str, sample: str) -> None:
    """Let the shop call as Shopify does."""
    connector = house.app.sources.webhooks()._receivers["shop-main"]  # the shop signs with the same secret
    body = SHOPIFY.body(sample)
    headers = dict(connector.sign(topic, body, f"d-{sample}", house.now()))
    asgi: Any = http_api(house.app)
    transport = httpx.ASGITransport(app=asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
        answer = await client.post("/v1/webhooks/shop-main", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
