"""What another site, or a stolen link, could make a browser do: the console's pages and those of shoppers."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from tests.api.peopled import Peopled, peopled
from waggle.app import App
from waggle.http_api import http_api
from waggle.settings import load_settings
from waggle.testing.clock import HandClock

Client = TestClient[Litestar]

HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[Client, Peopled, str]]:
    """A client, what there is, and the token of a person who may decide."""
    environment = {
        "WAGGLE_HOME": str(tmp_path),
        "WAGGLE_DATABASE__URL": f"sqlite:///{tmp_path / 'waggle.db'}",
        "WAGGLE_API__PUBLIC_URL": "https://go.shop.example",
    }
    app = App(load_settings(environment, here=tmp_path))
    there = asyncio.run(peopled(app.store, HandClock(datetime.now(UTC) - timedelta(hours=1))))
    asyncio.run(app.accounts.people.add("olga", "owner", by="setup"))
    token = asyncio.run(app.accounts.people.token("olga", expires=timedelta(days=1), by="setup")).token
    with TestClient(http_api(app), base_url="https://go.shop.example", raise_server_exceptions=False) as client:
        yield client, there, token
    app.close()


def logged_in(client: Client, token: str) -> httpx.Response:
    return client.post("/console/login", data={"token": token}, follow_redirects=False)


def test_the_cookie_is_for_this_site_by_https_and_for_no_script(house: tuple[Client, Peopled, str]) -> None:
    client, _, token = house

    cookie = logged_in(client, token).headers["set-cookie"].lower()

    assert {"httponly", "secure", "samesite=lax", "path=/console"} <= {each.strip() for each in cookie.split(";")}
    assert token.lower() not in cookie


@pytest.mark.parametrize("form_token", [None, "", "guessed", "0" * 64, "\u0105"])
@pytest.mark.parametrize("path", ["/console/leave", "/console/approvals/a-1"])
def test_a_form_of_another_site_does_nothing(
    house: tuple[Client, Peopled, str], path: str, form_token: str | None
) -> None:
    client, _, token = house
    logged_in(client, token)
    fields = {"do": "approve"} | ({} if form_token is None else {"form_token": form_token})

    assert client.post(path, data=fields, follow_redirects=False).status_code == 403
    assert client.get("/console/approvals", follow_redirects=False).status_code == 200


def test_another_site_logs_nobody_in(house: tuple[Client, Peopled, str]) -> None:
    client, _, token = house

    answer = client.post("/console/login", data={"token": token}, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_cookie_that_was_there_before_is_not_the_one_of_who_logs_in(house: tuple[Client, Peopled, str]) -> None:
    client, _, token = house
    client.cookies.set("waggle_console", "fixed-by-somebody-else", domain="go.shop.example", path="/console")

    logged_in(client, token)

    secrets = {cookie.value for cookie in client.cookies.jar}
    assert "fixed-by-somebody-else" not in secrets or len(secrets) > 1
    client.cookies.clear()
    stolen = {"Cookie": "waggle_console=fixed-by-somebody-else"}
    assert client.get("/console/approvals", headers=stolen, follow_redirects=False).status_code == 303


def test_no_page_can_be_framed_nor_runs_a_script_nor_is_kept(house: tuple[Client, Peopled, str]) -> None:
    client, there, token = house
    pages = [client.get(f"/{kind}/{there.tokens[kind]}") for kind in ("u", "p", "o")]
    pages += [client.get("/problems/not-json"), client.get("/c/made-up"), client.get("/console/login")]
    logged_in(client, token)
    pages += [client.get("/console/approvals"), client.get("/console/approvals/unknown")]

    for page in pages:
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] in {"no-referrer", "same-origin"}


def test_what_somebody_calls_themselves_is_text_on_their_page(house: tuple[Client, Peopled, str]) -> None:
    client, there, _ = house
    form = {"do": "details", "first_name": HOSTILE, "language": "en", "time_zone": "Europe/Warsaw"}

    shown = client.post(f"/p/{there.tokens['p']}", data=form)

    assert shown.status_code in {200, 422}
    assert "<script" not in shown.text
    assert "<script" not in client.get(f"/p/{there.tokens['p']}").text


def test_what_is_typed_into_the_console_comes_back_as_text(house: tuple[Client, Peopled, str]) -> None:
    client, _, token = house
    answers = [client.post("/console/login", data={"token": HOSTILE}), client.get(f"/problems/{HOSTILE}")]
    logged_in(client, token)
    answers.append(client.get(f"/console/approvals/{HOSTILE}"))

    assert all("<script" not in answer.text for answer in answers)


def test_a_link_of_one_kind_opens_nothing_of_another(house: tuple[Client, Peopled, str]) -> None:
    client, there, _ = house
    for kind, token in there.tokens.items():
        for other in there.tokens.keys() - {kind}:
            assert client.get(f"/{other}/{token}", follow_redirects=False).status_code == 404
            assert client.post(f"/{other}/{token}", follow_redirects=False).status_code in {404, 405}


@pytest.mark.parametrize("query", ["?to=https://evil.example", "?next=//evil.example", "?customer_id=c-2", "?score=10"])
def test_a_query_changes_nothing_about_a_link(house: tuple[Client, Peopled, str], query: str) -> None:
    client, there, _ = house
    plain = client.get(f"/c/{there.tokens['c']}", follow_redirects=False)

    asked = client.get(f"/c/{there.tokens['c']}{query}", follow_redirects=False)

    assert (asked.status_code, asked.headers["location"]) == (302, plain.headers["location"])
    assert "evil" not in asked.headers["location"]


def test_who_comes_by_another_name_is_sent_nowhere_else(house: tuple[Client, Peopled, str]) -> None:
    client, there, token = house
    foreign = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http"}
    answers = [
        client.get("/console", headers=foreign, follow_redirects=False),
        client.post("/console/login", data={"token": token}, headers=foreign, follow_redirects=False),
        client.post(f"/p/{there.tokens['p']}", data={"do": "export"}, headers=foreign),
    ]

    assert all("evil.example" not in answer.text + str(answer.headers) for answer in answers)
