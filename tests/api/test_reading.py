"""What the shop may ask, with the right key, and nothing about anybody without it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from waggle.api.app import create_app
from waggle.domain.coupon import Coupon
from waggle.domain.enrolment import Enrolment
from waggle.domain.event import Event
from waggle.services.intake import Intake
from waggle.services.projections import fact_of, project
from waggle.services.reading import Reading
from waggle.storage.store import Store, open_store
from waggle.testing.access import GivenTokens
from waggle.testing.clock import HandClock

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
ITEMS = [{"sku": "honey", "quantity": 2, "unit_price_minor": 650, "name": "Honey"}]
READ = ("customers:read", "orders:read", "products:read", "coupons:read", "consents:read")
ROUTES = {
    "/v1/customers/c-1": "customers:read",
    "/v1/customers/c-1/consents": "consents:read",
    "/v1/customers/c-1/orders": "orders:read",
    "/v1/customers/c-1/carts": "orders:read",
    "/v1/customers/c-1/coupons": "coupons:read",
    "/v1/orders/o-1": "orders:read",
    "/v1/carts/cart-1": "orders:read",
    "/v1/products/honey": "products:read",
    "/v1/coupons/ABCD-EFGH-JKMN": "coupons:read",
}


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    opened = open_store(sqlite_url)
    yield opened
    opened.close()


async def tell(store: Store, *facts: tuple[str, dict[str, Any]], at: datetime = NOON) -> None:
    """Let the shop tell *facts*, a second apart."""
    for number, (event_type, data) in enumerate(facts):
        time = at + timedelta(seconds=number)
        event = Event(
            id=f"{event_type}-{time.isoformat()}", source="shop", type=event_type, subject="s", time=time, data=data
        )
        await store.run(lambda tx, event=event: project(tx, event, fact_of(event)))  # type: ignore[misc]


@pytest.fixture
async def told(store: Store) -> Store:
    """One customer who agreed, filled a cart, ordered and paid, and got a coupon."""
    await tell(
        store,
        ("customer-identified", {"customer_id": "c-1", "email": "Ada@shop.example", "first_name": "Ada"}),
        ("consent-given", {"customer_id": "c-1", "text_version": "v1"}),
        ("cart-updated", {"cart_id": "cart-1", "customer_id": "c-1", "currency": "EUR", "items": ITEMS}),
        (
            "order-placed",
            {"order_id": "o-1", "customer_id": "c-1", "currency": "EUR", "total_minor": 1300, "items": ITEMS},
        ),
        ("order-paid", {"order_id": "o-1"}),
        ("product-updated", {"sku": "honey", "name": "Honey", "price_minor": 650, "currency": "EUR"}),
        ("stock-changed", {"sku": "honey", "quantity": 3}),
    )
    await store.run(lambda tx: tx.enrolments.save(enrolment()))
    await store.run(lambda tx: tx.coupons.save(coupon("ABCD-EFGH-JKMN")))
    return store


def enrolment() -> Enrolment:
    return Enrolment(
        enrolment_id="e-1",
        journey="abandoned-cart",
        business_key="cart-1",
        entry=1,
        customer_id="c-1",
        cart_id="cart-1",
        held_out=False,
        state="running",
        entered_at=NOON,
    )


def coupon(code: str, **changes: Any) -> Coupon:  # noqa: ANN401 -- fields of a coupon
    given: dict[str, Any] = {
        "coupon_id": code,
        "enrolment_id": "e-1",
        "step": code,
        "campaign": "come-back",
        "code": code,
        "percent": 10,
        "cost_minor": 100,
        "customer_id": "c-1",
        "state": "issued",
        "reserved_at": NOON,
        "expires_at": NOON + timedelta(days=1),
    }
    return Coupon(**{**given, **changes})


@pytest.fixture
def tokens() -> GivenTokens:
    return GivenTokens()


@pytest.fixture
def key(tokens: GivenTokens) -> dict[str, str]:
    return tokens.give("all", READ)


@pytest.fixture
def shown() -> list[str]:
    """Names of those who were shown personal fields, as the metric counts them."""
    return []


@pytest.fixture
async def client(told: Store, tokens: GivenTokens, shown: list[str]) -> AsyncIterator[Client]:
    clock: Any = HandClock(NOON)
    never: Any = None
    app = create_app(
        Intake(told, clock), tokens, never, never, never, reading=Reading(told, clock), tell_read=shown.append
    )
    async with AsyncTestClient(app, raise_server_exceptions=False) as client:
        yield client


def code_of(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


async def test_a_customer_is_shown_as_known(client: Client, key: dict[str, str]) -> None:
    response = await client.get("/v1/customers/c-1", headers=key)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "customer_id": "c-1",
        "other_ids": [],
        "email": "Ada@shop.example",
        "phone": None,
        "first_name": "Ada",
        "last_name": None,
        "birth_date": None,
        "time_zone": None,
        "language": None,
        "country": None,
        "identified_at": "2026-05-04T12:00:00Z",
    }


async def test_what_counts_of_consent_is_shown(client: Client, key: dict[str, str]) -> None:
    [consent] = (await client.get("/v1/customers/c-1/consents", headers=key)).json()["consents"]

    assert (consent["purpose"], consent["channel"], consent["given"], consent["text_version"]) == (
        "marketing",
        "email",
        True,
        "v1",
    )
    assert "ip" not in consent


async def test_an_order_says_how_far_it_has_come(client: Client, key: dict[str, str]) -> None:
    order = (await client.get("/v1/orders/o-1", headers=key)).json()

    assert (order["state"], order["customer_id"], order["total_minor"]) == ("paid", "c-1", 1300)
    assert order["paid_at"] == "2026-05-04T12:00:04Z"
    assert order["shipped_at"] is None
    assert order["items"] == ITEMS
    [listed] = (await client.get("/v1/customers/c-1/orders", headers=key)).json()["orders"]
    assert listed == order


async def test_a_cart_and_a_product_are_shown(client: Client, key: dict[str, str]) -> None:
    cart = (await client.get("/v1/carts/cart-1", headers=key)).json()
    product = (await client.get("/v1/products/honey", headers=key)).json()

    assert (cart["customer_id"], cart["value_minor"], cart["items"]) == ("c-1", 1300, ITEMS)
    assert (product["price_minor"], product["quantity"], product["available"]) == (650, 3, True)


async def test_a_coupon_says_whether_it_may_be_used(client: Client, told: Store, key: dict[str, str]) -> None:
    await told.run(lambda tx: tx.coupons.save(coupon("USED-USED-USED", state="redeemed")))
    await told.run(lambda tx: tx.coupons.save(coupon("PAST-PAST-PAST", expires_at=NOON)))
    await told.run(lambda tx: tx.coupons.save(coupon("WAIT-WAIT-WAIT", state="reserved")))

    usable = {
        code: (await client.get(f"/v1/coupons/{code}", headers=key)).json()["usable"]
        for code in ("abcd-efgh-jkmn", "USED-USED-USED", "PAST-PAST-PAST", "WAIT-WAIT-WAIT")
    }

    assert list(usable.values()) == [True, False, False, True]
    listed = (await client.get("/v1/customers/c-1/coupons", headers=key)).json()["coupons"]
    assert len(listed) == 4


@pytest.mark.parametrize(("path", "scope"), ROUTES.items())
async def test_each_question_needs_its_scope_and_no_other(
    client: Client, tokens: GivenTokens, path: str, scope: str
) -> None:
    fitting = tokens.give("fitting", [scope])
    others = tokens.give("others", [*(set(READ) - {scope}), "events:write", "privacy:manage", "admin"], "nosy")

    assert (await client.get(path, headers=fitting)).status_code == 200
    refused = await client.get(path, headers=others)
    assert code_of(refused) == (403, "SCOPE_MISSING")
    assert f'scope="{scope}"' in refused.headers["www-authenticate"]
    assert tokens.missing == [("nosy", scope)]
    assert code_of(await client.get(path)) == (401, "WRITE_KEY_MISSING")
    assert code_of(await client.get(path, headers={"Authorization": "Bearer x"})) == (401, "WRITE_KEY_UNKNOWN")


@pytest.mark.parametrize("path", ROUTES)
async def test_what_still_holds_is_not_sent_again(client: Client, key: dict[str, str], path: str) -> None:
    first = await client.get(path, headers=key)
    tag = first.headers["etag"]

    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await client.get(path, headers={**key, "If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    changed = await client.get(path, headers={**key, "If-None-Match": '"other"'})
    assert (changed.status_code, changed.content) == (200, first.content)


async def test_an_answer_that_changed_has_another_tag(client: Client, told: Store, key: dict[str, str]) -> None:
    before = await client.get("/v1/products/honey", headers=key)
    await tell(told, ("stock-changed", {"sku": "honey", "quantity": 2}), at=NOON + timedelta(minutes=1))

    after = await client.get("/v1/products/honey", headers={**key, "If-None-Match": before.headers["etag"]})

    assert after.status_code == 200
    assert after.json()["quantity"] == 2


@pytest.mark.parametrize("path", ROUTES)
async def test_no_cache_in_between_keeps_an_answer(client: Client, key: dict[str, str], path: str) -> None:
    headers = (await client.get(path, headers=key)).headers

    assert headers["cache-control"] == "private, no-cache"
    assert headers["vary"] == "Authorization"


@pytest.mark.parametrize("key_of", ["c-0", "c-1'--", "%00", "%FF%FE", "a" * 201, "%0d%0aSet-Cookie:x", "..%2Forders"])
async def test_what_is_unknown_is_not_found_whatever_it_looks_like(
    client: Client, key: dict[str, str], key_of: str
) -> None:
    answers = [
        await client.get(path.replace("c-1", key_of), headers=key)
        for path in ROUTES
        if path.startswith("/v1/customers")
    ]
    answers += [await client.get(f"/v1/{kind}/{key_of}", headers=key) for kind in ("orders", "carts", "products")]

    assert {code_of(each) for each in answers} == {(404, "NOT_FOUND")}


@pytest.mark.parametrize(
    "path",
    ["/v1/orders", "/v1/orders/", "/v1//orders/o-1", "//v1/orders/o-1", "/v1/customers/", "/v1/customers//orders"],
)
async def test_an_address_without_a_key_is_not_found(client: Client, key: dict[str, str], path: str) -> None:
    assert code_of(await client.get(path, headers=key)) == (404, "NOT_FOUND")


async def test_a_key_may_hold_slashes_and_percent_signs(client: Client, told: Store, key: dict[str, str]) -> None:
    await tell(
        told,
        *(("stock-changed", {"sku": sku, "quantity": 1}) for sku in ("A/B", "gid://shop/1", "100%", "a b")),
        at=NOON + timedelta(minutes=1),
    )

    for path, sku in {"A%2FB": "A/B", "A/B": "A/B", "gid:%2F%2Fshop%2F1": "gid://shop/1", "a%20b": "a b"}.items():
        assert (await client.get(f"/v1/products/{path}", headers=key)).json()["sku"] == sku


async def test_an_erased_customer_is_as_unknown_as_any_other(client: Client, told: Store, key: dict[str, str]) -> None:
    unknown = await client.get("/v1/customers/c-0", headers=key)
    await tell(told, ("customer-erased", {"customer_id": "c-1"}), at=NOON + timedelta(hours=1))

    erased = await client.get("/v1/customers/c-1", headers=key)

    assert erased.status_code == 404
    assert erased.json() | {"instance": ""} == unknown.json() | {"instance": ""}


async def test_a_customer_is_found_by_address_without_it_in_a_url(client: Client, key: dict[str, str]) -> None:
    for wanted in ({"email": "ada@SHOP.example"}, {"email": " Ada@shop.example "}):
        response = await client.post("/v1/customers/lookup", json=wanted, headers=key)
        assert [each["customer_id"] for each in response.json()["customers"]] == ["c-1"]
        assert response.headers["cache-control"] == "no-store"
    nobody = await client.post("/v1/customers/lookup", json={"phone": "+48221234567"}, headers=key)
    assert nobody.json() == {"customers": []}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{}", 422, "FIELD_INVALID"),
        (b'{"email": "nobody"}', 422, "FIELD_INVALID"),
        (b'{"phone": "12"}', 422, "FIELD_INVALID"),
        (b'{"email": "a@b.example", "phone": "+48221234567"}', 422, "FIELD_INVALID"),
        (b'{"email": "a@b.example", "role": "owner"}', 422, "FIELD_INVALID"),
        (b'{"email": 7}', 422, "FIELD_INVALID"),
        (b"[]", 422, "FIELD_INVALID"),
        (b"{", 400, "NOT_JSON"),
        (b'"\xff"', 422, "FIELD_INVALID"),
        (b"[" * 4_000, 422, "FIELD_INVALID"),
        (b" " * 5_000, 413, "BODY_TOO_LARGE"),
    ],
)
async def test_a_lookup_that_asks_for_nobody_is_refused_and_not_quoted(
    client: Client, key: dict[str, str], body: bytes, status: int, code: str
) -> None:
    response = await client.post("/v1/customers/lookup", content=body, headers=key)

    assert code_of(response) == (status, code)
    assert "b.example" not in response.text


async def test_a_lookup_needs_its_scope(client: Client, tokens: GivenTokens) -> None:
    headers = tokens.give("others", set(READ) - {"customers:read"})

    response = await client.post("/v1/customers/lookup", json={"email": "ada@shop.example"}, headers=headers)

    assert code_of(response) == (403, "SCOPE_MISSING")


async def test_a_list_comes_in_parts_the_newest_first(client: Client, told: Store, key: dict[str, str]) -> None:
    orders = [
        ("order-placed", {"order_id": f"o-{number}", "customer_id": "c-1", "currency": "EUR", "total_minor": 1})
        for number in range(2, 7)
    ]
    await tell(told, *orders, at=NOON + timedelta(hours=1))
    found: list[str] = []
    asked: dict[str, str] = {"limit": "2"}
    while True:
        part = (await client.get("/v1/customers/c-1/orders", params=asked, headers=key)).json()
        found += [each["order_id"] for each in part["orders"]]
        if part["next"] is None:
            break
        assert len(part["orders"]) == 2
        asked["cursor"] = part["next"]

    assert found == ["o-6", "o-5", "o-4", "o-3", "o-2", "o-1"]


async def test_those_of_one_time_are_parted_by_their_ids(client: Client, told: Store, key: dict[str, str]) -> None:
    for number in range(2, 6):
        await told.run(
            lambda tx, number=number: tx.coupons.save(coupon(f"CODE-{number}"))  # type: ignore[misc]
        )
    first = (await client.get("/v1/customers/c-1/coupons", params={"limit": "3"}, headers=key)).json()
    second = (
        await client.get("/v1/customers/c-1/coupons", params={"limit": "3", "cursor": first["next"]}, headers=key)
    ).json()

    codes = [each["code"] for each in first["coupons"] + second["coupons"]]
    assert codes == ["CODE-5", "CODE-4", "CODE-3", "CODE-2", "ABCD-EFGH-JKMN"]
    assert second["next"] is None


@pytest.mark.parametrize(
    "asked",
    [
        *({"limit": limit} for limit in ("0", "201", "-1", "ten", "1e2", "", "٣", "9" * 100)),
        *(
            {"cursor": cursor}
            for cursor in ("x", "e30=", "WzEsMl0=", "ä", "IA==", "WyIyMDI2LTA1LTA0VDEyOjAwOjAwIiwieCJd")
        ),
    ],
)
async def test_a_part_that_there_cannot_be_is_refused(
    client: Client, key: dict[str, str], asked: dict[str, str]
) -> None:
    response = await client.get("/v1/customers/c-1/orders", params=asked, headers=key)

    assert code_of(response) == (400, "QUERY_INVALID")
    assert response.json()["where"] in asked


async def test_a_known_customer_without_orders_has_an_empty_list(
    client: Client, told: Store, key: dict[str, str]
) -> None:
    await tell(told, ("customer-identified", {"customer_id": "c-2"}), at=NOON + timedelta(minutes=1))

    for path in ("orders", "carts", "coupons"):
        assert (await client.get(f"/v1/customers/c-2/{path}", headers=key)).json() == {path: [], "next": None}
    assert (await client.get("/v1/customers/c-2/consents", headers=key)).json() == {"consents": []}


async def test_ids_of_one_person_lead_to_the_same_answers(client: Client, told: Store, key: dict[str, str]) -> None:
    await tell(
        told,
        ("customer-identified", {"customer_id": "c-2", "last_name": "Lovelace"}),
        ("order-placed", {"order_id": "o-2", "customer_id": "c-2", "currency": "EUR", "total_minor": 1}),
        ("customers-merged", {"customer_id": "c-1", "merged_customer_id": "c-2"}),
        at=NOON + timedelta(minutes=1),
    )

    one, other = [(await client.get(f"/v1/customers/{ref}", headers=key)).json() for ref in ("c-1", "c-2")]
    assert one == other
    assert (one["first_name"], one["last_name"]) == ("Ada", "Lovelace")
    assert {one["customer_id"], *one["other_ids"]} == {"c-1", "c-2"}
    for path in ("orders", "consents", "carts", "coupons"):
        first, second = [
            (await client.get(f"/v1/customers/{ref}/{path}", headers=key)).json() for ref in ("c-1", "c-2")
        ]
        assert first == second
    orders = (await client.get("/v1/customers/c-2/orders", headers=key)).json()["orders"]
    assert {each["order_id"] for each in orders} == {"o-1", "o-2"}


async def test_whoever_is_shown_personal_fields_is_counted_and_noted(
    client: Client, tokens: GivenTokens, key: dict[str, str], shown: list[str]
) -> None:
    for path in ("/v1/customers/c-1", "/v1/customers/c-0", "/v1/orders/o-1"):
        await client.get(path, headers=key)
    await client.post("/v1/customers/lookup", json={"email": "ada@shop.example"}, headers=key)
    await client.post("/v1/customers/lookup", json={"email": "eve@shop.example"}, headers=key)

    assert shown == ["backoffice"] * 2
    assert tokens.counted == [("customers-read", "k-backoffice")] * 2


async def test_many_questions_at_once_are_each_answered(client: Client, told: Store) -> None:
    reading = Reading(told, HandClock(NOON))
    found = await asyncio.gather(
        *(reading.customer(ref) for ref in ("c-1", "c-0", "c-1")),
        *(reading.order(order_id) for order_id in ("o-1", "o-0")),
        *(reading.product(sku) for sku in ("honey", "wax")),
        *(reading.consents(ref) for ref in ("c-1", "c-0")),
        reading.orders("c-1", 10, None),
        reading.coupon("ABCD-EFGH-JKMN"),
        reading.cart("cart-1"),
    )

    assert [each is None for each in found] == [
        *(False, True, False),
        *(False, True),
        *(False, True),
        *(False, True),
        *(False, False, False),
    ]
