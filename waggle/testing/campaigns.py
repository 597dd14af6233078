"""A campaign on a store, step by step as its diagram would have it, without an engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from waggle.domain.message import Message
from waggle.domain.segment import Segment, SegmentRule
from waggle.ports.email import EmailSender
from waggle.ports.unit_of_work import Transaction, UnitOfWork
from waggle.services.campaign_files import CampaignBook, CampaignFile
from waggle.services.campaign_running import CampaignRunning
from waggle.services.campaigns import Campaigns
from waggle.services.journeys import EntrySettings, JourneyBook, JourneySettings
from waggle.services.message_checks import SendingPolicy
from waggle.services.segments import Segments
from waggle.testing import facts
from waggle.testing.clock import HandClock

AGREED = SegmentRule(field="consent", rule="given", value="marketing/email")
EVERYBODY = Segment(
    name="everybody",
    title="Everybody",
    any_of=(SegmentRule(field="order_count", rule="at_least", value=0),),
)
READERS = Segment(name="readers", title="Readers", all_of=(AGREED,))
LOOK_EVERY = timedelta(minutes=2)
NEWS = CampaignFile(title="News", segment="everybody", template="campaign-spring-news", messages_per_minute=1_000_000)
BOOK: Mapping[str, JourneySettings] = {"campaign": JourneySettings(entry=EntrySettings())}


@dataclass
class CampaignStage:
    """The services of one campaign; `begin` starts it as the relay and the first task would."""

    store: UnitOfWork
    clock: HandClock
    desk: Campaigns
    running: CampaignRunning

    async def begin(self, shop: facts.Shop, campaign_id: str = "news-1", *, by: str = "kim") -> str:
        """Ask for a run, let the relay enrol it, count its segment, and return its enrolment."""
        await self.desk.start("news", by=by, campaign_id=campaign_id)
        await shop.relay.apply_events()
        enrolment = await self.store.read(lambda tx: tx.enrolments.newest("campaign", campaign_id))
        assert enrolment is not None
        await self.running.prepare(enrolment.enrolment_id)
        return enrolment.enrolment_id

    async def send_all(self, enrolment_id: str, *, stretch: timedelta = timedelta(seconds=30)) -> int:
        """Send until nothing can be done at the present time; return how many left."""
        sent = 0
        while True:
            sent += await self.running.send_stretch(enrolment_id, stretch)
            look = await self.running.look(enrolment_id, LOOK_EVERY)
            if look.all_served or look.look_again_at > self.clock.now():
                return sent

    async def states(self, enrolment_id: str) -> dict[str, str]:
        """Return `state` or `state: reason` of each recipient, by customer."""

        def read(tx: Transaction) -> list[Message]:
            return tx.messages.of_enrolment(enrolment_id)

        return {
            message.customer_id or "": message.state if message.reason == "ok" else f"{message.state}: {message.reason}"
            for message in await self.store.read(read)
        }


def stage(
    store: UnitOfWork,
    clock: HandClock,
    sender: EmailSender,
    file: CampaignFile = NEWS,
    rules: SendingPolicy | None = None,
) -> CampaignStage:
    """Return a stage on which the campaign `news` may be run."""
    segments = Segments(store, {each.name: each for each in (EVERYBODY, READERS)}, clock)
    book, journeys = CampaignBook({"news": file}), JourneyBook(BOOK)
    sending = facts.sending(store, clock, sender, rules)
    running = CampaignRunning(store, book, segments, sending, clock)
    return CampaignStage(store, clock, Campaigns(store, book, journeys, clock), running)
