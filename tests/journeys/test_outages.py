"""When something outside is away, late, spent or repeated, everybody still gets what is right, once."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest

from waggle.domain.message import Message
from waggle.engine.local import RunningEngine
from waggle.engine.records import RecordStream
from waggle.http_api import http_api
from waggle.mailbox.arrivals import read_arrivals
from waggle.mailbox.run import open_mailbox
from waggle.resources import shipped
from waggle.testing.journeys import House, opened
from waggle.testing.ports import kept_ports

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

COUPON = re.compile(r"[2-9A-Z]{4}-[2-9A-Z]{4}-[2-9A-Z]{4}")


@pytest.fixture
def smtp_port() -> Iterator[int]:
    """A port on which nobody listens, so that a mail server can come and go there."""
    with kept_ports(1) as [port]:
        yield port


@pytest.fixture
async def cut_off(
    engine: RunningEngine, records: RecordStream, sqlite_url: str, tmp_path: Path, smtp_port: int
) -> AsyncIterator[House]:
    """Open a house whose mail server is down."""
    async with opened(engine, records, sqlite_url, tmp_path, WAGGLE_SMTP__PORT=str(smtp_port)) as house:
        yield house


def mail_server(house: House, port: int) -> Any:  # noqa: ANN401 -- an asynchronous context
    """Run the mail server while the context lasts."""
    return open_mailbox(house.folder / "mailbox", port, 0, house.app.clock)


async def first_mail(house: House, cart_id: str) -> Message | None:
    enrolment = await house.enrolment(cart_id)
    found: Message | None = await house.app.store.read(lambda tx: tx.messages.get(enrolment.enrolment_id, "first-mail"))
    return found


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return once *condition* holds. A job that is tried again and again is never idle, so that is not awaited."""
    async with asyncio.timeout(100):
        while not await condition():  # noqa: ASYNC110 -- the database tells nobody
            await asyncio.sleep(0.05)


async def tried(house: House, cart_id: str, times: int) -> None:
    """Let time pass until the first mail was tried so often, and is planned again."""

    async def so_often() -> bool:
        message = await first_mail(house, cart_id)
        if message is not None and message.attempts >= times and message.state == "planned":
            return True
        await house.simulation.advance(1)
        return False

    await until(so_often)


