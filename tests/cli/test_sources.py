"""`waggle sources`: what is set, how it is doing, and a call to try it."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine, Said
from tests.connectors.vendors import HERE

SHOP = """
[source.shop-main]
connector = "shopify"
domain = "hive-and-honey.myshopify.com"
currency = "EUR"
secret_file = "secret"

[source.erp]
connector = "standard_webhooks"
secret = "whsec_dGhlIHJpZ2h0IHNlY3JldCBvZiAzMiBieXRlcy0tLS0="
mapping = "erp-stock"

[source.tracker]
allow_fields = ["referral"]
"""


@pytest.fixture
def set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own.toml").write_text(SHOP, encoding="utf-8")
    (tmp_path / "secret").write_text("hush\n", encoding="utf-8")
    monkeypatch.setenv("WAGGLE_CONFIG", "own.toml")


def refused(waggle: CommandLine, code: int, *arguments: str) -> Said:
    said = waggle(*arguments)
    assert said.code == code
    return said


def test_without_any_it_says_how_to_get_one(waggle: CommandLine) -> None:
    assert "waggle keys create" in waggle("sources").out


@pytest.mark.usefixtures("set_up")
def test_each_source_is_listed_with_its_ways_in_and_the_fields_of_its_mapping(waggle: CommandLine) -> None:
    waggle("keys", "create", "till")

    listed = {line["source"]["name"]: line for line in json.loads(waggle("sources", "--json").out)}

    assert {name: (line["source"]["connector"], line["source"]["kinds"]) for name, line in listed.items()} == {
        "erp": ("standard_webhooks", ["webhook"]),
        "shop-main": ("shopify", ["webhook"]),
        "till": ("", ["key"]),
        "tracker": ("", ["key"]),
    }
    assert listed["erp"]["source"]["mapping"] == "erp-stock"
    assert ["stock-changed.sku", "shop_sku"] in listed["erp"]["source"]["rows"]
    assert listed["shop-main"]["last_heard_at"] is None
    shown = waggle("sources").out
    assert "last heard never" in shown
    assert "shop_sku" in shown
    assert "hush" not in shown + json.dumps(listed)


@pytest.mark.usefixtures("set_up")
def test_a_source_is_checked_up_to_the_api_that_is_away(waggle: CommandLine) -> None:
    checked = refused(waggle, 3, "sources", "check", "shop-main")

    assert "is a good section of shopify" in checked.out
    assert "API_UNREACHABLE" in checked.err


@pytest.mark.usefixtures("set_up")
@pytest.mark.parametrize(
    ("name", "code", "named"),
    [("nobody", 2, "known: erp, shop-main, tracker"), ("tracker", 2, "has no connector")],
)
def test_a_source_that_cannot_be_tried_is_named(waggle: CommandLine, name: str, code: int, named: str) -> None:
    assert named in refused(waggle, code, "sources", "check", name).err


@pytest.mark.usefixtures("set_up")
def test_a_payload_that_nobody_would_understand_is_not_sent(waggle: CommandLine) -> None:
    file = str(HERE / "shopify" / "orders_create.json")

    said = refused(waggle, 1, "sources", "send", "shop-main", "--topic", "customers/update", "--file", file)

    assert "PAYLOAD_UNREADABLE" in said.err


@pytest.mark.usefixtures("set_up")
@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("CONNECTOR", "shoppify", "CONNECTOR_UNKNOWN"),
        ("SERCET", "x", "source.shop-main.sercet is no setting"),
        ("SECRET_FILE", "/nowhere", "source.shop-main.secret_file names /nowhere"),
        ("DOMAIN", "honey.example", "SHOPIFY_DOMAIN"),
    ],
)
def test_a_mistake_in_a_section_is_named(
    waggle: CommandLine, monkeypatch: pytest.MonkeyPatch, key: str, value: str, named: str
) -> None:
    monkeypatch.setenv(f"WAGGLE_SOURCE__SHOP_MAIN__{key}", value)

    assert named in refused(waggle, 2, "sources", "check", "shop-main").err
