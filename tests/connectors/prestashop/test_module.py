"""The module that a merchant installs, run by PHP against stand-ins of PrestaShop's classes."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

import connectors
from tests.connectors.vendors import WHSEC, vendors
from waggle.domain.signature import standard_secret
from waggle.ports.sources import Delivery, WebhookRequest
from waggle.testing.json_server import Answer, Asked, json_server

pytestmark = pytest.mark.anyio

MODULE = Path(connectors.__path__[0], "prestashop", "module", "waggle", "waggle.php")
STAND_INS = Path(__file__).parent / "stand_ins.php"


@pytest.fixture(scope="module", autouse=True)
def php() -> str:
    found = shutil.which("php")
    if found is None or "curl" not in subprocess.run([found, "-m"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("needs PHP with cURL: install php-cli and php-curl")
    return found


async def told(php: str, story: str, *, status: int = 200) -> tuple[Sequence[Asked], list[int]]:
    """Return the calls that the module made, and how often what it kept was tried."""
    async with json_server(lambda _asked: Answer(status=status)) as server:
        command = [php, str(STAND_INS), str(MODULE), f"{server.url}/v1/webhooks/shop", WHSEC, story]
        process = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-1)
        said, complained = await process.communicate()
    assert complained == b""
    return server.asked, json.loads(said)


def read(asked: Asked) -> Delivery:
    webhook, now = vendors()["prestashop"].webhook, datetime.now(UTC)
    call = webhook.verify(WebhookRequest(asked.headers, asked.body), now)
    return webhook.read(call, asked.body, now)


def test_it_is_php(php: str) -> None:
    for file in MODULE.parent.glob("*.php"):
        subprocess.run([php, "-l", str(file)], check=True, capture_output=True)


async def test_a_cart_that_was_saved_twice_in_one_request_is_told_once(php: str) -> None:
    [asked], kept = await told(php, "cart")
    identified, consent, cart = read(asked).items

    assert kept == []
    assert identified["data"] == {
        "customer_id": "31",
        "email": "iga.d'arc@example.com",
        "first_name": 'Iga "Ż"',
        "last_name": "Wilk \\ Kos",
        "language": "pl",
    }
    assert consent["time"] == "2026-04-20T07:00:00+00:00"
    assert cart["data"]["items"] == [
        {"sku": "HONEY-500", "quantity": 2, "unit_price_minor": 1250, "name": "Linden honey 500 g"}
    ]
    assert cart["data"]["url"].startswith("https://shop.example/order?step=3&recover_cart=220&token_cart=")


async def test_an_order_and_its_step_are_told_and_its_cart_is_not(php: str) -> None:
    calls, kept = await told(php, "order")
    placed, step = (read(asked).items for asked in calls)

    assert kept == []
    assert placed[-1]["data"] == {
        "order_id": "77",
        "currency": "EUR",
        "total_minor": 2999,
        "items": [{"sku": "product-7-2", "quantity": 2, "unit_price_minor": 1250, "name": "Linden honey 500 g"}],
        "customer_id": "31",
        "cart_id": "220",
        "coupon_code": "SPRING10",
    }
    assert [(item["type"], item["data"]["order_id"]) for item in step] == [("order-shipped", "77")]


async def test_what_could_not_be_sent_is_kept_and_the_rest_waits_behind_it(php: str) -> None:
    calls, kept = await told(php, "order", status=503)

    assert len(calls) == 1
    assert kept == [1, 0]


def test_its_secret_is_one_of_the_standard() -> None:
    assert len(standard_secret(WHSEC)) == 32
