"""A JSON interface is read whole, whatever way it turns its pages, and its secret goes nowhere else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.rest import RestSettings
from connectors.rest.feed import RestFeed
from waggle.domain.mapping import read_mapping
from waggle.domain.secret import Secret
from waggle.errors import BadSettings, PermanentFailure, TemporaryFailure
from waggle.fetching import refuse_plaintext
from waggle.ports.sources import Page
from waggle.testing.json_server import Answer, Asked, json_server

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
MAPPING = read_mapping(
    {"event": [{"type": "stock-changed", "time": "changed", "data": {"sku": "sku", "quantity": "free"}}]}, "stock"
)
RECORDS = [{"sku": f"sku-{n}", "free": n, "changed": f"2026-05-04T0{n}:00:00Z"} for n in range(5)]


def settings(url: str, **changes: Any) -> RestSettings:  # noqa: ANN401 -- keys of any kind
    return RestSettings(**{"url": url, "mapping": MAPPING, "timeout_s": 5.0, **changes})


async def read(feed: RestFeed, cursor: str | None = None, since: datetime | None = None) -> list[Page]:
    """Return the pages of one round."""
    pages = [await feed.pull(cursor, since)]
    while pages[-1].more:
        pages.append(await feed.pull(pages[-1].cursor, None))
    return pages


def skus(pages: list[Page]) -> list[str]:
    return [item["data"]["sku"] for page in pages for item in page.items]


def by_page(asked: Asked) -> Answer:
    page = int(asked.parameters["page"])
    return Answer({"data": {"items": RECORDS[2 * page - 2 : 2 * page]}})


def by_offset(asked: Asked) -> Answer:
    start = int(asked.parameters["start"])
    return Answer(RECORDS[start : start + 2])


def by_link_header(asked: Asked) -> Answer:
    page = int(asked.parameters.get("p", "0"))
    link = {"Link": f'</stock?p={page + 1}>; rel="next"'} if page < 2 else {}
    return Answer(RECORDS[2 * page : 2 * page + 2], headers=link)


def by_link_in_body(asked: Asked) -> Answer:
    page = int(asked.parameters.get("p", "0"))
    return Answer({"items": RECORDS[2 * page : 2 * page + 2], "next": f"/stock?p={page + 1}" if page < 2 else None})


def by_token(asked: Asked) -> Answer:
    start = int(asked.parameters.get("after", "t0")[1:])
    return Answer({"items": RECORDS[start : start + 2], "meta": {"after": f"t{min(start + 2, 5)}"}})


@pytest.mark.parametrize(
    ("answer", "changes"),
    [
        (by_page, {"paging": "page", "size": 2, "size_param": "per_page", "records": "data.items"}),
        (by_offset, {"paging": "offset", "size": 2, "page_param": "start"}),
        (by_link_header, {"paging": "next-link"}),
        (by_link_in_body, {"paging": "next-link", "records": "items", "next": "next"}),
        (by_token, {"paging": "token", "page_param": "after", "records": "items", "next": "meta.after"}),
        (lambda asked: Answer(RECORDS), {}),
    ],
    ids=["page", "offset", "link header", "link in body", "token", "none"],
)
async def test_all_pages_are_read_whichever_way_they_are_turned(
    answer: Callable[[Asked], Answer], changes: dict[str, Any]
) -> None:
    async with json_server(answer) as server:
        feed = RestFeed(settings(f"{server.url}/stock", **changes))
        pages = await read(feed)
        await feed.close()

    assert skus(pages) == [f"sku-{n}" for n in range(5)]
    assert pages[0].items[1]["time"] == "2026-05-04T01:00:00Z"


async def test_a_token_that_stands_for_all_that_was_read_is_gone_on_from() -> None:
    async with json_server(by_token) as server:
        feed = RestFeed(settings(server.url, paging="token", page_param="after", records="items", next="meta.after"))
        cursor = (await read(feed))[-1].cursor
        await read(feed, cursor)
        await feed.close()

    assert server.asked[-1].parameters == {"after": "t5"}


async def test_changes_are_asked_for_since_the_last_round_began_with_an_overlap() -> None:
    async with json_server(lambda asked: Answer(RECORDS)) as server:
        feed = RestFeed(settings(server.url, since_param="from", overlap=timedelta(minutes=5)), now=lambda: NOON)
        [first] = await read(feed, since=NOON - timedelta(days=1))
        await read(feed, first.cursor)
        await feed.close()

    assert [asked.parameters["from"] for asked in server.asked] == ["2026-05-03T12:00:00Z", "2026-05-04T11:55:00Z"]


async def test_where_records_carry_their_time_of_change_the_clocks_of_the_two_need_not_agree() -> None:
    async with json_server(lambda asked: Answer(RECORDS if len(server.asked) == 1 else [])) as server:
        feed = RestFeed(settings(server.url, since_param="from", changed_at="changed", since_format="unix"))
        [first] = await read(feed)
        [second] = await read(feed, first.cursor)
        await read(feed, second.cursor)
        await feed.close()

    newest = datetime(2026, 5, 4, 4, 0, tzinfo=UTC) - timedelta(minutes=5)
    assert server.asked[0].parameters == {}
    # A round without news does not move on.
    assert [asked.parameters["from"] for asked in server.asked[1:]] == [str(int(newest.timestamp()))] * 2


@pytest.mark.parametrize(
    ("changes", "header", "value"),
    [
        ({"token": Secret("t")}, "authorization", "Bearer t"),
        ({"username": "u", "password": Secret("p")}, "authorization", "Basic dTpw"),
        ({"key_header": "X-Api-Key", "key": Secret("k")}, "x-api-key", "k"),
    ],
)
async def test_who_asks_is_told_as_the_other_side_wants_it(changes: dict[str, Any], header: str, value: str) -> None:
    async with json_server(lambda asked: Answer([])) as server:
        feed = RestFeed(settings(server.url, parameters={"warehouse": "1"}, **changes))
        await feed.pull(None, None)
        await feed.close()

    assert server.asked[0].headers[header] == value
    assert server.asked[0].parameters == {"warehouse": "1"}


async def test_a_record_that_does_not_fit_is_given_apart_and_the_others_stand() -> None:
    records = [RECORDS[0], {"sku": "sku-9", "free": "many", "changed": "2026-05-04T00:00:00Z"}, "text", RECORDS[1]]
    async with json_server(lambda asked: Answer(records)) as server:
        feed = RestFeed(settings(server.url))
        [page] = await read(feed)
        await feed.close()

    assert skus([page]) == ["sku-0", "sku-1"]
    assert [(each.code, each.where) for each in page.unread] == [
        ("RECORD_UNREADABLE", "event[0].data.quantity"),
        ("RECORD_UNREADABLE", "records"),
    ]


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (Answer([], 500), TemporaryFailure, "REST_BUSY"),
        (Answer([], 401), PermanentFailure, "REST_LOGIN_REFUSED"),
        (Answer([], 404), PermanentFailure, "REST_REFUSED"),
        (Answer([], 302, {"Location": "https://elsewhere.example"}), PermanentFailure, "REST_MOVED"),
        (Answer(b"<html>"), PermanentFailure, "REST_UNREADABLE"),
        (Answer(b"[" * 100_000), PermanentFailure, "REST_UNREADABLE"),
        (Answer({"items": []}), PermanentFailure, "REST_SHAPE"),
    ],
)
async def test_what_the_other_side_says_becomes_one_of_our_words(
    answer: Answer, kind: type[TemporaryFailure | PermanentFailure], code: str
) -> None:
    async with json_server(lambda asked: answer) as server:
        feed = RestFeed(settings(server.url))
        with pytest.raises(kind) as caught:
            await feed.pull(None, None)
        await feed.close()

    assert caught.value.code == code


@pytest.mark.parametrize(("asked_wait", "wait_s"), [("7", 7.0), ("0", 1.0), ("999999", 3600.0), ("soon", 60.0)])
async def test_the_wait_that_is_asked_for_is_kept_within_bounds(asked_wait: str, wait_s: float) -> None:
    async with json_server(lambda asked: Answer([], 429, {"Retry-After": asked_wait})) as server:
        feed = RestFeed(settings(server.url))
        with pytest.raises(TemporaryFailure) as caught:
            await feed.pull(None, None)
        await feed.close()

    assert caught.value.retry_after_s == wait_s


async def test_an_answer_without_end_is_cut_off() -> None:
    async with json_server(lambda asked: Answer(b"[" + b" " * 2000 + b"]")) as server:
        feed = RestFeed(settings(server.url))
        feed._fetcher._most_bytes = 1000
        with pytest.raises(PermanentFailure, match="REST_TOO_LARGE"):
            await feed.pull(None, None)
        await feed.close()


async def test_nobody_there_is_waited_for() -> None:
    feed = RestFeed(settings("http://127.0.0.1:9"))

    with pytest.raises(TemporaryFailure, match="REST_UNAVAILABLE"):
        await feed.pull(None, None)
    await feed.close()


async def test_a_next_page_on_another_host_is_not_asked_for_since_it_would_get_the_secret() -> None:
    link = {"Link": '<http://127.0.0.1:9/stock?p=1>; rel="next"'}
    async with json_server(lambda asked: Answer(RECORDS, headers=link)) as server:
        feed = RestFeed(settings(server.url, paging="next-link", token=Secret("t")))
        with pytest.raises(PermanentFailure, match="REST_NEXT_ELSEWHERE"):
            await feed.pull(None, None)
        await feed.close()


@pytest.mark.parametrize("url", ["http://erp.example/stock", "http://10.0.0.7", "http://127.0.0.1.example"])
def test_nothing_is_asked_in_the_clear_of_another_machine(url: str) -> None:
    with pytest.raises(BadSettings, match="PLAINTEXT_REFUSED"):
        settings(url)

    assert settings(url, allow_plaintext=True).url == url


@pytest.mark.parametrize("url", ["https://u:p@erp.example", "ftp://erp.example", "erp.example", ""])
def test_an_address_is_a_web_address_without_secrets(url: str) -> None:
    with pytest.raises(BadSettings, match="SETTING_WRONG"):
        refuse_plaintext(url, "url")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"records": "a..b"}, "records"),
        ({"paging": "token"}, "next"),
        ({"key": Secret("k")}, "key_header"),
    ],
)
def test_wrong_settings_are_found_at_the_start(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadSettings, match=said):
        settings("https://erp.example", **changes)


def test_a_source_without_a_mapping_means_nothing() -> None:
    with pytest.raises(BadSettings, match="MAPPING_MISSING"):
        RestFeed(settings("https://erp.example", mapping=None))
