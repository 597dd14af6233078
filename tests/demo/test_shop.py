from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.demo.perfect_house import SATURDAY, PerfectHouse
from waggle.demo import door as door_module
from waggle.demo.basket import order_after_mail
from waggle.demo.door import Door, DoorClosedError
from waggle.demo.oracle.rules import Rules
from waggle.demo.post import Postbox, read_mail
from waggle.demo.scenario import Action, Kind, Mail, PlannedCart, Reaction, Scenario, Shopper
from waggle.demo.shop import Shop

pytestmark = pytest.mark.anyio

NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
ITEM = {"sku": "mead", "name": "Dry mead", "quantity": 2, "unit_price_minor": 2500}
EVENT = {"specversion": "1.0", "id": "e-1", "type": "cart-updated", "data": {"cart_id": "cart-1", "items": [ITEM]}}


def shopper(*reactions: Reaction) -> Shopper:
    cart = PlannedCart("cart-1", (ITEM,))
    return Shopper(1, Kind.CLICKS, "cu-1", "anna@shoppers.example", "Europe/Warsaw", (cart,), reactions)


def mail(minute: int, text: str = "Dry mead") -> Mail:
    arrived_at = NINE + timedelta(minutes=minute)
    return Mail("anna@shoppers.example", arrived_at, f"<{minute}>", text, "http://x/c/1", "http://x/u/1")


def fill(minute: int, event_id: str = "e-1") -> Action:
    at = NINE + timedelta(minutes=minute)
    return Action(at, "shopper-1", {**EVENT, "id": event_id, "time": at.isoformat()})


def order(minute: int) -> Action:
    at = NINE + timedelta(minutes=minute)
    data = {"order_id": "order-cart-1", "cart_id": "cart-1", "total_minor": 5000}
    event = {"id": "order-cart-1", "type": "order-placed", "time": at.isoformat(), "data": data}
    return Action(at, "shopper-1", event, unless_ordered=True)


def opened(scenario: Scenario) -> tuple[Shop, PerfectHouse]:
    house = PerfectHouse(scenario, Rules({}), SATURDAY)
    return Shop(scenario, house, house, house), house


def at(minute: int) -> datetime:
    return NINE + timedelta(minutes=minute)


async def test_only_what_is_due_is_done() -> None:
    shop, house = opened(Scenario(NINE, (shopper(),), (fill(1), fill(2, "e-2"))))

    sent = await shop.play(at(1))

    assert sent == 1
    assert [deed.at for deed in house.deeds] == [at(1)]
    assert shop.next_at == at(2)


async def test_a_shopper_reacts_some_time_after_the_mail_came_and_once() -> None:
    reaction = Reaction(1, "click", timedelta(minutes=5))
    shop, house = opened(Scenario(NINE, (shopper(reaction),), ()))
    house.mails.append(mail(20))

    await shop.play(at(21))
    assert house.deeds == []
    assert shop.next_at == at(25)

    await shop.play(at(26))
    await shop.play(at(27))
    assert [(deed.what, deed.at) for deed in house.deeds] == [("click", at(25))]


async def test_the_second_mail_is_answered_as_the_second() -> None:
    reaction = Reaction(2, "unsubscribe", timedelta(minutes=5))
    shop, house = opened(Scenario(NINE, (shopper(reaction),), ()))
    house.mails += [mail(20), mail(24 * 60 + 20)]

    await shop.play(at(25 * 60))

    assert [(deed.what, deed.at) for deed in house.deeds] == [("unsubscribe", at(24 * 60 + 25))]


async def test_nobody_orders_the_same_cart_twice() -> None:
    reaction = Reaction(1, "order", timedelta(minutes=5))
    shop, house = opened(Scenario(NINE, (shopper(reaction),), (order(60),)))
    house.mails.append(mail(20))

    await shop.play(at(120))

    assert [(deed.what, deed.at) for deed in house.deeds] == [("order-placed", at(25))]


async def test_a_mail_without_a_link_to_follow_is_noted_as_a_fault() -> None:
    reaction = Reaction(1, "click", timedelta(minutes=5))
    shop, house = opened(Scenario(NINE, (shopper(reaction),), ()))
    house.mails.append(Mail("anna@shoppers.example", NINE, "<1>", "Dry mead", None, None))

    await shop.play(at(60))

    assert [deed.answer for deed in house.deeds] == ["no link in the mail"]


