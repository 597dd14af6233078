"""The sections of the settings: what may be set, and of which kind it is. waggle.toml says what each key means."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from waggle.domain.loopback import is_loopback
from waggle.domain.secret import Secret
from waggle.log import Form


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

    @property
    def address(self) -> str:
        """Where this machine reaches it."""
        host = "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 -- where it listens, not we
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


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


SECTIONS: dict[str, type] = {
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
"""By name, those that a class stands for."""
