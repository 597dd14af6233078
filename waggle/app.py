"""The composition root: the only place that knows which class stands behind which port."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import grpc
from litestar import Litestar

from waggle.api.app import create_app
from waggle.domain.event import Receipt
from waggle.domain.quiet_hours import QuietHours
from waggle.domain.score import ScoreBounds
from waggle.engine.channel import GatewayAddress, OAuthClient, connect
from waggle.engine.client import ZeebeClient
from waggle.engine.local import LocalClock
from waggle.errors import BadSettings
from waggle.ports.clock import Clock
from waggle.ports.email import EmailSender
from waggle.registry import find_connectors, find_tasks, load
from waggle.resources import shipped
from waggle.services.cart_reading import CartReader
from waggle.services.catalogue import Catalogue, load_catalogue
from waggle.services.composing import Composer, Sender
from waggle.services.coupons import Coupons, load_campaigns
from waggle.services.eligibility import Eligibility
from waggle.services.enrolling import Enrolling
from waggle.services.enrolments import Enrolments
from waggle.services.intake import Intake
from waggle.services.journeys import JourneyBook, load_journeys
from waggle.services.message_checks import SendingPolicy
from waggle.services.message_doubts import Doubts
from waggle.services.relay import Relay
from waggle.services.rendering import MessageTemplates
from waggle.services.scoring import Scoring
from waggle.services.sending import Sending
from waggle.services.tracking import Tracking, Unsubscribing
from waggle.services.write_keys import WriteKeys
from waggle.settings import Settings, TaskSettings, typed_section
from waggle.storage.dump import read_tables
from waggle.storage.store import Store, open_store
from waggle.task import Task

T = TypeVar("T")


class WallClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Return the present as aware UTC."""
        return datetime.now(UTC)


