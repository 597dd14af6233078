"""The composition root: the only place that knows which class stands behind which port."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from litestar import Litestar, Router

from waggle.api.app import create_app
from waggle.api.limits import Limits, LimitSettings
from waggle.api.origins import Origins
from waggle.connector import Connector
from waggle.console import console_routes
from waggle.domain.event import Receipt
from waggle.domain.freshness import KINDS, FreshnessLimits
from waggle.domain.mapping import MappingProblem, RecordMapping, read_mapping
from waggle.domain.quiet_hours import QuietHours
from waggle.domain.score import ScoreBounds
from waggle.domain.secret import Secret
from waggle.engine.channel import GatewayAddress, OAuthClient, connect
from waggle.engine.client import ZeebeClient
from waggle.engine.local import LocalClock
from waggle.errors import BadSettings
from waggle.ports.audience import AudienceKeeper
from waggle.ports.clock import Clock
from waggle.ports.email import EmailSender
from waggle.ports.sources import EventFeed, EventQueue, EventStream, Webhook
from waggle.ports.unit_of_work import Transaction
from waggle.registry import find_connectors, find_tasks, load
from waggle.resources import shipped
from waggle.services.access import Access
from waggle.services.approvals import Approvals, QuestionBook, load_questions
from waggle.services.audiences import Audiences
from waggle.services.auditing import Auditing
from waggle.services.backfilling import Backfilling
from waggle.services.campaign_files import CampaignBook, load_campaign_book
from waggle.services.campaign_running import CampaignRunning
from waggle.services.campaign_test import CampaignTest
from waggle.services.campaigns import Campaigns
from waggle.services.cart_reading import CartReader
from waggle.services.catalogue import Catalogue, load_catalogue
from waggle.services.composing import Composer, Sender
from waggle.services.consent_texts import ConsentTextBook, load_consent_texts, load_purposes
from waggle.services.consents import Consents
from waggle.services.console_sessions import ConsoleSessions
from waggle.services.coupons import Coupons, load_campaigns
from waggle.services.customer_reading import CustomerReader
from waggle.services.customers import CustomerDesk
from waggle.services.deployment import Deploying
from waggle.services.disclosure import disclosure_for
from waggle.services.effects import Effects
from waggle.services.eligibility import Eligibility
from waggle.services.engine_messages import RefusedMessages
from waggle.services.enrolling import Enrolling
from waggle.services.enrolments import Enrolments
from waggle.services.erasing import Erasing
from waggle.services.exporting import Exporting
from waggle.services.freshness import Caller, Freshness, Refresher
from waggle.services.importing import Importing
from waggle.services.intake import Intake
from waggle.services.journey_overview import JourneyOverview
from waggle.services.journeys import JourneyBook, load_journeys
from waggle.services.keys import Keys
from waggle.services.loyalty import Loyalty, load_loyalty
from waggle.services.mailed_tickets import MailedTickets
from waggle.services.message_checks import SendingPolicy
from waggle.services.message_doubts import Doubts
from waggle.services.migrating import Migrating
from waggle.services.occasions import OccasionRules, Occasions, load_lasts
from waggle.services.one_time_actions import OneTimeActions
from waggle.services.order_reading import OrderReader, ProductReader
from waggle.services.pausing import Pausing
from waggle.services.people import People
from waggle.services.preferences import PreferenceCentre
from waggle.services.privacy_answers import PrivacyAnswers
from waggle.services.privacy_map import PrivacyMap, load_privacy_map
from waggle.services.privacy_requests import PrivacyRequestBook
from waggle.services.pulling import PULL_EVERY, RECORD_TOPIC, FeedPlan, Puller, Pulling, read_record
from waggle.services.quarantine import QuarantineDesk
from waggle.services.queues import QueueReader
from waggle.services.reading import Reading
from waggle.services.relay import Relay
from waggle.services.rendering import MessageTemplates
from waggle.services.replay import Progress, Replay
from waggle.services.retention import Retention
from waggle.services.scoring import Scoring
from waggle.services.segments import Segments, load_segments
from waggle.services.sending import Sending
from waggle.services.sources import SetSource, SourceBook
from waggle.services.state_rules import StateRules, load_rules
from waggle.services.streaming import NamedStream, Outbox, Streaming
from waggle.services.suppressing import Suppressing
from waggle.services.tickets import Tickets
from waggle.services.tracking import Tracking, Unsubscribing
from waggle.services.transfers import Transfers
from waggle.services.webhooks import Webhooks
from waggle.services.write_keys import WriteKeys
from waggle.settings import (
    Settings,
    SourceSection,
    SourceSettings,
    StreamSettings,
    TaskSettings,
    common_section,
    connector_section,
    read_table,
    settings_of,
    typed_section,
)
from waggle.storage.dump import read_tables
from waggle.storage.keyring import FileKeyring, Keyring, NoKeyring
from waggle.storage.safekeeping import Safekeeping
from waggle.storage.shadow import Shadow, open_shadow
from waggle.storage.signing_key import signing_key
from waggle.storage.store import Store, open_store
from waggle.storage.tables import metadata
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
        return open_store(
            self.settings.database_url,
            keyring=self.keyring,
            erased=self.settings.erased_list_file,
            busy_timeout_s=self.settings.database.busy_timeout_s,
            allow_plaintext=self.settings.database.allow_plaintext,
        )

    @cached_property
    def keyring(self) -> Keyring:
        """The master keys; read when the first is needed, and made then if they are to lie in the home folder."""
        file = self.settings.master_key_file
        return NoKeyring() if file is None else FileKeyring(file, may_make=not self.settings.privacy.master_key_file)

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
        allowed = {each.name: frozenset(self.common(each).allow_fields) for each in self.source_sections()}
        waiting = self.settings.api.waiting_events
        keep_ip = self.settings.privacy.keep_ip
        return Intake(self.store, self.clock, allow_fields=allowed, most_waiting=waiting, keep_ip=keep_ip)

    @cached_property
    def write_keys(self) -> WriteKeys:
        """Who may send events."""
        return WriteKeys(self.store, self.clock, self.access)

    @cached_property
    def access(self) -> Access:
        """Who asks, and what they may do."""
        return Access(self.store, self.clock)

    @cached_property
    def people(self) -> People:
        """Those who work with Waggle."""
        return People(self.store, self.clock)

    @cached_property
    def auditing(self) -> Auditing:
        """Reads and checks the audit log."""
        return Auditing(self.store, self.clock)

    @cached_property
    def audit_key(self) -> Ed25519PrivateKey:
        """Signs checkpoints of the audit log.

        Raises:
            BadSettings: SIGNING_KEY.
        """
        return signing_key(self.settings.home / "keys")

    @cached_property
    def keys(self) -> Keys:
        """The keys of programs and the tokens of people."""
        return Keys(self.store, self.clock, remind_after=self.settings.access.remind_after)

    @cached_property
    def quarantine(self) -> QuarantineDesk:
        """What was set aside, for those who look after it."""
        currency = self.settings.api.segment_currency
        return QuarantineDesk(self.store, self.intake, self.clock, read=self._read_again, segment_currency=currency)

    def _read_again(self, source: str, topic: str, raw: bytes, now: datetime) -> Sequence[object]:
        """Read what was set aside as the one would that set it aside; raises Rejected as the first time."""
        named = [self.common(section).mapping for section in self.source_sections() if section.name == source]
        if topic == RECORD_TOPIC and named and named[0]:
            return read_record(self.mapping(named[0]), raw, now)
        return self.webhooks().read(source, topic, raw, now)

    @cached_property
    def refused_messages(self) -> RefusedMessages:
        """Engine messages that the engine refused."""
        return RefusedMessages(self.store, self.clock)

    @cached_property
    def deploying(self) -> Deploying:
        """Deploys diagrams, and remembers what was deployed."""
        environment = self.settings.deployment.environment
        return Deploying(self.store, self.clock, environment=environment, config_dir=self.settings.config_dir)

    @cached_property
    def migrating(self) -> Migrating:
        """Moves running instances to another version."""
        return Migrating(self.store, self.clock)

    @cached_property
    def pausing(self) -> Pausing:
        """Pauses and resumes journeys."""
        return Pausing(self.store, self.catalogue, self.clock)

    @cached_property
    def journey_overview(self) -> JourneyOverview:
        """How every journey is doing."""
        return JourneyOverview(self.store, self.catalogue, self.journeys)

    def in_environment(self, name: str) -> "App":
        """Return what works in another environment, or this one if that is what it is called; whoever asks closes it.

        Raises:
            BadSettings: ENVIRONMENT_UNKNOWN, SETTING_MISSING.
        """
        settings = settings_of(self.settings, name)
        if settings is self.settings:
            return self
        other = App(settings)
        # Its list of erased persons lies with its own database, never here.
        other.store = open_store(
            settings.database_url,
            keyring=other.keyring,
            busy_timeout_s=settings.database.busy_timeout_s,
            allow_plaintext=settings.database.allow_plaintext,
        )
        return other

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
        limited = bool(self.freshness.limits.limits)
        refresher = Refresher(self.puller, self.feed_plans, self.store, self.clock) if limited else None
        return Sending(self.store, sender, self._composer(), self.policy, self.clock, lease=lease, refresher=refresher)

    @cached_property
    def segments(self) -> Segments:
        """Who is in which segment."""
        return Segments(self.store, load_segments(self.settings.config_dir), self.clock)

    @cached_property
    def campaign_book(self) -> CampaignBook:
        """The campaigns that may be run."""
        segments = [each.name for each in self.segments.list()]
        return load_campaign_book(self.settings.config_dir, segments, self.templates)

    @cached_property
    def campaigns(self) -> Campaigns:
        """The desk for campaigns."""
        return Campaigns(self.store, self.campaign_book, self.journeys, self.clock)

    @cached_property
    def questions(self) -> QuestionBook:
        """What diagrams ask of people."""
        return load_questions(self.settings.bpmn_dir)

    @cached_property
    def approvals(self) -> Approvals:
        """What people are asked, and answer."""
        return Approvals(self.store, self.questions, self.clock)

    @cached_property
    def console_sessions(self) -> ConsoleSessions:
        """Who is logged in to the console."""
        return ConsoleSessions(self.store, self.access, self.clock)

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
            freshness=self.freshness,
        )

    def webhooks(self, hear: Callable[[str, str], None] = lambda _source, _outcome: None) -> Webhooks:
        """The way in for systems that call; *hear* is told the source of each call and what became of it.

        Raises:
            BadSettings: the section of a source is wrong.
        """
        receivers = {section.name: self.made(section, Webhook) for section in self.source_sections(Webhook)}
        return Webhooks(self.store, self.intake, self.clock, receivers, tell=hear)

    def api(
        self,
        tell: Callable[[Sequence[Receipt]], None] = lambda _receipts: None,
        hear: Callable[[str, str], None] = lambda _source, _outcome: None,
        tell_read: Callable[[str], None] = lambda _name: None,
    ) -> Litestar:
        """The HTTP application.

        *tell* hears what became of events that sources sent, *hear* of calls of webhooks, *tell_read* who was shown
        personal fields.
        """
        return create_app(
            self.intake,
            self.access,
            Tracking(self.store, self.intake, self.clock),
            Unsubscribing(self.store, self.intake, self.clock, self.settings.shop.name),
            StoreReadiness(self.store),
            webhooks=self.webhooks(hear),
            limits=self._limits(),
            origins=Origins(self.settings.api.tracker_origins.split()),
            segment_currency=self.settings.api.segment_currency,
            quarantine=self.quarantine,
            reading=Reading(self.store, self.clock),
            preferences=(self.preference_centre, self.one_time_actions),
            privacy_requests=self.privacy_requests,
            pages=[self._console()],
            tell=tell,
            tell_read=tell_read,
        )

    def _console(self) -> Router:
        secure = self.settings.api.public_url.startswith("https://")
        return console_routes(self.console_sessions, self.approvals, self.clock, secure=secure)

    def _limits(self) -> Limits:
        api = self.settings.api
        return Limits(
            LimitSettings(
                requests_per_s=api.requests_per_s,
                events_per_s=api.events_per_s,
                bodies_bytes=api.bodies_bytes,
                body_timeout_s=api.body_timeout_s,
            )
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
            allow_plaintext=engine.allow_plaintext,
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
        return Relay(self.store, engine, Enrolling(self.catalogue, self.journeys), self.clock, self.state_rules)

    @cached_property
    def state_rules(self) -> StateRules:
        """Who is right where sources disagree, and what makes two ids one person."""
        identity = self.settings.identity
        return load_rules(
            self.settings.config_dir, merge_by_email=identity.merge_by_email, merge_by_phone=identity.merge_by_phone
        )

    @cached_property
    def customer_desk(self) -> CustomerDesk:
        """For people who look somebody up."""
        return CustomerDesk(self.store, self.intake, self.clock)

    def shadow(self) -> AbstractContextManager[Shadow]:
        """A second store for reading the events anew; see `waggle.storage.shadow.open_shadow`."""
        mark = hashlib.sha256(f"{self.settings.database_url}\n{self.state_rules}".encode()).hexdigest()
        return open_shadow(self.settings.home / "replay", self.keyring, mark)

    def replay(self, shadow: Shadow, progress: Progress) -> Replay:
        """The way to derive what is known from the events anew."""
        return Replay(self.store, shadow.store, self.state_rules, shadow.bookmark, progress)

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
            CustomerReader(self.store, self.catalogue, self.journeys, self.clock),
            OrderReader(self.store),
            ProductReader(self.store),
            self.effects,
            Eligibility(self.store, self.policy, self.clock),
            Scoring(self.store, bounds, self.clock),
            Coupons(self.store, load_campaigns(self.settings.config_dir), self.clock),
            self.sending,
            PrivacyAnswers(self.store, self.clock),
            self.exporting,
            Erasing(self.store, self.clock),
            Suppressing(self.store, self.clock),
            Tickets(self.store, self.effects, self._helpdesk()),
            Loyalty(self.store, load_loyalty(self.settings.config_dir), self.clock),
            self.audiences,
            self.approvals,
            CampaignRunning(self.store, self.campaign_book, self.segments, self.sending, self.clock),
            self._campaign_test(),
        ]
        return {type(service): service for service in offered}

    @cached_property
    def audience_keeper(self) -> AudienceKeeper | None:
        """Who keeps advertising audiences outside; None where nobody is set up for it.

        Raises:
            BadSettings: more than one is, or the section is wrong.
        """
        able = [each.name for each in find_connectors().values() if AudienceKeeper in each.provides]
        return self.provider(AudienceKeeper) if any(name in self.settings.connectors for name in able) else None

    @property
    def audiences(self) -> Audiences:
        """The way into advertising audiences, and out of them."""
        return Audiences(self.store, self.effects, self.audience_keeper, self.clock)

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

    def source_sections(self, port: type | None = None) -> list[SourceSection]:
        """Return the sources that are set; only those that offer *port*, if one is given.

        Raises:
            BadSettings: a section is wrong.
        """
        return self._sections("source", self.settings.source_sections, SourceSettings, port)

    def stream_sections(self, port: type | None = None) -> list[SourceSection]:
        """Return the streams that are set; only those that offer *port*, if one is given.

        Raises:
            BadSettings: a section is wrong.
        """
        return self._sections("stream", self.settings.stream_sections, StreamSettings, port)

    def common(self, section: SourceSection) -> SourceSettings:
        """Return what is set for a source whatever its connector.

        Raises:
            BadSettings: a key is of the wrong kind.
        """
        return common_section(SourceSettings, section.keys, section.section, self.settings.sources)

    def typed(self, section: SourceSection) -> object:
        """Return the settings of a section's own connector.

        Where these have a key `mapping`, the name given becomes what config/mappings/<name>.toml declares.

        Raises:
            BadSettings: a key is unknown, missing or of the wrong kind, or a file cannot be read.
        """
        kind = find_connectors()[section.connector].settings
        keys = dict(section.keys)
        named = keys.pop("mapping", None) if "mapping" in {each.name for each in fields(kind)} else None
        common = SourceSettings if section.section.startswith("source.") else StreamSettings
        settings: Any = connector_section(kind, common, keys, section.section, self.settings.sources)
        return replace(settings, mapping=self.mapping(named)) if isinstance(named, str) and named else settings

    def mapping(self, name: str) -> RecordMapping:
        """Return what config/mappings/<name>.toml declares.

        Raises:
            BadSettings: MAPPING_WRONG, CONFIG_UNREADABLE.
        """
        file = self.settings.config_dir / "mappings" / f"{name}.toml"
        try:
            return read_mapping(read_table(file), name)
        except MappingProblem as problem:
            raise BadSettings("MAPPING_WRONG", f"{file}: {problem}") from None

    def made(self, section: SourceSection, port: type[T]) -> T:
        """Return what stands behind *port* for one source or stream.

        Raises:
            BadSettings: CONNECTOR_CHOICE, if its connector does not offer that; or the section is wrong.
        """
        connector = find_connectors()[section.connector]
        settings: Any = self.typed(section)
        if not _offers(connector, port, settings):
            need = f"{section.section}.{connector.only_with[port]}" if port in connector.only_with else ""
            raise BadSettings(
                "CONNECTOR_CHOICE",
                f"{section.section}: {connector.name} is no {port.__name__}{f' without {need}' if need else ''}",
            )
        made: Any = load(connector.provides[port])(settings)
        provided: T = made
        return provided

    @cached_property
    def importing(self) -> Importing:
        """The way in for files."""
        return Importing(self.store, self.intake, self.clock)

    @cached_property
    def backfilling(self) -> Backfilling:
        """Asks sources again for what lies between two times."""
        return Backfilling(self.puller, lambda: self.feed_plans, self.store, self.clock)

    @cached_property
    def puller(self) -> Puller:
        """Asks sources for one page at a time."""
        return Puller(self.store, self.intake, self.clock)

    @cached_property
    def feed_plans(self) -> list[FeedPlan]:
        """The sources that can be asked, and when.

        Raises:
            BadSettings: a section is wrong.
        """
        callers = {section.name for section in self.source_sections(Webhook)}
        plans = []
        for section in self.source_sections(EventFeed):
            common, calls = self.common(section), section.name in callers
            plans.append(
                FeedPlan(
                    source=section.name,
                    feed=self.made(section, EventFeed),
                    every=common.pull_every if common.pull_every or calls else PULL_EVERY,
                    expect_within=common.expect_within if calls else None,
                    first_pull=common.first_pull,
                    covers=common.covers,
                    timeout_s=common.page_timeout_s,
                )
            )
        return plans

    @property
    def has_exchange(self) -> bool:
        """Whether a source is set that can be asked or read, or a stream that is told.

        Raises:
            BadSettings: a section is wrong.
        """
        return bool(
            self.source_sections(EventFeed) or self.source_sections(EventQueue) or self.stream_sections(EventStream)
        )

    def pulling(self) -> Pulling:
        """Return what asks every source that can be asked.

        Raises:
            BadSettings: a section is wrong.
        """

        def heard(tx: Transaction, source: str) -> datetime | None:
            return tx.deliveries.last_heard_at(source)

        return Pulling(self.puller, self.feed_plans, self.store, self.clock, heard=heard)

    @cached_property
    def freshness(self) -> Freshness:
        """How old facts may be when a message leaves, and who tells of what.

        Raises:
            BadSettings: SETTING_WRONG, if a source covers what is no kind of fact.
        """
        settings = self.settings.freshness
        given = {"stock": settings.stock, "price": settings.price, "order": settings.order, "cart": settings.cart}
        callers = []
        for section in self.source_sections():
            common = self.common(section)
            wrong = sorted(set(common.covers) - set(KINDS))
            if wrong:
                raise BadSettings("SETTING_WRONG", f"{section.section}.covers: give some of: {', '.join(KINDS)}")
            if common.covers:
                callers.append(Caller(source=section.name, covers=common.covers, expect_within=common.expect_within))
        return Freshness(
            limits=FreshnessLimits({kind: limit for kind, limit in given.items() if limit is not None}),
            callers=callers,
            look_again_after=settings.look_again_after,
        )

    @property
    def source_book(self) -> SourceBook:
        """Every source, and how it is doing.

        Raises:
            BadSettings: a section is wrong.
        """
        ports = {"webhook": Webhook, "feed": EventFeed, "queue": EventQueue}
        offering = {kind: {each.name for each in self.source_sections(port)} for kind, port in ports.items()}
        sources = []
        for section in self.source_sections():
            mapping = self.common(section).mapping
            kinds = [kind for kind in ports if section.name in offering[kind]] if section.connector else ["key"]
            rows = self.mapping(mapping).rows() if mapping else []
            sources.append(
                SetSource(name=section.name, connector=section.connector, kinds=kinds, mapping=mapping, rows=rows)
            )
        return SourceBook(self.store, self.clock, self.freshness, sources)

    def queues(self) -> list[QueueReader]:
        """Return what reads each configured queue.

        Raises:
            BadSettings: a section is wrong.
        """
        sections = self.source_sections(EventQueue)
        return [QueueReader(section.name, self.made(section, EventQueue), self.intake) for section in sections]

    def streaming(self) -> Streaming:
        """Return what tells every configured stream, if there is one.

        Raises:
            BadSettings: a section is wrong, or names a purpose that config/privacy.toml does not know.
        """
        streams = []
        for section in self.stream_sections(EventStream):
            common = common_section(StreamSettings, section.keys, section.section, self.settings.sources)
            named = f"{section.section}.purpose"
            disclosure = disclosure_for(self.settings.config_dir, common.purpose, named)
            streams.append(NamedStream(section.name, self.made(section, EventStream), disclosure, common.begin))
        return Streaming(self.store, streams, self.clock)

    @cached_property
    def outbox(self) -> Outbox:
        """How far each stream is."""
        return Outbox(self.store, self.clock)

    def tables(self, names: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return every row of these tables of the database, for reports that count everything."""
        database = self.settings.database
        return read_tables(self.settings.database_url, names, allow_plaintext=database.allow_plaintext)

    @property
    def safekeeping(self) -> Safekeeping:
        """Backups and master keys."""
        database = self.settings.database
        return Safekeeping(
            url=self.settings.database_url,
            keyring=self.keyring,
            erased=self.settings.erased_list_file,
            allow_plaintext=database.allow_plaintext,
            busy_timeout_s=database.busy_timeout_s,
        )

    @cached_property
    def privacy_map(self) -> PrivacyMap:
        """What every column of the database is.

        Raises:
            BadSettings: `privacy.toml` cannot be read, says something that means nothing, or does not know a column.
        """
        known = load_privacy_map(self.settings.config_dir)
        columns = {table.name: [column.name for column in table.columns] for table in metadata.sorted_tables}
        if wrong := known.differences(columns):
            raise BadSettings("PRIVACY_MAP_WRONG", f"privacy.toml: {'; '.join(wrong)}")
        return known

    @cached_property
    def consent_texts(self) -> ConsentTextBook:
        """The wordings that people agree to."""
        return load_consent_texts(self.settings.config_dir)

    async def keep_consent_texts(self) -> None:
        """Store wordings that are new.

        Raises:
            BadSettings: CONSENT_TEXT_CHANGED.
        """
        if not await self.store.read(self.consent_texts.is_kept):
            await self.store.run(lambda tx: self.consent_texts.keep(tx, self.clock.now()))

    @cached_property
    def consents(self) -> Consents:
        """What people agreed to, and the proof of it."""
        return Consents(self.store)

    @cached_property
    def preference_centre(self) -> PreferenceCentre:
        """The page of a customer."""
        return PreferenceCentre(
            self.store,
            self.intake,
            self.clock,
            shop_name=self.settings.shop.name,
            purposes=load_purposes(self.settings.config_dir, self.consent_texts),
            texts=self.consent_texts,
            privacy_map=self.privacy_map,
        )

    @cached_property
    def one_time_actions(self) -> OneTimeActions:
        """What links in mails do once."""
        return OneTimeActions(
            self.store,
            self.clock,
            shop_name=self.settings.shop.name,
            texts=self.consent_texts,
            public_url=self.settings.api.public_url.rstrip("/"),
        )

    @cached_property
    def privacy_requests(self) -> PrivacyRequestBook:
        """What customers asked about their data."""
        return PrivacyRequestBook(self.store, self.clock)

    @cached_property
    def exporting(self) -> Exporting:
        """Copies of what is held about somebody."""
        return Exporting(self.store, self.privacy_map, self.clock)

    @cached_property
    def retention(self) -> Retention:
        """What is over its time."""
        return Retention(self.store, self.privacy_map, self.clock)

    @cached_property
    def effects(self) -> Effects:
        """What journeys do outside beyond messages and coupons, and the way to settle what is in doubt."""
        return Effects(self.store, self.clock)

    @cached_property
    def occasions(self) -> Occasions:
        """What is told from what is known: birthdays, customers who have not bought for long.

        Raises:
            BadSettings: REPLENISHMENT_WRONG.
        """
        settings = self.settings.occasions
        rules = OccasionRules(
            lapsed_after=settings.lapsed_after,
            lapsed_until=settings.lapsed_until,
            unengaged_messages=settings.unengaged_messages,
            unengaged_within=settings.unengaged_within,
            birthday_ahead=settings.birthday_ahead,
            replenish_ahead=settings.replenish_ahead,
            lasts=load_lasts(self.settings.config_dir),
        )
        return Occasions(self.store, self.catalogue, self.journeys, rules, self.clock)

    @cached_property
    def transfers(self) -> Transfers:
        """The register of what left the house."""
        return Transfers(self.store)

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
        self.source_sections()
        self.stream_sections()

    def _sections(
        self, word: str, named: Mapping[str, Mapping[str, object]], common: type[Any], port: type | None
    ) -> list[SourceSection]:
        connectors = find_connectors()
        found = []
        for name, keys in named.items():
            written = f"{word}.{name}"
            connector: str = common_section(common, keys, written, self.settings.sources).connector
            if connector and connector not in connectors:
                raise BadSettings(
                    "CONNECTOR_UNKNOWN", f"{written}.connector: {connector!r} is none of: {', '.join(connectors)}"
                )
            own = MappingProxyType({key: value for key, value in keys.items() if key != "connector"})
            section = SourceSection(name=name, connector=connector, keys=own, section=written)
            if port is None or (connector and _offers(connectors[connector], port, self.typed(section))):
                found.append(section)
        return found

    def _helpdesk(self) -> MailedTickets:
        shop = self.settings.shop
        sender = self.provider(EmailSender)
        return MailedTickets(
            sender, address=self.settings.helpdesk.address, written_by=shop.sender, domain=shop.list_id
        )

    def _composer(self) -> Composer:
        return Composer(self.templates, self._shop())

    def _campaign_test(self) -> CampaignTest:
        sender = self.provider(EmailSender)
        return CampaignTest(self.store, self.campaign_book, self.templates, sender, self._shop(), self.clock)

    def _shop(self) -> Sender:
        shop = self.settings.shop
        return Sender(
            shop_name=shop.name,
            sender=shop.sender,
            list_id=shop.list_id,
            postal_address=shop.postal_address,
            shop_url=shop.url,
            public_url=self.settings.api.public_url.rstrip("/"),
            default_time_zone=self.settings.policy.default_time_zone,
        )


def _offers(connector: Connector, port: type, settings: object) -> bool:
    if port not in connector.provides:
        return False
    given = getattr(settings, connector.only_with[port]) if port in connector.only_with else True
    return bool(given.reveal() if isinstance(given, Secret) else given)


def _file(named: str) -> Path | None:
    return Path(named) if named else None