async def test_the_journal_names_no_person(played: PerfectHouse) -> None:
    for deed in played.deeds:
        assert "@" not in str(deed.to_json())
        assert "first_name" not in deed.data


def test_an_order_after_a_mail_uses_its_coupon() -> None:
    event = order_after_mail(shopper(), mail(20, "10% off, because you came by.\nYour code: 7KQM-2XWA-R9TZ"), at(30))

    assert event["data"]["coupon_code"] == "7KQM-2XWA-R9TZ"
    assert event["data"]["total_minor"] == 4500


def test_an_order_after_a_mail_without_a_coupon_costs_the_full_price() -> None:
    event = order_after_mail(shopper(), mail(20), at(30))

    assert "coupon_code" not in event["data"]
    assert event["data"]["total_minor"] == 5000


class Api:
    """Answers in turn with what it was told to: a status, or an error of the connection."""

    def __init__(self, *answers: int | type[httpx.TransportError]) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, int):
            return httpx.Response(answer)
        raise answer("gone")


def door(api: Api) -> Door:
    return Door(httpx.AsyncClient(transport=httpx.MockTransport(api)), "http://127.0.0.1:8600/", "key-1")


@pytest.mark.parametrize(
    ("status", "answer"), [(202, "accepted"), (200, "duplicate"), (409, "refused"), (422, "422"), (401, "401")]
)
async def test_the_door_says_what_became_of_an_event(status: int, answer: str) -> None:
    api = Api(status)

    assert await door(api).deliver(EVENT) == answer

    assert api.requests[0].headers["authorization"] == "Bearer key-1"
    assert str(api.requests[0].url) == "http://127.0.0.1:8600/v1/events"


@pytest.mark.parametrize("fault", [503, 500, 429, httpx.ConnectError, httpx.ReadTimeout])
async def test_an_api_that_is_down_for_a_moment_loses_nothing(fault: int | type[httpx.TransportError]) -> None:
    api = Api(fault, 202)

    assert await door(api).deliver(EVENT) == "accepted"
    assert api.requests[0].content == api.requests[1].content


async def test_a_lost_answer_is_no_duplicate_delivery_of_the_shops() -> None:
    assert await door(Api(httpx.ReadError, 200)).deliver(EVENT) == "accepted"


async def test_an_api_that_stays_away_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "_PATIENCE_S", 0.05)

    with pytest.raises(DoorClosedError, match="503 from /v1/events"):
        await door(Api(503)).deliver(EVENT)


async def test_a_click_follows_the_link_only_as_far_as_waggle() -> None:
    api = Api(302)

    assert await door(api).click("http://127.0.0.1:8600/c/t") == "accepted"
    assert len(api.requests) == 1


async def test_unsubscribing_posts_what_a_mail_program_posts() -> None:
    api = Api(200)

    assert await door(api).unsubscribe("http://127.0.0.1:8600/u/t") == "accepted"

    assert api.requests[0].method == "POST"
    assert api.requests[0].content == b"List-Unsubscribe=One-Click"


RAW = b"""\
From: Hive <shop@example.com>
To: anna@shoppers.example
Message-ID: <1@shop.example>
List-Unsubscribe: <http://127.0.0.1:8600/u/token>
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

* 1 x Beekeeper=27s hamper: =E2=82=AC69.00

Unsubscribe: http://127.0.0.1:8600/u/token
Back to my cart:
http://127.0.0.1:8600/c/token
--b
Content-Type: text/html

<p>Hello</p>
--b--
"""


def test_a_shopper_finds_items_and_links_in_a_mail() -> None:
    found = read_mail(RAW, "anna@shoppers.example", NINE)

    assert "Beekeeper's hamper: €69.00" in found.text
    assert found.cart_url == "http://127.0.0.1:8600/c/token"
    assert found.unsubscribe_url == "http://127.0.0.1:8600/u/token"
    assert found.message_id == "<1@shop.example>"


async def test_each_mail_is_taken_out_of_the_mailbox_once() -> None:
    arrival = {"file": "1.eml", "arrived_at": NINE.isoformat(), "to": "anna@shoppers.example", "message_id": "<1>"}

    def page(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(200, json=[arrival]) if "arrivals" in request.url.path else httpx.Response(200, content=RAW)
        )

    postbox = Postbox(httpx.AsyncClient(transport=httpx.MockTransport(page)), "http://127.0.0.1:8625")

    assert [found.to for found in await postbox.new_mails()] == ["anna@shoppers.example"]
    assert await postbox.new_mails() == []
