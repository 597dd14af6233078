"""A campaign is one enrolment with a message for each recipient, and each recipient ends with a reason, once."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import time, timedelta

import msgspec
import pytest

from waggle.domain.quiet_hours import QuietHours
from waggle.errors import BadSettings, PermanentFailure, Rejected, TemporaryFailure
from waggle.ports.unit_of_work import UnitOfWork
from waggle.services import campaign_running
from waggle.services.enrolments import Enrolments
from waggle.services.journeys import JourneyBook
from waggle.storage.store import Store
from waggle.testing import facts
from waggle.testing.campaigns import LOOK_EVERY, NEWS, CampaignStage, stage
from waggle.testing.clock import HandClock
from waggle.testing.email import RecordingSender, lose_answer, refuse_address, refuse_for_now
from waggle.testing.facts import Shop

pytestmark = pytest.mark.anyio


@pytest.fixture
def played(store: UnitOfWork, clock: HandClock, sender: RecordingSender) -> CampaignStage:
    return stage(store, clock, sender)


async def readers(shop: Shop, count: int) -> None:
    for number in range(count):
        await shop.customer(f"c-{number}")


async def test_everybody_who_may_be_written_to_gets_it_once_and_the_others_have_a_reason(
    shop: Shop, played: CampaignStage, sender: RecordingSender
) -> None:
    await readers(shop, 5)
    await shop.send("customer-identified", {"customer_id": "no-consent", "email": "n@example.com"})
    await shop.send("customer-identified", {"customer_id": "no-address"})
    await shop.tell("consent-withdrawn", {"customer_id": "c-4"})
    enrolment_id = await played.begin(shop)

    sent = await played.send_all(enrolment_id)

    assert (sent, sorted(mail.to for mail in sender.delivered)) == (4, [f"c-{n}@example.com" for n in range(4)])
    assert await played.states(enrolment_id) == {
        "c-0": "sent",
        "c-1": "sent",
        "c-2": "sent",
        "c-3": "sent",
        "c-4": "suppressed: no_consent",
        "no-consent": "suppressed: no_consent",
        "no-address": "suppressed: no_contact",
    }
    found = await played.running.finish(enrolment_id)
    assert (found.outcome, found.sent, found.suppressed) == ("sent", 4, 3)
    assert (await played.running.look(enrolment_id, LOOK_EVERY)).all_served


async def test_it_is_sent_again_to_nobody_however_often_its_job_is_worked(
    shop: Shop, played: CampaignStage, sender: RecordingSender
) -> None:
    await readers(shop, 3)
    enrolment_id = await played.begin(shop)
    await played.send_all(enrolment_id)

    assert await played.running.send_stretch(enrolment_id, timedelta(seconds=5)) == 0
    assert len(sender.delivered) == 3


async def test_lanes_beside_each_other_share_the_recipients(
    shop: Shop, played: CampaignStage, sender: RecordingSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_running, "_CHUNK", 3)
    await readers(shop, 20)
    enrolment_id = await played.begin(shop)

    await asyncio.gather(*(played.send_all(enrolment_id) for _ in range(3)))

    assert Counter(mail.to for mail in sender.delivered) == {f"c-{n}@example.com": 1 for n in range(20)}
    assert set((await played.states(enrolment_id)).values()) == {"sent"}


async def test_who_sleeps_gets_it_in_the_morning_from_the_same_campaign(
    shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    night = facts.policy(quiet_hours=QuietHours(time(21), time(9)))
    played = stage(store, clock, sender, rules=night)
    await shop.customer("c-berlin", time_zone="Europe/Berlin")
    await shop.customer("c-tokyo", time_zone="Asia/Tokyo")
    clock.advance(timedelta(hours=2))
    enrolment_id = await played.begin(shop)

    await played.send_all(enrolment_id)

    assert await played.states(enrolment_id) == {"c-berlin": "sent", "c-tokyo": "planned: quiet_hours"}
    look = await played.running.look(enrolment_id, timedelta(days=1))
    assert not look.all_served
    clock.advance(look.look_again_at - clock.now())
    await played.send_all(enrolment_id)
    assert set((await played.states(enrolment_id)).values()) == {"sent"}
    assert clock.now().hour == 0  # nine o'clock in Tokyo


async def test_a_pause_rests_a_resumption_goes_on_and_a_stop_is_for_good(
    shop: Shop, played: CampaignStage, sender: RecordingSender, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_running, "_CHUNK", 2)
    await readers(shop, 6)
    enrolment_id = await played.begin(shop)
    await played.running.send_stretch(enrolment_id, timedelta(0))  # plans
    await played.running.send_stretch(enrolment_id, timedelta(0))
    assert len(sender.delivered) == 2

    await played.desk.wish("news-1", "pause", by="kim")
    assert await played.send_all(enrolment_id) == 0
    look = await played.running.look(enrolment_id, LOOK_EVERY)
    assert (look.all_served, look.look_again_at) == (False, clock.now() + LOOK_EVERY)

    await played.desk.wish("news-1", "go", by="kim")
    await played.running.send_stretch(enrolment_id, timedelta(0))
    assert len(sender.delivered) == 4

    await played.desk.wish("news-1", "stop", by="kim")
    await played.send_all(enrolment_id)
    assert Counter((await played.states(enrolment_id)).values()) == {"sent": 4, "suppressed: campaign_stopped": 2}
    assert (await played.running.look(enrolment_id, LOOK_EVERY)).all_served
    assert (await played.running.finish(enrolment_id)).outcome == "stopped"
    with pytest.raises(Rejected, match="CAMPAIGN_ENDED"):
        await played.desk.wish("news-1", "go", by="kim")
    actions = [entry.entry.action for entry in await played.store.read(lambda tx: tx.audit.newest(10))]
    assert actions == ["campaign-requested", "campaign-paused", "campaign-resumed", "campaign-stopped"]


async def test_no_more_leave_than_the_messages_per_minute_allow(
    shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    played = stage(store, clock, sender, msgspec.structs.replace(NEWS, messages_per_minute=24))
    await readers(shop, 8)
    enrolment_id = await played.begin(shop)
    left = []

    for _ in range(4):
        await played.running.send_stretch(enrolment_id, timedelta(0))
        await played.running.send_stretch(enrolment_id, timedelta(0))
        left.append(len(sender.delivered))
        look = await played.running.look(enrolment_id, LOOK_EVERY)
        clock.advance(max(look.look_again_at - clock.now(), timedelta(0)) + timedelta(milliseconds=1))

    # 24 per minute are one in 2.5 s; at most five seconds' worth go at once.
    assert left == [2, 3, 4, 5]


async def test_the_held_out_get_nothing_and_are_the_same_every_time(
    shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    played = stage(
        store, clock, sender, msgspec.structs.replace(NEWS, holdout_percent=50), facts.policy(cap_messages=9)
    )
    await readers(shop, 20)
    first, second = await played.begin(shop, "news-1"), await played.begin(shop, "news-2")

    await played.send_all(first)
    await played.send_all(second)

    of_first, of_second = await played.states(first), await played.states(second)
    assert of_first == of_second
    assert set(of_first.values()) == {"sent", "suppressed: holdout"}


async def test_a_second_campaign_on_the_same_day_meets_the_cap(
    shop: Shop, played: CampaignStage, sender: RecordingSender
) -> None:
    await readers(shop, 2)
    await played.send_all(await played.begin(shop, "news-1"))
    second = await played.begin(shop, "news-2")

    await played.send_all(second)

    assert set((await played.states(second)).values()) == {"suppressed: frequency_cap"}
    assert len(sender.delivered) == 2


async def test_who_is_erased_or_unsubscribes_between_planning_and_their_turn_gets_nothing(
    shop: Shop, played: CampaignStage, sender: RecordingSender, clock: HandClock
) -> None:
    await readers(shop, 3)
    enrolment_id = await played.begin(shop)
    await played.running.send_stretch(enrolment_id, timedelta(0))  # plans
    clock.advance(timedelta(minutes=1))
    await shop.tell("consent-withdrawn", {"customer_id": "c-0"})
    await shop.tell("customer-erased", {"customer_id": "c-1"})

    await played.send_all(enrolment_id)

    assert await played.states(enrolment_id) == {
        "c-0": "suppressed: no_consent",
        "c-1": "suppressed: customer_erased",
        "c-2": "sent",
    }


async def test_trouble_with_one_recipient_is_not_the_others(
    shop: Shop, played: CampaignStage, sender: RecordingSender, clock: HandClock
) -> None:
    await readers(shop, 4)
    enrolment_id = await played.begin(shop)
    troubles = iter([refuse_address, refuse_for_now])

    async def trouble() -> None:
        step = next(troubles, None)
        if step is not None:
            await step()

    async def lose_first() -> None:
        sender.when_taken = None
        await lose_answer()

    sender.when_connected, sender.when_taken = trouble, lose_first
    await played.send_all(enrolment_id)
    states = Counter((await played.states(enrolment_id)).values())
    assert states == {"failed: ADDRESS_REFUSED": 1, "planned: SMTP_BUSY": 1, "in_doubt: ANSWER_LOST": 1, "sent": 1}

    clock.advance(timedelta(minutes=1))
    await played.send_all(enrolment_id)
    assert "planned: SMTP_BUSY" not in (await played.states(enrolment_id)).values()


async def test_a_provider_that_rests_is_left_alone_until_it_is_rested(
    shop: Shop, played: CampaignStage, sender: RecordingSender, clock: HandClock
) -> None:
    await readers(shop, 40)
    enrolment_id = await played.begin(shop)
    sender.when_connected = refuse_for_now

    await played.send_all(enrolment_id, stretch=timedelta(seconds=3))

    tried = sender.sessions
    assert tried < 40
    assert (await played.running.look(enrolment_id, LOOK_EVERY)).look_again_at > clock.now()
    sender.when_connected = None
    for _ in range(40):
        look = await played.running.look(enrolment_id, LOOK_EVERY)
        if look.all_served:
            break
        clock.advance(max(look.look_again_at - clock.now(), timedelta(0)) + timedelta(seconds=1))
        await played.send_all(enrolment_id, stretch=timedelta(seconds=3))
    assert set((await played.states(enrolment_id)).values()) == {"sent"}


async def test_nobody_in_it_or_too_many_is_known_before_anybody_is_asked(
    shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender
) -> None:
    played = stage(store, clock, sender, msgspec.structs.replace(NEWS, most_recipients=1))
    empty = await played.begin(shop, "news-1")
    assert not (await played.running.prepare(empty)).ready
    assert (await played.running.finish(empty)).outcome == "nobody"

    await readers(shop, 2)
    large = await played.begin(shop, "news-2")
    assert not (await played.running.prepare(large)).ready
    assert (await played.running.finish(large)).outcome == "too_large"


async def test_more_than_so_many_never_wait_at_once(
    shop: Shop, store: UnitOfWork, clock: HandClock, sender: RecordingSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_running, "MOST_OPEN", 3)
    monkeypatch.setattr("waggle.services.segments.PAGE", 2)
    played = stage(store, clock, sender, rules=facts.policy(quiet_hours=QuietHours(time(11), time(13))))
    await readers(shop, 9)
    enrolment_id = await played.begin(shop)

    await played.send_all(enrolment_id)
    assert Counter((await played.states(enrolment_id)).values()) == {"planned: quiet_hours": 4}

    clock.advance(timedelta(hours=1))
    await played.send_all(enrolment_id)
    assert Counter((await played.states(enrolment_id)).values()) == {"sent": 9}


async def test_the_end_of_a_journey_closes_what_waits_without_reading_what_is_over(
    shop: Shop, played: CampaignStage, store: UnitOfWork, clock: HandClock
) -> None:
    await readers(shop, 3)
    enrolment_id = await played.begin(shop)
    await played.running.send_stretch(enrolment_id, timedelta(0))  # plans

    await Enrolments(store, JourneyBook({}), clock).end(enrolment_id, "stopped", "by hand")

    assert set((await played.states(enrolment_id)).values()) == {"suppressed: stopped"}
    assert (await played.running.look(enrolment_id, LOOK_EVERY)).all_served


async def test_a_campaign_of_whose_file_is_gone_is_an_incident(
    shop: Shop, played: CampaignStage, store: UnitOfWork, clock: HandClock
) -> None:
    enrolment_id = await played.begin(shop)

    def rename(tx: object) -> None:
        found = tx.campaigns.get("news-1")  # type: ignore[attr-defined]
        tx.campaigns.save(replace(found, campaign="gone"))  # type: ignore[attr-defined]

    await store.run(rename)
    with pytest.raises(PermanentFailure, match="CAMPAIGN_UNKNOWN"):
        await played.running.send_stretch(enrolment_id, timedelta(0))
    with pytest.raises(BadSettings, match="CAMPAIGN_UNKNOWN"):
        await played.desk.start("gone", by="kim")


async def test_a_database_that_is_away_is_told_to_the_engine_and_nothing_is_lost(
    shop: Shop, store: Store, played: CampaignStage, sender: RecordingSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    await readers(shop, 3)
    enrolment_id = await played.begin(shop)
    await played.running.send_stretch(enrolment_id, timedelta(0))  # plans

    async def locked(**_names: object) -> None:
        raise TemporaryFailure("DATABASE_LOCKED")

    with monkeypatch.context() as away:
        away.setattr(played.running._sending, "send", locked)
        with pytest.raises(TemporaryFailure, match="DATABASE_LOCKED"):
            await played.running.send_stretch(enrolment_id, timedelta(0))
    played.clock.advance(timedelta(minutes=4))
    await played.send_all(enrolment_id)
    assert len(sender.delivered) == 3


async def test_progress_adds_up(shop: Shop, played: CampaignStage) -> None:
    await readers(shop, 3)
    await shop.tell("consent-withdrawn", {"customer_id": "c-0"})
    enrolment_id = await played.begin(shop)
    assert (await played.desk.show("news-1")).line.state == "waiting"

    await played.send_all(enrolment_id)
    await played.running.finish(enrolment_id)

    shown = await played.desk.show("news-1")
    assert shown.results == {"sent": 2, "suppressed: no_consent": 1}
    assert (shown.line.counted, shown.line.planned, shown.final, shown.sent) == (3, 3, 3, 2)
    assert (shown.line.state, shown.line.outcome) == ("ended", "sent")
    assert [line.campaign_id for line in await played.desk.list()] == ["news-1"]
