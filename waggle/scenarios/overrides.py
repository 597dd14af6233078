"""A temporary copy of the configuration in which a scenario's own settings stand."""

import json
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from waggle.errors import BadSettings
from waggle.scenarios.scenario import Scenario

_OF_JOURNEY: Final = ("settings", "entry", "exits")


def copy_config(config_dir: Path, target: Path, scenario: Scenario, journeys: Iterable[str]) -> None:
    """Copy *config_dir* to *target* with what *scenario* overrides; of *journeys* only its own are switched on.

    Raises:
        BadSettings: SCENARIO_WRONG, it sets something that the journey does not have.
    """
    shutil.copytree(config_dir, target)
    folder = target / "journeys"
    folder.mkdir(exist_ok=True)
    for journey in journeys:
        file = folder / f"{journey}.toml"
        tables = tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        own = journey == scenario.journey
        entry = dict(tables.get("entry", {}))
        entry["enabled"] = own or journey in scenario.also
        if own:
            _check(scenario, tables)
            entry |= {"holdout_percent": 0, **scenario.entry}
            for name in ("settings", "exits"):
                tables[name] = {**tables.get(name, {}), **getattr(scenario, name)}
        tables["entry"] = entry
        file.write_text(as_toml(tables), encoding="utf-8")
    if scenario.coupons:
        file = target / "coupons.toml"
        campaigns = tomllib.loads(file.read_text(encoding="utf-8"))
        for campaign, keys in scenario.coupons.items():
            if campaign not in campaigns:
                known = ", ".join(campaigns)
                raise BadSettings(
                    "SCENARIO_WRONG", f"{scenario.file}: [coupons.{campaign}]: no such campaign; known: {known}"
                )
            campaigns[campaign] |= keys
        file.write_text(as_toml(campaigns), encoding="utf-8")


def policy_environment(policy: Mapping[str, Any]) -> dict[str, str]:
    """Return *policy* as variables of the environment; without a word in it there are no quiet hours."""
    keys = {"quiet_from": "00:00:00", "quiet_until": "00:00:00", **policy}
    return {f"WAGGLE_POLICY__{key.upper()}": _text(value) for key, value in keys.items()}


def parse_override(given: str) -> tuple[str, str, Any]:
    """Read KEY=VALUE of the command line as (table, key, value): `cart_idle=PT2H` or `policy.cap_messages=0`.

    Raises:
        BadSettings: SETTING_WRONG.
    """
    name, equals, text = given.partition("=")
    table, dot, key = name.strip().partition(".")
    if not equals or not name.strip():
        raise BadSettings("SETTING_WRONG", f"--settings {given}: write KEY=VALUE, such as cart_idle=PT2H")
    if not dot:
        table, key = "settings", table
    if table not in {*_OF_JOURNEY, "policy"}:
        raise BadSettings("SETTING_WRONG", f"--settings {given}: {table} is none of settings, entry, exits and policy")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return table, key, value


def overridden(scenario: Scenario, overrides: Iterable[tuple[str, str, Any]]) -> Scenario:
    """Return *scenario* with *overrides*, as `parse_override` returns them, in force."""
    tables = {name: dict(getattr(scenario, name)) for name in (*_OF_JOURNEY, "policy")}
    for table, key, value in overrides:
        tables[table][key] = value
    changed: dict[str, Any] = tables
    return replace(scenario, **changed)


def as_toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Write tables of simple values, lists and tables in them."""
    lines = []
    for name, keys in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{json.dumps(key)} = {_value(value)}" for key, value in keys.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    match value:
        case bool() | int() | float() | str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            return f"[{', '.join(_value(each) for each in value)}]"
        case dict():
            return f"{{{', '.join(f'{json.dumps(key)} = {_value(each)}' for key, each in value.items())}}}"
        case _:
            return _text(value)


def _text(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case timedelta():
            return str(msgspec.to_builtins(value))
        case date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _check(scenario: Scenario, tables: Mapping[str, Mapping[str, Any]]) -> None:
    for name in ("settings", "exits"):
        known = tables.get(name, {})
        for key in getattr(scenario, name):
            if key not in known:
                raise BadSettings(
                    "SCENARIO_WRONG",
                    f"{scenario.file}: [{name}] {key}: config/journeys/{scenario.journey}.toml has no such key; "
                    f"known: {', '.join(known) or 'none'}",
                )