class StoreReadiness:
    """Asks the database whether it answers."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def check(self) -> None:
        """Return if it does.

        Raises:
            TemporaryFailure: it does not.
        """
        await self._store.read(lambda tx: tx.events.count_pending())


@dataclass
class App:
    """Everything one process may need, made when first asked for; `close` lets go of it."""

    settings: Settings

    @cached_property
    def store(self) -> Store:
        """The database, brought up to date.

        Raises:
            BadSettings: a section of the settings belongs to nobody, so that what it sets is not what is in force.
        """
        self._check_sections()
        return open_store(self.settings.database_url, busy_timeout_s=self.settings.database.busy_timeout_s)

    @cached_property
    def clock(self) -> Clock:
        """The engine's time: the embedded one may have been moved forward for a simulation."""
        return LocalClock(self.settings.engine_home) if self.settings.embedded_engine else WallClock()

    @cached_property
    def catalogue(self) -> Catalogue:
        """Which event starts, moves or ends which journey."""
        return load_catalogue(self.settings.bpmn_dir)

    @cached_property
    def journeys(self) -> JourneyBook:
        """The journeys' settings."""
        return load_journeys(self.settings.config_dir)

    @cached_property
    def tasks(self) -> Mapping[str, Task]:
        """Every task type, with the limits that are in force here: as declared, unless [worker.tasks] says otherwise.

        Raises:
            BadSettings: TASK_TYPE_UNKNOWN, if limits are set for one that nobody answers.
        """
        tasks = find_tasks()
        for task_type, limits in self.settings.worker.tasks.items():
            if task_type not in tasks:
                raise BadSettings(
                    "TASK_TYPE_UNKNOWN", f"worker.tasks.{task_type}: no worker answers it; known: {', '.join(tasks)}"
                )
            given = {each.name: getattr(limits, each.name) for each in fields(TaskSettings)}
            in_force: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
            tasks[task_type] = replace(tasks[task_type], **in_force)
        return MappingProxyType(tasks)

    @cached_property
    def templates(self) -> MessageTemplates:
        """The messages' templates, compiled."""
        return MessageTemplates.load(self.settings.config_dir / "messages")

    @cached_property
    def intake(self) -> Intake:
        """The one door in."""
        return Intake(self.store, self.clock)

    @cached_property
    def write_keys(self) -> WriteKeys:
        """Who may send events."""
        return WriteKeys(self.store, self.clock)

    @cached_property
    def doubts(self) -> Doubts:
        """The messages of which nobody knows whether they left, and the way to settle them."""
        return Doubts(self.store, self.clock)

    @cached_property
    def sending(self) -> Sending:
        """The one way by which messages leave; a lease on one outlives the longest try by a third."""
        longest_s = max(task.timeout_s for task in self.tasks.values() if Sending in task.needs.values())
        sender = self.provider(EmailSender)
        lease = timedelta(seconds=longest_s * 4 / 3)
        return Sending(self.store, sender, self._composer(), self.policy, self.clock, lease=lease)

    @cached_property
    def policy(self) -> SendingPolicy:
        """The shop's rules for marketing messages."""
        policy = self.settings.policy
        return SendingPolicy(
            quiet_hours=QuietHours(policy.quiet_from, policy.quiet_until),
            default_time_zone=policy.default_time_zone,
            cap_messages=policy.cap_messages,
            cap_window=policy.cap_window,
            message_valid_for=policy.message_valid_for,
        )

    def api(self, tell: Callable[[Sequence[Receipt]], None] = lambda _receipts: None) -> Litestar:
        """The HTTP application; *tell* hears what became of the events that sources sent."""
        return create_app(
            self.intake,
            self.write_keys,
            Tracking(self.store, self.intake, self.clock),
            Unsubscribing(self.store, self.intake, self.clock, self.settings.shop.name),
            StoreReadiness(self.store),
            tell=tell,
        )

    def gateway(self, address: str) -> GatewayAddress:
        """How to reach the engine at *address*."""
        engine = self.settings.engine
        oauth = None
        if engine.client_id:
            oauth = OAuthClient(
                engine.client_id, engine.client_secret.reveal(), engine.token_url, engine.audience or None
            )
        return GatewayAddress(
            address=address,
            tls=engine.tls,
            ca_file=_file(engine.ca_file),
            cert_file=_file(engine.cert_file),
            key_file=_file(engine.key_file),
            oauth=oauth,
        )

    def channel(self, address: str) -> grpc.aio.Channel:
        """A way to the engine at *address*; see `waggle.engine.channel.connect`."""
        return connect(self.gateway(address))

    def engine_client(self, channel: grpc.aio.Channel, address: str) -> ZeebeClient:
        """The engine, for publishing and deploying."""
        return ZeebeClient(channel, self.catalogue.variables, address=address, tenant_id=self.settings.engine.tenant_id)

    def relay(self, engine: ZeebeClient) -> Relay:
        """The way from the inbox to projections and engine."""
        return Relay(self.store, engine, Enrolling(self.catalogue, self.journeys), self.clock)

    def services(self) -> Mapping[type, object]:
        """What tasks may ask for, by type."""
        score = self.settings.score
        bounds = ScoreBounds(
            recent=score.recent,
            lapsed_after=score.lapsed_after,
            frequent_orders=score.frequent_orders,
            regular_orders=score.regular_orders,
            premium_minor=score.premium_minor,
            average_minor=score.average_minor,
        )
        offered: list[object] = [
            Enrolments(self.store, self.journeys, self.clock),
            CartReader(self.store, self.clock),
            Eligibility(self.store, self.policy, self.clock),
            Scoring(self.store, bounds, self.clock),
            Coupons(self.store, load_campaigns(self.settings.config_dir), self.clock),
            self.sending,
        ]
        return {type(service): service for service in offered}

    def provider(self, port: type[T]) -> T:
        """Return what stands behind *port*: the connector that provides it and has a section in the settings.

        Raises:
            BadSettings: no connector or more than one is set for it, or its section is wrong.
        """
        self._check_sections()
        connectors = find_connectors()
        able = [each for each in connectors.values() if port in each.provides]
        chosen = [each for each in able if each.name in self.settings.connectors]
        if len(chosen) > 1:
            chosen = [each for each in chosen if self._is_written(each.name)]
        if len(chosen) != 1:
            names = ", ".join(each.name for each in able)
            raise BadSettings("CONNECTOR_CHOICE", f"{port.__name__} needs exactly one section of: {names}")
        [connector] = chosen
        keys: Any = typed_section(connector.settings, self.settings.connectors[connector.name], connector.name)
        made: Any = load(connector.provides[port])(keys)
        provided: T = made
        return provided

    def tables(self, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return every row of these tables of the database, for reports that count everything."""
        return read_tables(self.settings.database_url, names)

    def close(self) -> None:
        """Let go of the database, if it was opened."""
        if "store" in self.__dict__:
            self.store.close()

    def _is_written(self, section: str) -> bool:
        """Say whether somebody set a key of *section*: what only the shipped defaults say gives way."""
        default = str((shipped("config") / "waggle.toml").resolve())
        return any(source != default for key, source in self.settings.sources.items() if key.startswith(f"{section}."))

    def _check_sections(self) -> None:
        connectors = find_connectors()
        for section in self.settings.connectors:
            if section not in connectors:
                raise BadSettings("SETTING_UNKNOWN", f"[{section}] is neither a part of Waggle nor a connector")

    def _composer(self) -> Composer:
        shop = self.settings.shop
        return Composer(
            self.templates,
            Sender(
                shop_name=shop.name,
                sender=shop.sender,
                list_id=shop.list_id,
                postal_address=shop.postal_address,
                shop_url=shop.url,
                public_url=self.settings.api.public_url.rstrip("/"),
                default_time_zone=self.settings.policy.default_time_zone,
            ),
        )


def _file(named: str) -> Path | None:
    return Path(named) if named else None
