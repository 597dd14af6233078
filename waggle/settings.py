"""What an installation sets: defaults, then a file, then the environment; read once, typed, frozen."""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from waggle.domain.loopback import is_loopback
from waggle.domain.secret import Secret
from waggle.errors import BadSettings
from waggle.log import Form
from waggle.resources import shipped

T = TypeVar("T")

PREFIX = "WAGGLE_"
_PLACES = frozenset({"HOME", "CONFIG", "CONFIG_DIR", "BPMN_DIR", "CACHE", "SUPERVISOR_PID", "PERSON"})
"""Variables that say where things lie and who is at work; they are not keys of a section."""
_TASKS = "worker.tasks."
"""Begins the name of a section that sets limits for one task type."""
_SOURCE, _STREAM, _ENVIRONMENT = "source.", "stream.", "environments."
"""Begin the names of sections of one source, stream or environment each."""
_OWN_SOURCE = "waggle"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    url: Secret
    busy_timeout_s: float
    allow_plaintext: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    host: str
    port: int
    public_url: str
    health_host: str
    health_port: int
    tracker_origins: str
    requests_per_s: Annotated[int, Meta(ge=0)]
    events_per_s: Annotated[int, Meta(ge=0)]
    bodies_bytes: Annotated[int, Meta(ge=1_048_576)]
    body_timeout_s: Annotated[float, Meta(gt=0, le=600)]
    waiting_events: Annotated[int, Meta(ge=500)]
    segment_currency: Annotated[str, Meta(pattern="^([A-Z]{3})?$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    remind_after: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    address: str
    tls: bool
    allow_plaintext: bool
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
class DeploymentSettings:
    environment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentSettings:
    """Where another environment's database and engine are; nothing is taken over from here but what is not named."""

    home: str = ""
    database_url: Secret = Secret("")  # noqa: RUF009 -- frozen
    database_allow_plaintext: bool = False
    master_key_file: str = ""
    engine_address: str = ""
    engine_tls: bool = False
    engine_allow_plaintext: bool = False
    engine_ca_file: str = ""
    engine_cert_file: str = ""
    engine_key_file: str = ""
    engine_client_id: str = ""
    engine_client_secret: Secret = Secret("")  # noqa: RUF009 -- frozen
    engine_token_url: str = ""
    engine_audience: str = ""
    engine_tenant_id: str = ""


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
class HelpdeskSettings:
    address: Annotated[str, Meta(pattern=r"^[^@\s]+@[^@\s]+$")]


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
class OccasionSettings:
    lapsed_after: timedelta
    lapsed_until: timedelta
    unengaged_messages: Annotated[int, Meta(ge=1)]
    unengaged_within: timedelta
    birthday_ahead: timedelta
    replenish_ahead: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    health_host: str
    health_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeSettings:
    health_host: str
    health_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshnessSettings:
    """How old facts may be when a message leaves; None: of any age."""

    stock: timedelta | None = None
    price: timedelta | None = None
    order: timedelta | None = None
    cart: timedelta | None = None
    look_again_after: timedelta = timedelta(minutes=5)
    """How long a message waits that would rest on older ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSettings:
    """What an installation sets for one task type; None: what the task declares."""

    concurrency: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    rate_per_s: Annotated[float, Meta(gt=0, le=100_000)] | None = None
    # A worker is known to be deaf only after its longest task could have ended.
    timeout_s: Annotated[float, Meta(gt=0, le=3600)] | None = None
    retries: Annotated[int, Meta(ge=1, le=100)] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    drain_s: Annotated[float, Meta(ge=0, le=3600)]
    queue_wait_s: Annotated[float, Meta(gt=0, le=3600)]
    health_host: str
    health_port: int
    tasks: Mapping[str, TaskSettings] = field(default_factory=dict)
    """By task type: what the sections [worker.tasks.<task type>] set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    otlp_endpoint: str
    allow_plaintext: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentitySettings:
    merge_by_email: bool
    merge_by_phone: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySettings:
    master_key_file: str
    erased_list_file: str
    keep_ip: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    form: Form
    level: Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """What may be set for every source, whatever its connector."""

    connector: str = ""
    """Empty: it sends to `/v1/events` with a write key."""
    mapping: str = ""
    """Names a file in config/mappings that says what its fields mean."""
    allow_fields: tuple[str, ...] = ()
    """Fields of `data` beyond the vocabulary that are kept."""
    pull_every: timedelta | None = None
    """How often a source is asked that can be; None: each 5 minutes, or for one that calls us, when it is silent."""
    expect_within: timedelta | None = None
    """So long a source that calls us may be silent before a call counts as lost."""
    first_pull: timedelta | None = None
    """How far back the first asking reaches; None: to the beginning."""
    covers: tuple[str, ...] = ()
    """Kinds of fact it tells (stock, price, order, cart ...), beyond those that are learned from what it told."""
    page_timeout_s: Annotated[float, Meta(gt=0, le=600)] = 60.0
    """For one page of what it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamSettings:
    """What may be set for every stream, whatever its connector."""

    connector: str
    purpose: str = ""
    """What it is told for: a [disclosure.<purpose>] of privacy.toml; empty: it is told nothing personal."""
    begin: Literal["now", "beginning"] = "now"
    """Where a new stream starts; `waggle streams rewind` sets it elsewhere later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSection:
    """One source or stream as it is set, its own keys not yet typed: only its connector knows them."""

    name: str
    """The `source` of its events."""
    connector: str
    keys: Mapping[str, object]
    """All but `connector`."""
    section: str
    """As it is written, such as `source.shopify-main`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything set, and where the state and the data folders lie."""

    home: Path
    config_dir: Path
    bpmn_dir: Path
    database: DatabaseSettings
    api: ApiSettings
    access: AccessSettings
    engine: EngineSettings
    mailbox: MailboxSettings
    shop: ShopSettings
    helpdesk: HelpdeskSettings
    policy: PolicySettings
    score: ScoreSettings
    occasions: OccasionSettings
    relay: RelaySettings
    exchange: ExchangeSettings
    freshness: FreshnessSettings
    worker: WorkerSettings
    telemetry: TelemetrySettings
    log: LogSettings
    privacy: PrivacySettings
    identity: IdentitySettings
    deployment: DeploymentSettings
    connectors: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Sections named after connectors, not yet typed: only a connector knows its keys."""
    source_sections: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """By name: what the sections [source.<name>] set, not yet typed."""
    stream_sections: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """By name: what the sections [stream.<name>] set, not yet typed."""
    environments: Mapping[str, EnvironmentSettings] = field(default_factory=dict)
    """By name: what the sections [environments.<name>] set."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """`section.key` -> where its value came from; `worker.tasks.<task type>` is a section too."""

    @property
    def database_url(self) -> str:
        """The database; without a setting an SQLite file in the home folder."""
        return self.database.url.reveal() or f"sqlite:///{self.home / 'waggle.db'}"

    @property
    def master_key_file(self) -> Path | None:
        """Where the master keys lie; None: nowhere, for the database is on another host and nothing is set."""
        if self.privacy.master_key_file:
            return Path(self.privacy.master_key_file).expanduser()
        # Without a host it is a file, or the socket of a server on this machine.
        host = urlsplit(self.database_url).hostname
        return self.home / "keys" / "master.toml" if host is None or is_loopback(host) else None

    @property
    def erased_list_file(self) -> Path:
        """Where those are listed who were erased, outside the database and every backup."""
        named = self.privacy.erased_list_file
        return Path(named).expanduser() if named else self.home / "keys" / "erased.jsonl"

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
    "access": AccessSettings,
    "engine": EngineSettings,
    "mailbox": MailboxSettings,
    "shop": ShopSettings,
    "helpdesk": HelpdeskSettings,
    "policy": PolicySettings,
    "score": ScoreSettings,
    "occasions": OccasionSettings,
    "relay": RelaySettings,
    "exchange": ExchangeSettings,
    "freshness": FreshnessSettings,
    "worker": WorkerSettings,
    "telemetry": TelemetrySettings,
    "log": LogSettings,
    "privacy": PrivacySettings,
    "identity": IdentitySettings,
    "deployment": DeploymentSettings,
}


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
    sections, sources = _layered(_files(environment, here, config_dir), environment)
    typed: dict[str, Any] = {
        name: typed_section(kind, sections.get(name, {}), name, sources) for name, kind in _SECTIONS.items()
    }
    typed["worker"] = replace(typed["worker"], tasks=MappingProxyType(_limits(sections, sources)))
    settings = Settings(
        home=(here / environment.get("WAGGLE_HOME", ".waggle")).resolve(),
        config_dir=config_dir,
        bpmn_dir=bpmn_dir,
        connectors=MappingProxyType(
            {
                name: keys
                for name, keys in sections.items()
                if name not in _SECTIONS and not name.startswith((_TASKS, _SOURCE, _STREAM, _ENVIRONMENT))
            }
        ),
        source_sections=MappingProxyType(_named(sections, _SOURCE)),
        stream_sections=MappingProxyType(_named(sections, _STREAM)),
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
        section = f"{_TASKS}{task_type}"
        sources |= {f"{section}.{key}": flag for key, flag in flags.items()}
        known = tasks.get(task_type, TaskSettings())
        keys = {each.name: getattr(known, each.name) for each in fields(TaskSettings)}
        tasks[task_type] = typed_section(TaskSettings, {**keys, **limits}, section, sources)
    worker = replace(settings.worker, tasks=MappingProxyType(tasks))
    return replace(settings, worker=worker, sources=MappingProxyType(sources))


def typed_section(
    kind: type[T], keys: Mapping[str, object], section: str, sources: Mapping[str, str] = MappingProxyType({})
) -> T:
    """Return the keys of a section as its frozen dataclass; texts from the environment become numbers and switches.

    *sources*, as in `Settings`, let an error say where the wrong value came from.

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
        raise BadSettings("SETTING_WRONG", _wrong(str(error), section, sources)) from error


def connector_section(
    kind: type[T],
    common: type,
    keys: Mapping[str, object],
    section: str,
    sources: Mapping[str, str] = MappingProxyType({}),
) -> T:
    """Return the keys of [*section*] that *kind* knows, typed; those that only *common* knows are left out.

    `<key>_file` names a file that holds the value of `<key>`, unless *kind* has a key of that name itself.

    Raises:
        BadSettings: a key is unknown, missing or of the wrong kind, or a file cannot be read.
    """
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    shared = {each.name for each in fields(common)} - known
    own: dict[str, object] = {}
    for key, value in keys.items():
        if key in shared:
            continue
        held = key.removesuffix("_file")
        if key not in known and held in known and held != key:
            own[held] = _read_secret(f"{section}.{key}", str(value))
        else:
            own[key] = value
    return typed_section(kind, own, section, sources)


def common_section(
    common: type[T], keys: Mapping[str, object], section: str, sources: Mapping[str, str] = MappingProxyType({})
) -> T:
    """Return those keys of [*section*] that *common* knows, typed.

    Raises:
        BadSettings: one is missing or of the wrong kind.
    """
    known = {each.name for each in fields(common)}  # type: ignore[arg-type]
    return typed_section(common, {key: keys[key] for key in keys if key in known}, section, sources)


def _wrong(error: str, section: str, sources: Mapping[str, str]) -> str:
    """Turn "Expected `int`, got `str` - at `$.port`" into words that begin with the setting; no value is quoted."""
    expected, found, path = error.rpartition(" - at `$.")
    if not found:
        return f"[{section}] {error}"
    setting = f"{section}.{path.rstrip('`')}"
    return f"{setting}: {expected}{f', from {sources[setting]}' if setting in sources else ''}"


def _limits(sections: Mapping[str, Mapping[str, object]], sources: Mapping[str, str]) -> dict[str, TaskSettings]:
    return {
        name.removeprefix(_TASKS): typed_section(TaskSettings, keys, name, sources)
        for name, keys in sorted(sections.items())
        if name.startswith(_TASKS)
    }


def _environments(
    sections: Mapping[str, Mapping[str, object]], sources: Mapping[str, str]
) -> dict[str, EnvironmentSettings]:
    return {
        name: connector_section(EnvironmentSettings, _Nothing, keys, f"{_ENVIRONMENT}{name}", sources)
        for name, keys in _named(sections, _ENVIRONMENT).items()
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
        for section, keys in _tables(file):
            for key, value in keys.items():
                put(section, key, value, str(file))
    for name, value in sorted(environment.items()):
        if not name.startswith(PREFIX) or name.removeprefix(PREFIX) in _PLACES:
            continue
        section, key = _spelt(name)
        # What a source's connector calls its keys is not known here: `connector_section` reads its files.
        own = section.startswith((_SOURCE, _STREAM, _ENVIRONMENT))
        if key.endswith("_file") and not _is_key(section, key) and not own:
            put(section, key.removesuffix("_file"), _read_secret(name, value), f"{name} (a file)")
        else:
            put(section, key, value, name)
    return sections, sources


def _tables(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the sections of *file*; [worker.tasks.x], [source.x], [stream.x], [environments.x] are their own.

    So each of their keys has a layer.
    """
    for section, keys in read_table(file).items():
        if not isinstance(keys, dict):
            raise BadSettings("SETTING_WRONG", f"{file}: {section!r} stands outside any [section]")
        if f"{section}." in {_SOURCE, _STREAM, _ENVIRONMENT}:
            yield from _named_tables(file, section, keys)
            continue
        tasks = keys.pop("tasks", {}) if section == "worker" else {}
        yield section, keys
        if not isinstance(tasks, dict) or not all(isinstance(limits, dict) for limits in tasks.values()):
            raise BadSettings("SETTING_WRONG", f"{file}: write limits of a task type under [worker.tasks.<task type>]")
        for task_type, limits in tasks.items():
            yield f"{_TASKS}{task_type}", limits


def _named_tables(file: Path, section: str, named: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, keys in named.items():
        if not isinstance(keys, dict) or not _NAME.fullmatch(name):
            raise BadSettings(
                "SETTING_WRONG",
                f"{file}: write [{section}.<name>], with a name of lower-case letters, digits and hyphens, "
                f"instead of {section}.{name}",
            )
        yield f"{section}.{name}", keys


def _spelt(name: str) -> tuple[str, str]:
    """Return section and key that the variable *name* sets; task types have hyphens where it has underscores."""
    words = name.removeprefix(PREFIX).lower().split("__")
    match words:
        case ["worker", "tasks", task_type, key]:
            return f"{_TASKS}{task_type.replace('_', '-')}", key
        case ["worker", "tasks", *_]:
            raise BadSettings(
                "SETTING_UNKNOWN", f"{name}: write WAGGLE_WORKER__TASKS__TASK_TYPE__KEY, with _ for - in the task type"
            )
        case ["source" | "stream" | "environments" as kind, named, *rest] if rest and _NAME.fullmatch(
            named.replace("_", "-")
        ):
            return f"{kind}.{named.replace('_', '-')}", "__".join(rest)
        case ["source" | "stream" | "environments" as kind, *_]:
            raise BadSettings(
                "SETTING_UNKNOWN", f"{name}: write WAGGLE_{kind.upper()}__NAME__KEY, with _ for - in the name"
            )
        case [section, *rest] if rest:
            return section, "__".join(rest)
    raise BadSettings("SETTING_UNKNOWN", f"{name}: write WAGGLE_SECTION__KEY, with two underscores")


def _is_key(section: str, key: str) -> bool:
    """Say whether *key* itself is a setting that names a file, such as engine.ca_file."""
    return section in _SECTIONS and key in {each.name for each in fields(_SECTIONS[section])}


def read_table(file: Path) -> dict[str, Any]:
    """Return what a TOML file says.

    Raises:
        BadSettings: CONFIG_UNREADABLE.
    """
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