def text_of(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    text: str = body.get_content()
    return text


async def test_while_the_mail_server_is_down_mails_wait_and_leave_once_when_it_is_back(
    cut_off: House, smtp_port: int
) -> None:
    house = cut_off
    await house.shopper("ada")
    await house.shopper("bob")
    await house.fill("cart-1", "ada")
    await house.fill("cart-2", "bob")
    await house.wait(minutes=19)
    await house.simulation.advance(90)

    await tried(house, "cart-1", 2)
    await tried(house, "cart-2", 2)
    waiting = await first_mail(house, "cart-1")
    assert waiting is not None
    assert waiting.reason == "SMTP_UNAVAILABLE"
    assert house.mails() == []
    assert house.simulation.incidents() == 0

    async with mail_server(house, smtp_port):

        async def both_left() -> bool:
            await house.simulation.advance(5)
            return len(house.mails()) == 2

        await until(both_left)
        await house.wait(hours=2)

    assert sorted(mail["To"] for mail in house.mails()) == ["ada@example.com", "bob@example.com"]


async def test_a_mail_server_that_goes_away_after_the_first_mail_gets_the_reminder_later(
    cut_off: House, smtp_port: int
) -> None:
    house = cut_off
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    async with mail_server(house, smtp_port):
        await house.wait(minutes=25)
    assert len(house.mails()) == 1
    await house.wait(hours=23, minutes=50)

    await house.simulation.advance(15 * 60)
    enrolment = await house.enrolment("cart-1")

    async def reminder_waits() -> bool:
        found = await house.app.store.read(lambda tx: tx.messages.get(enrolment.enrolment_id, "reminder"))
        return found is not None and found.reason == "SMTP_UNAVAILABLE"

    await until(reminder_waits)
    async with mail_server(house, smtp_port):

        async def it_left() -> bool:
            await house.simulation.advance(5)
            return len(house.mails()) == 2

        await until(it_left)
        await house.wait(days=3)

    assert len(house.mails()) == 2
    assert (await house.outcome("cart-1"))[0] == "no_order"


async def test_a_mail_whose_time_is_over_before_the_server_is_back_is_not_sent(
    engine: RunningEngine, records: RecordStream, sqlite_url: str, tmp_path: Path, smtp_port: int
) -> None:
    settings = {"WAGGLE_SMTP__PORT": str(smtp_port), "WAGGLE_POLICY__MESSAGE_VALID_FOR": "PT5M"}
    async with opened(engine, records, sqlite_url, tmp_path, **settings) as house:
        await house.shopper("ada")
        await house.fill("cart-1", "ada")
        await house.wait(minutes=19)
        await house.simulation.advance(90)
        await tried(house, "cart-1", 1)
        await house.simulation.advance(300)

        async with mail_server(house, smtp_port):
            await house.wait(hours=1)

        assert house.mails() == []
        message = await first_mail(house, "cart-1")
        assert message is not None
        assert (message.state, message.reason) == ("suppressed", "expired")


async def test_an_order_for_a_cart_not_yet_seen_counts_when_the_cart_arrives(house: House) -> None:
    await house.shopper("ada")
    await house.tell("order-placed", order_id="o-1", cart_id="cart-1", currency="EUR", total_minor=10000)
    await house.fill("cart-1", "ada")
    await house.fill("cart-2", "ada")

    await house.wait(minutes=30)

    assert await house.enrolment("cart-1") is None
    assert len(house.mails()) == 1  # that of the other cart: a journey was possible


@asynccontextmanager
async def quiet_house(
    engine: RunningEngine, records: RecordStream, sqlite_url: str, folder: Path
) -> AsyncIterator[House]:
    hours = {"WAGGLE_POLICY__QUIET_FROM": "21:00:00", "WAGGLE_POLICY__QUIET_UNTIL": "09:00:00"}
    async with opened(engine, records, sqlite_url, folder, **hours) as house:
        yield house


def zone_where_it_is(hour: int, now: datetime) -> str:
    """Return a time zone in which it is some minutes after *hour*."""
    offset = (hour - now.hour + 12) % 24 - 12
    # The sign in these names is that of POSIX: Etc/GMT-3 is east of Greenwich.
    return f"Etc/GMT{-offset:+d}" if offset else "Etc/GMT"


async def test_in_quiet_hours_a_customer_is_written_to_after_nine_where_they_live(
    engine: RunningEngine, records: RecordStream, sqlite_url: str, tmp_path: Path
) -> None:
    async with quiet_house(engine, records, sqlite_url, tmp_path) as house:
        night, day = zone_where_it_is(22, house.now()), zone_where_it_is(12, house.now())
        await house.shopper("ada", time_zone=night)
        await house.shopper("bob", time_zone=day)
        await house.fill("cart-1", "ada")
        await house.fill("cart-2", "bob")

        await house.wait(minutes=40)
        assert [mail["To"] for mail in house.mails()] == ["bob@example.com"]
        held = await first_mail(house, "cart-1")
        assert held is not None
        assert (held.state, held.reason) == ("planned", "quiet_hours")

        await house.wait(hours=12)

        _, late = read_arrivals(house.folder / "mailbox")
        assert late.to == "ada@example.com"
        arrived = late.arrived_at.astimezone(ZoneInfo(night))
        nine = arrived.replace(hour=9, minute=0, second=0, microsecond=0)
        assert nine <= arrived < nine + timedelta(minutes=10)


async def test_when_the_budget_is_spent_the_mail_goes_without_a_coupon(
    engine: RunningEngine, records: RecordStream, sqlite_url: str, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    shutil.copytree(shipped("config"), config)
    campaigns = config / "coupons.toml"
    campaigns.write_text(re.sub(r"budget_count = \d+", "budget_count = 1", campaigns.read_text()))
    async with opened(engine, records, sqlite_url, tmp_path, WAGGLE_CONFIG_DIR=str(config)) as house:
        for number, name in enumerate(("ada", "bob")):
            await house.shopper(name)
            await house.fill(f"cart-{number}", name)
            await house.wait(minutes=25)

        first, second = house.mails()

        assert COUPON.search(text_of(first))
        assert not COUPON.search(text_of(second))
        assert "Task_IssueCoupon" in house.visited()
        assert house.simulation.incidents() == 0


@asynccontextmanager
async def browser(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """Speak HTTP to the API as it is wired."""
    api: Any = http_api(house.app)  # two libraries' names of one protocol
    async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://api") as client:
        yield client


async def test_an_event_that_is_delivered_twice_makes_one_journey_and_one_mail(house: House) -> None:
    key = await house.app.accounts.write_keys.create("shop")
    await house.shopper("ada")
    data = {
        "cart_id": "cart-1",
        "customer_id": "ada",
        "currency": "EUR",
        "items": [{"sku": "honey", "quantity": 1, "unit_price_minor": 5000}],
    }
    event = {"specversion": "1.0", "id": "c-1", "type": "cart-updated", "time": house.now().isoformat(), "data": data}

    async with browser(house) as client:
        headers = {"Authorization": f"Bearer {key}"}
        answers = await asyncio.gather(*(client.post("/v1/events", json=event, headers=headers) for _ in range(5)))
        await house.wait(minutes=10)
        answers.append(await client.post("/v1/events", json=event, headers=headers))
        await house.wait(minutes=20)

    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 200, 202]
    assert len(house.app.database.tables(["enrolments"])["enrolments"]) == 1
    assert len(house.mails()) == 1


async def test_the_unsubscribe_link_of_a_mail_ends_the_waiting_journey(house: House) -> None:
    await house.shopper("ada")
    await house.fill("cart-1", "ada")
    await house.wait(minutes=25)
    [mail] = house.mails()
    link = urlsplit(mail["List-Unsubscribe"].strip("<>")).path

    async with browser(house) as client:
        assert (await client.get(link)).status_code == 200
        await house.settle()
        assert (await house.outcome("cart-1"))[0] == "running"  # scanners follow links

        [(name, value)] = [mail["List-Unsubscribe-Post"].split("=")]
        assert (await client.post(link, data={name: value})).status_code == 200
        await house.settle()

    assert (await house.outcome("cart-1"))[0] == "consent_withdrawn"
    await house.wait(days=3)
    await house.fill("cart-2", "ada")
    await house.wait(hours=1)
    assert len(house.mails()) == 1
