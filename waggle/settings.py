"""What an installation sets: defaults, then a file, then the environment; read once, typed, frozen."""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.log import Form
from waggle.resources import shipped

T = TypeVar("T")

PREFIX = "WAGGLE_"
_PLACES = frozenset({"HOME", "CONFIG", "CONFIG_DIR", "BPMN_DIR", "CACHE", "SUPERVISOR_PID"})
"""Variables that say where things lie; they are not keys of a section."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    url: Secret
    busy_timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    host: str
    port: int
    public_url: str
    health_host: str
    health_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    address: str
    tls: bool
    ca_file: str
    cert_file: str
    key_file: str
    client_id: str
    client_secret: Secret
    token_url: str
    audience: str
    tenant_id: str
    port_offset: int
    operate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxSettings:
    enabled: bool
    host: str
    smtp_port: int
    page_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSettings:
    name: str
    sender: str
    list_id: str
    postal_address: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    default_time_zone: str
    quiet_from: time
    quiet_until: time
    cap_messages: int
    cap_window: timedelta
    message_valid_for: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSettings:
    recent: timedelta
    lapsed_after: timedelta
    frequent_orders: int
    regular_orders: int
    premium_minor: int
    average_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    health_host: str
    health_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """What an installation sets for one task type; None: what the task declares."""

    concurrency: int | None = None
    rate_per_s: float | None = None
    timeout_s: float | None = None
    retries: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    drain_s: float
    queue_wait_s: float
    health_host: str
    health_port: int
    tasks: Mapping[str, TaskSettings] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    otlp_endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    form: Form
    level: Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything set, and where the state and the data folders lie."""

    home: Path
    config_dir: Path
    bpmn_dir: Path
    database: DatabaseSettings
    api: ApiSettings
    engine: EngineSettings
    mailbox: MailboxSettings
    shop: ShopSettings
    policy: PolicySettings
    score: ScoreSettings
    relay: RelaySettings
    worker: WorkerSettings
    telemetry: TelemetrySettings
    log: LogSettings
    connectors: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Sections named after connectors, not yet typed: only a connector knows its keys."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """`section.key` -> where its value came from."""

    @property
    def database_url(self) -> str:
        """The database; without a setting an SQLite file in the home folder."""
        return self.database.url.reveal() or f"sqlite:///{self.home / 'waggle.db'}"

    @property
    def embedded_engine(self) -> bool:
        """Whether the engine is the one that `waggle up` starts."""
        return not self.engine.address

    @property
    def engine_home(self) -> Path:
        """Where the embedded engine keeps its data."""
        return self.home / "engine"


_SECTIONS: dict[str, type] = {
    "database": DatabaseSettings,
    "api": ApiSettings,
    "engine": EngineSettings,
    "mailbox": MailboxSettings,
    "shop": ShopSettings,
    "policy": PolicySettings,
    "score": ScoreSettings,
    "relay": RelaySettings,
    "worker": WorkerSettings,
    "telemetry": TelemetrySettings,
    "log": LogSettings,
}


def load_settings(environment: Mapping[str, str] | None = None, *, here: Path | None = None) -> Settings:
    """Read the defaults, `waggle.toml` (or what WAGGLE_CONFIG names) and the environment (`WAGGLE_SECTION__KEY`).

    `WAGGLE_SECTION__KEY_FILE` names a file that holds the value, for secrets. State lies in WAGGLE_HOME (`.waggle`);
    diagrams and configuration are those of the current folder if it has them, else those that came with Waggle.

    Raises:
        BadSettings: a file cannot be read, or a key is unknown, missing or of the wrong kind.
    """
    environment = os.environ if environment is None else environment
    here = Path.cwd() if here is None else here
    config_dir = _folder(environment.get("WAGGLE_CONFIG_DIR"), here, "config", "waggle.toml")
    bpmn_dir = _folder(environment.get("WAGGLE_BPMN_DIR"), here, "bpmn", "engine-messages.toml")
    sections, sources = _layered(_files(environment, here, config_dir), environment)
    typed: dict[str, Any] = {
        name: typed_section(kind, sections.get(name, {}), name) for name, kind in _SECTIONS.items()
    }
    settings = Settings(
        home=(here / environment.get("WAGGLE_HOME", ".waggle")).resolve(),
        config_dir=config_dir,
        bpmn_dir=bpmn_dir,
        connectors=MappingProxyType({name: keys for name, keys in sections.items() if name not in _SECTIONS}),
        sources=MappingProxyType(sources),
        **typed,
    )
    _check(settings)
    return settings


def typed_section(kind: type[T], keys: Mapping[str, object], section: str) -> T:
    """Return the keys of a section as its frozen dataclass; texts from the environment become numbers and switches.

    Raises:
        BadSettings: a key is unknown, missing or of the wrong kind.
    """
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    for key in keys:
        if key not in known:
            raise BadSettings("SETTING_UNKNOWN", f"{section}.{key} is no setting; known: {', '.join(sorted(known))}")
    try:
        return msgspec.convert(dict(keys), kind, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise BadSettings("SETTING_WRONG", f"[{section}] {error}") from error


def _decode(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    # msgspec makes its own error of it, which says where.
    raise TypeError(f"Expected `str`, got `{type(value).__name__}`")


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


def _layered(files: list[Path], environment: Mapping[str, str]) -> tuple[dict[str, dict[str, object]], dict[str, str]]:
    sections: dict[str, dict[str, object]] = {}
    sources: dict[str, str] = {}

    def put(section: str, key: str, value: object, source: str) -> None:
        sections.setdefault(section, {})[key] = value
        sources[f"{section}.{key}"] = source

    for file in files:
        for section, keys in _read_toml(file).items():
            if not isinstance(keys, dict):
                raise BadSettings("SETTING_WRONG", f"{file}: {section!r} stands outside any [section]")
            for key, value in keys.items():
                put(section, key, value, str(file))
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in _PLACES:
            continue
        section, found, key = name.removeprefix(PREFIX).lower().partition("__")
        if not found:
            raise BadSettings("SETTING_UNKNOWN", f"{name}: write WAGGLE_SECTION__KEY, with two underscores")
        if key.endswith("_file"):
            put(section, key.removesuffix("_file"), _read_secret(name, value), f"{name} (a file)")
        else:
            put(section, key, value, name)
    return sections, sources


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings("CONFIG_UNREADABLE", f"{file}: {error}") from error


def _read_secret(name: str, file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings("CONFIG_UNREADABLE", f"{name} names {file}, which cannot be read") from error


def _check(settings: Settings) -> None:
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
