"""The pages about somebody's own data: readable without script, changed by nobody but who has the link and presses."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from waggle.api.preference_texts import TEXTS, language_of
from waggle.api.preferences import preference_routes
from waggle.domain.privacy import LinkKind
from waggle.errors import Rejected
from waggle.services.one_time_actions import Done, OneTimeActions, Question
from waggle.services.preferences import Choice, Held, PreferenceCentre, Preferences, Wish

pytestmark = pytest.mark.anyio

Client = AsyncTestClient[Litestar]

PAGE = Preferences(
    shop_name="Hive & Honey <i>",
    masked_email="a•••@e•••.com",
    first_name='Ada "<b>"',
    language="en",
    time_zone="Europe/Warsaw",
    choices=[
        Choice(
            "marketing",
            "email",
            {"en": "Offers & reminders", "pl": "Oferty"},
            {"en": "Now and then.", "pl": "Od czasu do czasu."},
            {"en": "I want offers."},
            on=True,
        ),
        Choice("profiling", "email", {"en": "Offers that fit"}, {"en": "We look at orders."}, {}, on=False),
    ],
    held=[Held("Orders", "to carry them out", 3)],
    wishes=[Wish("access", "done", datetime(2026, 5, 4, tzinfo=UTC))],
    restricted=False,
)


@dataclass
class FakeCentre:
    """One customer under the token `tok`; remembers what was pressed."""

    page: Preferences = PAGE
    pressed: list[object] = field(default_factory=list)

    async def view(self, token: str) -> Preferences | None:
        return self.page if token == "tok" else None

    async def choose(self, token: str, wanted: frozenset[tuple[str, str]], language: str) -> bool:
        return self._press(token, ("choose", wanted, language))

    async def correct(self, token: str, details: dict[str, str]) -> bool:
        if details.get("time_zone") == "Mars/Olympus":
            raise Rejected("FIELD_INVALID", "time_zone")
        return self._press(token, ("correct", details["first_name"]))

    async def change_email(self, token: str, address: str) -> bool:
        return self._press(token, ("email", address))

    async def wish(self, token: str, right: str) -> bool:
        return self._press(token, ("wish", right))

    async def restrict(self, token: str, *, on: bool) -> bool:
        return self._press(token, ("restrict", on))

    def _press(self, token: str, what: object) -> bool:
        if token != "tok":
            return False
        self.pressed.append(what)
        return True


@dataclass
class FakeActions:
    kind: LinkKind = "confirm-subscription"
    done: list[str] = field(default_factory=list)

    async def describe(self, token: str) -> Question | None:
        return Question(self.kind, "Hive & Honey", "a•••@e•••.com", "I want <offers>.") if token == "one" else None

    async def perform(self, token: str, answer: int | None = None) -> Done | None:
        if token != "one" or self.done:
            return None
        if self.kind == "answer-survey" and answer is None:
            raise Rejected("ANSWER_MISSING", "")
        self.done.append(token if answer is None else f"{token}: {answer}")
        return Done(self.kind, "Hive & Honey", b"PK" if self.kind == "download" else None)


@pytest.fixture
def centre() -> FakeCentre:
    return FakeCentre()


@pytest.fixture
def actions() -> FakeActions:
    return FakeActions()


@pytest.fixture
async def client(centre: FakeCentre, actions: FakeActions) -> AsyncIterator[Client]:
    routes = preference_routes(cast("PreferenceCentre", centre), cast("OneTimeActions", actions))
    app = Litestar([routes], openapi_config=None)
    async with AsyncTestClient(app) as client:
        yield client


async def test_the_page_shows_everything_in_words_and_escapes_what_is_not_ours(client: Client) -> None:
    response = await client.get("/p/tok")

    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert "script" not in response.text
    assert "Hive &amp; Honey &lt;i&gt;" in response.text
    assert 'value="Ada &quot;&lt;b&gt;&quot;"' in response.text
    assert "a•••@e•••.com" in response.text
    assert "<strong>Orders</strong> (3): to carry them out" in response.text
    assert "a copy of your data, on 2026-05-04: done" in response.text
    assert "I want offers." in response.text


async def test_every_field_has_a_label_and_every_box_its_explanation(client: Client) -> None:
    text = (await client.get("/p/tok")).text

    assert '<label for="marketing/email">Offers &amp; reminders</label>' in text
    assert 'aria-describedby="marketing/email-about" checked>' in text
    assert text.count("<input") == text.count("<label") - 2  # two of them are selections
    assert '<html lang="en">' in text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/p/tok", "/o/one"])
async def test_programs_that_follow_links_change_nothing(
    client: Client, centre: FakeCentre, actions: FakeActions, method: str, path: str
) -> None:
    response = await client.request(method, path)

    assert response.status_code == 200
    assert centre.pressed == []
    assert actions.done == []


@pytest.mark.parametrize(
    ("form", "pressed"),
    [
        (
            {"do": "choices", "marketing/email": "on", "sale-share/email": "on", "x": "on"},
            ("choose", frozenset({("marketing", "email"), ("sale-share", "email")}), "en"),
        ),
        ({"do": "details", "first_name": "Ada", "language": "pl"}, ("correct", "Ada")),
        ({"do": "email", "email": "new@example.com"}, ("email", "new@example.com")),
        ({"do": "export"}, ("wish", "access")),
        ({"do": "erase"}, ("wish", "erasure")),
        ({"do": "restrict"}, ("restrict", True)),
        ({"do": "unrestrict"}, ("restrict", False)),
    ],
    ids=lambda value: value["do"] if isinstance(value, dict) else "",
)
async def test_a_button_does_what_it_says_and_the_page_tells(
    client: Client, centre: FakeCentre, form: dict[str, str], pressed: object
) -> None:
    response = await client.post("/p/tok", data=form)

    assert response.status_code == 200
    assert centre.pressed == [pressed]
    assert 'role="status"' in response.text


async def test_a_wrong_value_is_named_and_nothing_is_saved(client: Client, centre: FakeCentre) -> None:
    response = await client.post("/p/tok", data={"do": "details", "first_name": "Ada", "time_zone": "Mars/Olympus"})

    assert response.status_code == 422
    assert centre.pressed == []
    assert "Please look at: <strong>Time zone</strong>" in response.text


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"do": "destroy"}},
        {"content": b""},
        {"content": b"\xff\xfe", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"json": {"do": "erase"}},
        {"data": {f"x{number}": "on" for number in range(80)} | {"do": "choices"}},
    ],
    ids=["another button", "nothing", "no text", "JSON", "too many fields"],
)
async def test_what_is_no_form_of_ours_changes_nothing(
    client: Client, centre: FakeCentre, body: dict[str, Any]
) -> None:
    response = await client.post("/p/tok", **body)

    assert response.status_code == 404
    assert centre.pressed == []


@pytest.mark.parametrize("path", ["/p/nobody", "/o/nobody", "/p/a%00b", "/o/%ff"])
async def test_a_link_of_nobody_says_so_and_no_more(client: Client, path: str) -> None:
    for response in (await client.get(path), await client.post(path, data={"do": "erase"})):
        assert response.status_code == 404
        assert "This link is no longer good" in response.text


@pytest.mark.parametrize("kind", ["confirm-subscription", "keep-subscription", "change-email", "confirm-erasure"])
async def test_a_link_asks_first_and_does_it_once(client: Client, actions: FakeActions, kind: LinkKind) -> None:
    actions.kind = kind
    asked = await client.get("/o/one")
    assert "I want &lt;offers&gt;." in asked.text
    assert '<form method="post">' in asked.text

    done = await client.post("/o/one")
    assert done.status_code == 200
    assert (await client.post("/o/one")).status_code == 404


async def test_a_number_in_the_mail_is_chosen_already_and_counts_once_it_is_sent(
    client: Client, actions: FakeActions
) -> None:
    actions.kind = "answer-survey"

    asked = await client.get("/o/one?score=7")
    assert asked.text.count('type="radio"') == 11
    assert asked.text.count(" checked") == 1
    assert 'value="7" required checked' in asked.text
    assert actions.done == []

    assert (await client.post("/o/one", data={"score": "7"})).status_code == 200
    assert actions.done == ["one: 7"]


@pytest.mark.parametrize("score", ["", "seven", "-1", "7.5", "111"])
async def test_who_chose_no_number_is_asked_again(client: Client, actions: FakeActions, score: str) -> None:
    actions.kind = "answer-survey"
    again = await client.post(f"/o/one?score={score}", data={"score": score})

    assert again.status_code == 422
    assert "Please choose a number from 0 to 10." in again.text
    assert actions.done == []


async def test_the_copy_comes_as_a_file_that_no_cache_keeps(client: Client, actions: FakeActions) -> None:
    actions.kind = "download"
    response = await client.post("/o/one")

    assert response.content == b"PK"
    assert response.headers["content-type"] == "application/zip"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["content-disposition"].startswith("attachment")


async def test_the_page_speaks_the_readers_language_where_it_can(client: Client) -> None:
    polish = (await client.get("/p/tok", headers={"Accept-Language": "de, pl;q=0.9, en;q=0.8"})).text

    assert '<html lang="pl">' in polish
    assert "Twoje dane i Twoje decyzje" in polish
    assert "Oferty" in polish


async def test_who_stopped_the_use_of_their_data_sees_it_and_may_allow_it_again(
    client: Client, centre: FakeCentre
) -> None:
    centre.page = replace(PAGE, restricted=True)
    text = (await client.get("/p/tok")).text

    assert "nothing of your data is used" in text
    assert 'value="unrestrict"' in text


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("pl", "pl"), ("pl-PL,pl;q=0.9", "pl"), ("de,fr", "en"), ("en;q=0.1,pl;q=0.2", "pl"), ("x;q=y", "en")],
)
def test_the_language_is_the_first_that_both_speak(accepted: str, language: str) -> None:
    assert language_of(accepted) == language


def test_every_language_says_everything() -> None:
    for texts in TEXTS.values():
        assert set(texts) == set(TEXTS["en"])
