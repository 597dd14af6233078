import msgspec
import pytest

from waggle.errors import TemporaryFailure
from waggle.resources import shipped
from waggle.services.campaign_files import CampaignBook
from waggle.services.campaign_test import CampaignTest
from waggle.services.composing import Sender
from waggle.services.rendering import MessageTemplates
from waggle.testing.campaigns import NEWS, stage
from waggle.testing.email import ProcessKilledError, RecordingSender, kill, refuse_for_now
from waggle.testing.facts import Shop
from workers.send_campaign_test import CampaignTestSent, SendCampaignTest, send_campaign_test

pytestmark = pytest.mark.anyio

TEAM = msgspec.structs.replace(NEWS, test_to=["a@shop.example", "b@shop.example"])
SHOP = Sender(
    shop_name="Hive & Honey",
    sender="Hive & Honey <hello@shop.example>",
    list_id="news.shop.example",
    postal_address="1 Meadow Lane",
    shop_url="https://shop.example",
    public_url="https://go.shop.example",
    default_time_zone="UTC",
)


def made(shop: Shop, sender: RecordingSender) -> CampaignTest:
    templates = MessageTemplates.load(shipped("config") / "messages")
    return CampaignTest(shop.store, CampaignBook({"news": TEAM}), templates, sender, SHOP, shop.clock)


async def test_each_address_of_the_team_gets_it_once(shop: Shop) -> None:
    sender = RecordingSender()
    job = SendCampaignTest(enrolment_id=await stage(shop.store, shop.clock, sender, TEAM).begin(shop))
    test = made(shop, sender)
    sender.when_connected = refuse_for_now
    with pytest.raises(TemporaryFailure):
        await send_campaign_test(job, test)
    sender.when_connected = None

    told = [await send_campaign_test(job, test) for _ in range(2)]

    assert told == [CampaignTestSent(tests_sent=2)] * 2
    assert [(mail.to, mail.subject[:7]) for mail in sender.delivered] == [
        ("a@shop.example", "[Test] "),
        ("b@shop.example", "[Test] "),
    ]


async def test_a_kill_at_the_mail_server_makes_no_second_copy(shop: Shop) -> None:
    sender = RecordingSender()
    job = SendCampaignTest(enrolment_id=await stage(shop.store, shop.clock, sender, TEAM).begin(shop))
    test = made(shop, sender)
    sender.when_taken = kill
    with pytest.raises(ProcessKilledError):
        await send_campaign_test(job, test)
    sender.when_taken = None
    with pytest.raises(TemporaryFailure, match="SEND_UNDER_WAY"):
        await send_campaign_test(job, test)
    shop.clock.advance(TEAM.valid_for / 10)

    assert await send_campaign_test(job, test) == CampaignTestSent(tests_sent=1)
    assert [mail.to for mail in sender.delivered] == ["a@shop.example", "b@shop.example"]
