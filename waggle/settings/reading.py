"""Read what is set, once; and settings that follow from others."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from waggle.errors import BadSettings
from waggle.resources import shipped
from waggle.settings.layers import ENVIRONMENT, SOURCE, STREAM, TASKS, layered
from waggle.settings.sections import SECTIONS, EnvironmentSettings, Settings, TaskSettings
from waggle.settings.typed import connector_section, typed_section

_OWN_SOURCE = "waggle"


def load_settings(environment: Mapping[str, str] | None = None, *, here: Path | None = None) -> Settings:
    """Read the defaults, `waggle.toml` (or what WAGGLE_CONFIG names) and the environment (`WAGGLE_SECTION__KEY`).

    `WAGGLE_SECTION__KEY_FILE` names a file that holds the value, for secrets; limits of a task type are
    `WAGGLE_WORKER__TASKS__SEND_MESSAGE__RATE_PER_S`. State lies in WAGGLE_HOME (`.waggle`);
    diagrams and configuration are those of the current folder if it has them, else those that came with Waggle.

    Raises:
        BadSettings: a file cannot be read, or a key is unknown, missing or of the wrong kind.
    """
    environment = os.environ if environment is None else environment
    here = Path.cwd() if here is None else here
    config_dir = _folder(environment.get("WAGGLE_CONFIG_DIR"), here, "config", "waggle.toml")
    bpmn_dir = _folder(environment.get("WAGGLE_BPMN_DIR"), here, "bpmn", "engine-messages.toml")
    sections, sources = layered(_files(environment, here, config_dir), environment)
    typed: dict[str, Any] = {
        name: typed_section(kind, sections.get(name, {}), name, sources) for name, kind in SECTIONS.items()
    }
    if not typed["api"].public_url:
        typed["api"] = replace(typed["api"], public_url=typed["api"].address)
        sources["api.public_url"] = "api.host and api.port"
    typed["worker"] = replace(typed["worker"], tasks=MappingProxyType(_limits(sections, sources)))
    settings = Settings(
        home=(here / environment.get("WAGGLE_HOME", ".waggle")).resolve(),
        config_dir=config_dir,
        bpmn_dir=bpmn_dir,
        connectors=MappingProxyType(
            {
                name: keys
                for name, keys in sections.items()
                if name not in SECTIONS and not name.startswith((TASKS, SOURCE, STREAM, ENVIRONMENT))
            }
        ),
        source_sections=MappingProxyType(_named(sections, SOURCE)),
        stream_sections=MappingProxyType(_named(sections, STREAM)),
        environments=MappingProxyType(_environments(sections, sources)),
        sources=MappingProxyType(sources),
        **typed,
    )
    _check(settings)
    return settings


def settings_of(settings: Settings, environment: str) -> Settings:
    """Return *settings* with the database and the engine of another *environment*, or as they are for one's own.

    Raises:
        BadSettings: ENVIRONMENT_UNKNOWN, or it is not said where its database or its engine is.
    """
    if environment == settings.deployment.environment:
        return settings
    named = settings.environments.get(environment)
    if named is None:
        known = ", ".join(sorted({settings.deployment.environment, *settings.environments}))
        raise BadSettings("ENVIRONMENT_UNKNOWN", f"there is no [environments.{environment}]; known: {known}")
    if not named.home and not (named.database_url.reveal() and named.engine_address):
        raise BadSettings(
            "SETTING_MISSING",
            f"environments.{environment}: give home, or database_url and engine_address; else two environments mix",
        )
    engine = {
        key.removeprefix("engine_"): getattr(named, key)
        for key in (each.name for each in fields(EnvironmentSettings))
        if key.startswith("engine_")
    }
    return replace(
        settings,
        home=Path(named.home).expanduser().resolve() if named.home else settings.home,
        database=replace(settings.database, url=named.database_url, allow_plaintext=named.database_allow_plaintext),
        engine=replace(settings.engine, **engine),
        privacy=replace(settings.privacy, master_key_file=named.master_key_file, erased_list_file=""),
        deployment=replace(settings.deployment, environment=environment),
    )


def limited(settings: Settings, task_types: Sequence[str], limits: Mapping[str, object]) -> Settings:
    """Return *settings* with *limits*, keys of TaskSettings as given on the command line, for these task types.

    Raises:
        BadSettings: a limit is out of bounds, or there are limits and no task type.
    """
    if not limits:
        return settings
    flags = {key: f"--{key.replace('_', '-')}" for key in limits}
    if not task_types:
        raise BadSettings(
            "LIMITS_FOR_NOBODY",
            f"{', '.join(flags.values())}: name the task types meant, as in `waggle worker send-message "
            f"{next(iter(flags.values()))} ...`",
        )
    tasks, sources = dict(settings.worker.tasks), dict(settings.sources)
    for task_type in task_types:
        section = f"{TASKS}{task_type}"
        sources |= {f"{section}.{key}": flag for key, flag in flags.items()}
        known = tasks.get(task_type, TaskSettings())
        keys = {each.name: getattr(known, each.name) for each in fields(TaskSettings)}
        tasks[task_type] = typed_section(TaskSettings, {**keys, **limits}, section, sources)
    worker = replace(settings.worker, tasks=MappingProxyType(tasks))
    return replace(settings, worker=worker, sources=MappingProxyType(sources))


def _limits(sections: Mapping[str, Mapping[str, object]], sources: Mapping[str, str]) -> dict[str, TaskSettings]:
    return {
        name.removeprefix(TASKS): typed_section(TaskSettings, keys, name, sources)
        for name, keys in sorted(sections.items())
        if name.startswith(TASKS)
    }


def _environments(
    sections: Mapping[str, Mapping[str, object]], sources: Mapping[str, str]
) -> dict[str, EnvironmentSettings]:
    return {
        name: connector_section(EnvironmentSettings, _Nothing, keys, f"{ENVIRONMENT}{name}", sources)
        for name, keys in _named(sections, ENVIRONMENT).items()
    }


@dataclass(frozen=True)
class _Nothing:
    """Keys that all environments have in common: none."""


def _named(sections: Mapping[str, Mapping[str, object]], prefix: str) -> dict[str, Mapping[str, object]]:
    return {
        name.removeprefix(prefix): MappingProxyType(dict(keys))
        for name, keys in sorted(sections.items())
        if name.startswith(prefix)
    }


def _folder(named: str | None, here: Path, folder: Literal["bpmn", "config"], mark: str) -> Path:
    if named is not None:
        path = (here / named).resolve()
        if not path.is_dir():
            raise BadSettings("FOLDER_MISSING", f"WAGGLE_{folder.upper()}_DIR names {path}, which is no folder")
        return path
    own = here / folder
    return own.resolve() if (own / mark).is_file() else shipped(folder)


def _files(environment: Mapping[str, str], here: Path, config_dir: Path) -> list[Path]:
    files = [shipped("config") / "waggle.toml", config_dir / "waggle.toml"]
    named = environment.get("WAGGLE_CONFIG")
    if named is not None:
        files.append(here / named)
        if not files[-1].is_file():
            raise BadSettings("CONFIG_MISSING", f"WAGGLE_CONFIG names {files[-1]}, which is no file")
    return [file for file in dict.fromkeys(file.resolve() for file in files) if file.is_file()]


def _check(settings: Settings) -> None:
    if _OWN_SOURCE in settings.source_sections:
        raise BadSettings(
            "SETTING_WRONG", f"source.{_OWN_SOURCE}: that is the source of what happens here; name it otherwise"
        )
    for name in settings.source_sections:
        if name in settings.stream_sections:
            raise BadSettings("SETTING_WRONG", f"{name} names a source and a stream: name one of them otherwise")
    zone = settings.policy.default_time_zone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        # OSError: "Europe" is a folder of zones.
        raise BadSettings(
            "SETTING_WRONG", f"policy.default_time_zone: {zone!r} is no IANA time zone such as Europe/Warsaw"
        ) from error
    for key in ("quiet_from", "quiet_until"):
        if getattr(settings.policy, key).tzinfo is not None:
            raise BadSettings("SETTING_WRONG", f"policy.{key} is local time: write it without a zone, such as 21:00:00")
