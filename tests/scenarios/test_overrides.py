"""What a scenario sets otherwise stands in a copy of the configuration and nowhere else."""

import tomllib
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest

from waggle.errors import BadSettings
from waggle.resources import shipped
from waggle.scenarios.overrides import as_toml, copy_config, overridden, parse_override, policy_environment
from waggle.scenarios.scenario import Scenario

CONFIG = shipped("config")


def scenario(**more: Any) -> Scenario:  # noqa: ANN401 -- fields of a Scenario
    return Scenario(journey="abandoned-cart", name="case", file=Path("case.toml"), title="A case", **more)


def copied(folder: Path, given: Scenario, journeys: tuple[str, ...] = ("abandoned-cart", "double-opt-in")) -> Path:
    copy_config(CONFIG, folder / "config", given, journeys)
    return folder / "config"


def table(file: Path) -> dict[str, Any]:
    return tomllib.loads(file.read_text(encoding="utf-8"))


def test_settings_of_the_scenario_win_and_all_others_stay(tmp_path: Path) -> None:
    config = copied(tmp_path, scenario(settings={"reply_window": "PT1H"}))

    found = table(config / "journeys" / "abandoned-cart.toml")
    shipped_ones = table(CONFIG / "journeys" / "abandoned-cart.toml")
    assert found["settings"] == {**shipped_ones["settings"], "reply_window": "PT1H"}


def test_nobody_is_held_out_unless_the_scenario_says_so(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    of_none = table(copied(first, scenario()) / "journeys" / "abandoned-cart.toml")
    of_all = table(copied(second, scenario(entry={"holdout_percent": 100})) / "journeys" / "abandoned-cart.toml")

    assert (of_none["entry"]["holdout_percent"], of_all["entry"]["holdout_percent"]) == (0, 100)


def test_only_the_scenarios_own_journeys_are_switched_on(tmp_path: Path) -> None:
    config = copied(
        tmp_path, scenario(also=("double-opt-in",)), ("abandoned-cart", "double-opt-in", "customer-objection")
    )

    on = {
        file.stem: table(file)["entry"]["enabled"]
        for file in (config / "journeys").glob("*.toml")
        if "enabled" in table(file).get("entry", {})
    }
    assert {name: on[name] for name in ("abandoned-cart", "double-opt-in", "customer-objection")} == {
        "abandoned-cart": True,
        "double-opt-in": True,
        "customer-objection": False,
    }


def test_a_key_that_the_journey_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        BadSettings, match=r"\[settings\] reply_windo: .*has no such key; known: cart_idle, reply_window"
    ):
        copied(tmp_path, scenario(settings={"reply_windo": "PT1H"}))


def test_a_campaigns_budget_may_be_set(tmp_path: Path) -> None:
    config = copied(tmp_path, scenario(coupons={"cart-10": {"budget_count": 1}}))

    found, shipped_ones = table(config / "coupons.toml"), table(CONFIG / "coupons.toml")
    assert found["cart-10"] == {**shipped_ones["cart-10"], "budget_count": 1}
    assert found["cart-5"] == shipped_ones["cart-5"]


def test_a_campaign_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"\[coupons.cart-99\]: no such campaign; known: cart-5"):
        copied(tmp_path, scenario(coupons={"cart-99": {"budget_count": 1}}))


def test_there_are_no_quiet_hours_unless_the_scenario_says_so() -> None:
    assert policy_environment({})["WAGGLE_POLICY__QUIET_FROM"] == "00:00:00"
    said = policy_environment({"quiet_from": time(21), "cap_messages": 0, "cap_window": timedelta(hours=20)})
    assert said["WAGGLE_POLICY__QUIET_FROM"] == "21:00:00"
    assert (said["WAGGLE_POLICY__CAP_MESSAGES"], said["WAGGLE_POLICY__CAP_WINDOW"]) == ("0", "PT72000S")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("cart_idle=PT2H", ("settings", "cart_idle", "PT2H")),
        ("entry.holdout_percent=50", ("entry", "holdout_percent", 50)),
        ("policy.quiet_from=21:00:00", ("policy", "quiet_from", time(21))),
        ("exits.order_ends_other_carts=false", ("exits", "order_ends_other_carts", False)),
    ],
)
def test_an_override_on_the_command_line_is_of_the_journeys_settings_unless_it_says_otherwise(
    given: str, meant: tuple[str, str, object]
) -> None:
    assert parse_override(given) == meant


@pytest.mark.parametrize("given", ["cart_idle", "=PT2H", "shop.name=Hive"])
def test_an_override_of_another_form_is_refused(given: str) -> None:
    with pytest.raises(BadSettings, match="SETTING_WRONG"):
        parse_override(given)


def test_overrides_of_the_command_line_outweigh_the_scenarios() -> None:
    found = overridden(
        scenario(settings={"cart_idle": "PT1M", "reply_window": "PT1H"}), [("settings", "cart_idle", "PT2H")]
    )

    assert found.settings == {"cart_idle": "PT2H", "reply_window": "PT1H"}


def test_what_is_written_is_read_as_it_was() -> None:
    tables = {
        "a": {
            "text": 'with "quotes" and \\',
            "number": 3,
            "share": 0.5,
            "on": True,
            "list": [1, 2],
            "table": {"x": "y"},
        }
    }

    assert tomllib.loads(as_toml(tables)) == tables
