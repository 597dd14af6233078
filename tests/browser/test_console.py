"""The page on which people approve, in a real browser, without script, on a desk and on a phone."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.browser.conftest import Browser, Waggle
from waggle.domain.campaign import Campaign
from waggle.domain.enrolment import Enrolment
from waggle.domain.role import Role
from waggle.ports.unit_of_work import Transaction
from waggle.services.approvals import Reply

pytestmark = pytest.mark.browser

T = TypeVar("T")
TASK = "Task_Approve"
LONG = timedelta(days=1)
DESK, PHONE = (1280, 900), (390, 844)


@dataclass
class Office:
    """Three people, and a campaign that one of them asked for."""

    waggle: Waggle
    browser: Browser
    tokens: dict[str, str]

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it where the API runs."""
        return asyncio.run_coroutine_threadsafe(work, self.waggle.loop).result(60)

    def ask(self) -> Reply | None:
        """Ask as the journey does."""
        shown = {"recipients": 12_345, "tests": 2}
        return self.do(self.waggle.app.approvals.ask("enrolment-1", TASK, step=None, shown=shown))

    def enter(self, name: str) -> None:
        """Log in."""
        self.browser.driver.delete_all_cookies()
        self.browser.open(f"{self.waggle.url}/console")
        self.find("input[name=token]").send_keys(self.tokens[name])
        self.press("Log in")

    def find(self, selector: str) -> WebElement:
        return self.browser.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, words: str) -> None:
        """Press the button and wait for the page that answers."""
        self._leave(self.browser.driver.find_element(By.XPATH, f"//button[.='{words}']"))

    def open_question(self) -> None:
        """Follow the link to what waits, and wait for its page."""
        self._leave(self.find("a.card"))

    def _leave(self, way_out: WebElement) -> None:
        # A click may return before the browser has begun to leave the page. Which document is shown is asked of the
        # browser, since an element of the one that goes cannot always be asked while it does.
        left = self._document()
        way_out.click()
        WebDriverWait(self.browser.driver, 60).until(lambda _: self._document() != left)

    def _document(self) -> str:
        frame = self.browser.driver.execute_cdp_cmd("Page.getFrameTree", {})["frameTree"]["frame"]
        document: str = frame["loaderId"]
        return document

    def text(self) -> str:
        return self.find("body").text


@pytest.fixture
def office(waggle: Waggle, browser: Browser) -> Office:
    # Nothing of the console needs script; without it nothing can come from one either.
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    made = Office(waggle, browser, {})
    roles: dict[str, Role] = {"olga": "owner", "kim": "marketer", "marta": "marketer", "ann": "analyst"}

    async def prepare() -> None:
        for name, role in roles.items():
            await waggle.app.accounts.people.add(name, role, by="setup")
            made.tokens[name] = (await waggle.app.accounts.people.token(name, expires=LONG, by="setup")).token

        def put(tx: Transaction) -> None:
            now = waggle.app.clock.now()
            tx.enrolments.save(
                Enrolment(
                    enrolment_id="enrolment-1",
                    journey="campaign",
                    business_key="spring-news-1",
                    entry=1,
                    customer_id=None,
                    cart_id=None,
                    held_out=False,
                    state="running",
                    entered_at=now,
                )
            )
            tx.campaigns.save(
                Campaign(
                    campaign_id="spring-news-1",
                    campaign="spring-news",
                    requested_by="kim",
                    requested_at=now,
                    enrolment_id="enrolment-1",
                )
            )

        await waggle.app.store.run(put)

    made.do(prepare())
    assert made.ask() is None
    return made


def test_somebody_else_than_who_asked_reads_it_and_approves(office: Office) -> None:
    office.enter("marta")
    assert "spring-news-1" in office.text()
    office.open_question()
    assert "12,345 persons are in the segment now." in office.text()

    office.press("Approve")
    assert "has to be ticked" in office.text()
    office.find("input[type=checkbox]").click()
    office.find("textarea").send_keys("Looks fine on <b>my</b> phone")
    office.find("input[name=comment]").send_keys("go")
    office.press("Approve")

    assert "Approved by marta" in office.text()
    assert "Looks fine on <b>my</b> phone" in office.text()
    assert office.ask() == Reply("approved", {"test_was_read": True})
    entries = office.do(office.waggle.app.store.read(lambda tx: tx.audit.newest(2)))
    assert [entry.entry.action for entry in entries] == ["console-entered", "approval-approved"]


def test_who_asked_for_it_is_told_that_somebody_else_decides(office: Office) -> None:
    office.enter("kim")
    office.open_question()

    assert "You asked for this yourself" in office.text()
    assert not office.browser.driver.find_elements(By.CSS_SELECTOR, "button[value=approve]")


def test_a_refusal_says_why(office: Office) -> None:
    office.enter("olga")
    office.open_question()
    office.press("Refuse")
    assert "say in the comment why" in office.text()
    office.find("input[name=comment]").send_keys("the subject promises too much")
    office.press("Refuse")

    assert "Refused by olga" in office.text()
    assert office.ask() == Reply("refused", {})


def test_no_other_page_can_answer_in_somebodys_name(office: Office) -> None:
    office.enter("marta")
    office.open_question()
    office.browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    office.browser.open(office.browser.driver.current_url)
    office.browser.run("document.querySelector('main input[name=form_token]').value = 'guessed'")
    office.find("input[type=checkbox]").click()
    office.press("Approve")

    assert "This form is too old" in office.text()
    assert office.ask() is None
    assert office.browser.run("return document.cookie") == ""


def test_who_may_not_or_has_left_sees_nothing(office: Office) -> None:
    office.enter("ann")
    assert "has nothing to decide here" in office.text()
    office.enter("marta")
    question = office.find("a.card").get_attribute("href")
    assert question is not None
    office.press("Log out")
    office.browser.open(question)
    assert "Log in with your own token" in office.text()

    office.enter("marta")
    office.do(office.waggle.app.accounts.people.remove("marta", by="olga"))
    office.browser.open(question)
    assert "Log in with your own token" in office.text()


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_nothing_is_cut_off(office: Office, size: tuple[int, int]) -> None:
    width, height = size
    office.browser.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE},
    )
    office.enter("marta")
    office.open_question()
    metrics = office.browser.driver.execute_cdp_cmd("Page.getLayoutMetrics", {})

    assert metrics["cssContentSize"]["width"] <= width
