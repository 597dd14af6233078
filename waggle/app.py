"""The composition root: the only place that knows which class stands behind which port."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from waggle.engine.local import LocalClock
from waggle.ports.audience import AudienceKeeper
from waggle.ports.clock import Clock
from waggle.ports.email import EmailSender
from waggle.ports.journey_engine import JourneyEngine
from waggle.services.approvals import Approvals, QuestionBook, load_questions
from waggle.services.audiences import Audiences
from waggle.services.auditing import Auditing
from waggle.services.campaign_files import CampaignBook, load_campaign_book
from waggle.services.campaign_running import CampaignRunning
from waggle.services.campaign_test import CampaignTest
from waggle.services.campaigns import Campaigns
from waggle.services.cart_reading import CartReader
from waggle.services.catalogue import Catalogue, load_catalogue
from waggle.services.composing import Composer
from waggle.services.coupons import Coupons, load_campaigns
from waggle.services.customer_reading import CustomerReader
from waggle.services.customers import CustomerDesk
from waggle.services.deployment import Deploying
from waggle.services.effects import Effects
from waggle.services.eligibility import Eligibility
from waggle.services.engine_messages import RefusedMessages
from waggle.services.enrolling import Enrolling
from waggle.services.enrolments import Enrolments
from waggle.services.erasing import Erasing
from waggle.services.freshness import Freshness, Refresher
from waggle.services.intake import Intake
from waggle.services.journey_overview import JourneyOverview
from waggle.services.journeys import JourneyBook, load_journeys
from waggle.services.loyalty import Loyalty, load_loyalty
from waggle.services.mailed_tickets import MailedTickets
from waggle.services.message_checks import SendingPolicy
from waggle.services.message_doubts import Doubts
from waggle.services.migrating import Migrating
from waggle.services.occasions import Occasions
from waggle.services.order_reading import OrderReader, ProductReader
from waggle.services.pausing import Pausing
from waggle.services.privacy_answers import PrivacyAnswers
from waggle.services.quarantine import QuarantineDesk
from waggle.services.relay import Relay
from waggle.services.rendering import MessageTemplates
from waggle.services.replay import Progress, Replay
from waggle.services.scoring import Scoring
from waggle.services.segments import Segments, load_segments
from waggle.services.sending import Sending
from waggle.services.sources import SourceBook
from waggle.services.state_rules import StateRules, load_rules
from waggle.services.suppressing import Suppressing
from waggle.services.tickets import Tickets
from waggle.settings import Settings, settings_of
from waggle.storage.shadow import Shadow
from waggle.storage.signing_key import signing_key
from waggle.storage.store import Store
from waggle.task import Task
from waggle.wiring.accounts import Accounts
from waggle.wiring.database import Database
from waggle.wiring.engine_way import EngineWay
from waggle.wiring.privacy import Privacy
from waggle.wiring.rules import freshness_of, messages_together, occasion_rules, score_bounds, sender_of, sending_policy
from waggle.wiring.sections import Sections
from waggle.wiring.sources import Sources
from waggle.wiring.streams import Streams
from waggle.wiring.systems import ConnectedSystems
from waggle.wiring.tasks import tasks_in_force
from waggle.wiring.wall_clock import WallClock


@dataclass
class App:
    """Everything one process may need, made when first asked for; `close` lets go of it."""

    settings: Settings

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
        other.store = other.database.open(erased=None)
        return other

    def close(self) -> None:
        """Let go of the database, if it was opened."""
        if "store" in self.__dict__:
            self.store.close()

    @cached_property
    def clock(self) -> Clock:
        """The engine's time: the embedded one may have been moved forward for a simulation."""
        return LocalClock(self.settings.engine_home) if self.settings.embedded_engine else WallClock()

    @cached_property
    def sections(self) -> Sections:
        """The sources and streams that are set."""
        return Sections(self.settings)

    @cached_property
    def systems(self) -> ConnectedSystems:
        """The connectors that are set."""
        return ConnectedSystems(self.sections)

    @cached_property
    def database(self) -> Database:
        """The database that the settings name, and its master keys."""
        return Database(self.settings)

    @cached_property
    def store(self) -> Store:
        """The database, brought up to date.

        Raises:
            BadSettings: a section of the settings belongs to nobody, so that what it sets is not what is in force.
        """
        self.sections.check()
        return self.database.open(self.settings.erased_list_file)

    @cached_property
    def engine(self) -> EngineWay:
        """How the engine is reached."""
        return EngineWay(self.settings.engine, self.catalogue)

    @cached_property
    def catalogue(self) -> Catalogue:
        """Which event starts, moves or ends which journey."""
        return load_catalogue(self.settings.bpmn_dir)

    @cached_property
    def journeys(self) -> JourneyBook:
        """The journeys' settings."""
        return load_journeys(self.settings.config_dir)

    @cached_property
    def questions(self) -> QuestionBook:
        """What diagrams ask of people."""
        return load_questions(self.settings.bpmn_dir)

    @cached_property
    def tasks(self) -> Mapping[str, Task]:
        """Every task type, with the limits that are in force here: as declared, unless [worker.tasks] says otherwise.

        Raises:
            BadSettings: TASK_TYPE_UNKNOWN, if limits are set for one that nobody answers.
        """
        return tasks_in_force(self.settings.worker.tasks)

    @cached_property
    def templates(self) -> MessageTemplates:
        """The messages' templates, compiled."""
        return MessageTemplates.load(self.settings.config_dir / "messages")

    @cached_property
    def state_rules(self) -> StateRules:
        """Who is right where sources disagree, and what makes two ids one person."""
        identity = self.settings.identity
        return load_rules(
            self.settings.config_dir, merge_by_email=identity.merge_by_email, merge_by_phone=identity.merge_by_phone
        )

    @cached_property
    def freshness(self) -> Freshness:
        """How old facts may be when a message leaves, and who tells of what.

        Raises:
            BadSettings: SETTING_WRONG, if a source covers what is no kind of fact.
        """
        return freshness_of(self.settings.freshness, self.sections)

    @cached_property
    def policy(self) -> SendingPolicy:
        """The shop's rules for marketing messages."""
        return sending_policy(self.settings.policy, self.freshness)

    @cached_property
    def intake(self) -> Intake:
        """The one door in."""
        sections = self.sections
        allowed = {each.name: frozenset(sections.of_source(each).allow_fields) for each in sections.sources()}
        waiting = self.settings.api.waiting_events
        keep_ip = self.settings.privacy.keep_ip
        return Intake(self.store, self.clock, allow_fields=allowed, most_waiting=waiting, keep_ip=keep_ip)

    @cached_property
    def sources(self) -> Sources:
        """What takes facts in from each source."""
        return Sources(self.systems, self.store, self.intake, self.clock)

    @property
    def source_book(self) -> SourceBook:
        """Every source, and how it is doing.

        Raises:
            BadSettings: a section is wrong.
        """
        return SourceBook(self.store, self.clock, self.freshness, self.sections.list_sources())

    @cached_property
    def quarantine(self) -> QuarantineDesk:
        """What was set aside, for those who look after it."""
        currency = self.settings.api.segment_currency
        read = self.sources.read_again
        return QuarantineDesk(self.store, self.intake, self.clock, read=read, segment_currency=currency)

    def relay(self, engine: JourneyEngine) -> Relay:
        """The way from the inbox to projections and engine."""
        return Relay(self.store, engine, Enrolling(self.catalogue, self.journeys), self.clock, self.state_rules)

    def replay(self, shadow: Shadow, progress: Progress) -> Replay:
        """The way to derive what is known from the events anew."""
        return Replay(self.store, shadow.store, self.state_rules, shadow.bookmark, progress)

    @cached_property
    def occasions(self) -> Occasions:
        """What is told from what is known: birthdays, customers who have not bought for long.

        Raises:
            BadSettings: REPLENISHMENT_WRONG.
        """
        rules = occasion_rules(self.settings.occasions, self.settings.config_dir)
        return Occasions(self.store, self.catalogue, self.journeys, rules, self.clock)

    @cached_property
    def streams(self) -> Streams:
        """What tells others."""
        return Streams(self.systems, self.store, self.clock, self.settings.config_dir)

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

    @cached_property
    def refused_messages(self) -> RefusedMessages:
        """Engine messages that the engine refused."""
        return RefusedMessages(self.store, self.clock)

    @cached_property
    def sending(self) -> Sending:
        """The one way by which messages leave; a lease on one outlives the longest try by a third."""
        longest_s = max(task.timeout_s for task in self.tasks.values() if Sending in task.needs.values())
        lease = timedelta(seconds=longest_s * 4 / 3)
        composer = Composer(self.templates, sender_of(self.settings))
        refresher = None
        if self.freshness.limits.limits:
            refresher = Refresher(self.sources.puller, self.sources.plans, self.store, self.clock)
        provider = self.systems.provider(EmailSender)
        return Sending(
            self.store,
            provider,
            composer,
            self.policy,
            self.clock,
            lease=lease,
            refresher=refresher,
            together=messages_together(self.settings),
        )

    @cached_property
    def doubts(self) -> Doubts:
        """The messages of which nobody knows whether they left, and the way to settle them."""
        return Doubts(self.store, self.clock)

    @cached_property
    def effects(self) -> Effects:
        """What journeys do outside beyond messages and coupons, and the way to settle what is in doubt."""
        return Effects(self.store, self.clock)

    @cached_property
    def audience_keeper(self) -> AudienceKeeper | None:
        """Who keeps advertising audiences outside; None where nobody is set up for it.

        Raises:
            BadSettings: more than one is, or the section is wrong.
        """
        return self.systems.provider(AudienceKeeper) if self.systems.has_provider(AudienceKeeper) else None

    @property
    def audiences(self) -> Audiences:
        """The way into advertising audiences, and out of them."""
        return Audiences(self.store, self.effects, self.audience_keeper, self.clock)

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
    def approvals(self) -> Approvals:
        """What people are asked, and answer."""
        return Approvals(self.store, self.questions, self.clock)

    def services(self) -> Mapping[type, object]:
        """What tasks may ask for, by type."""
        config_dir = self.settings.config_dir
        offered: list[object] = [
            Enrolments(self.store, self.journeys, self.clock),
            CartReader(self.store, self.clock),
            CustomerReader(self.store, self.catalogue, self.journeys, self.clock),
            OrderReader(self.store),
            ProductReader(self.store),
            self.effects,
            Eligibility(self.store, self.policy, self.clock),
            Scoring(self.store, score_bounds(self.settings.score), self.clock),
            Coupons(self.store, load_campaigns(config_dir), self.clock),
            self.sending,
            PrivacyAnswers(self.store, self.clock),
            self.privacy.exporting,
            Erasing(self.store, self.clock),
            Suppressing(self.store, self.clock),
            Tickets(self.store, self.effects, self._helpdesk()),
            Loyalty(self.store, load_loyalty(config_dir), self.clock),
            self.audiences,
            self.approvals,
            CampaignRunning(self.store, self.campaign_book, self.segments, self.sending, self.clock),
            self._campaign_test(),
        ]
        return {type(service): service for service in offered}

    @cached_property
    def customer_desk(self) -> CustomerDesk:
        """For people who look somebody up."""
        return CustomerDesk(self.store, self.intake, self.clock)

    @cached_property
    def privacy(self) -> Privacy:
        """What customers may ask of us, and what we owe them unasked."""
        return Privacy(self.settings, self.store, self.intake, self.clock)

    @cached_property
    def accounts(self) -> Accounts:
        """People and programs, and what they may do."""
        return Accounts(self.settings.access, self.store, self.clock)

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

    def _helpdesk(self) -> MailedTickets:
        shop = self.settings.shop
        provider = self.systems.provider(EmailSender)
        return MailedTickets(
            provider, address=self.settings.helpdesk.address, written_by=shop.sender, domain=shop.list_id
        )

    def _campaign_test(self) -> CampaignTest:
        provider, sender = self.systems.provider(EmailSender), sender_of(self.settings)
        return CampaignTest(self.store, self.campaign_book, self.templates, provider, sender, self.clock)
