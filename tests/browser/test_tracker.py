"""The tracker in a real browser, against the real API on another origin."""

import gzip

import pytest

from tests.browser.conftest import Browser, Shop, Waggle
from waggle.api.tracker import tracker_script

pytestmark = pytest.mark.browser

LINE = {"sku": "honey", "quantity": 2, "unit_price_minor": 650}
CART = {"cart_id": "cart-1", "currency": "EUR", "items": [LINE]}
GIVEN = ' data-consent="given"'


def test_the_script_is_under_5_kb_gzipped() -> None:
    assert len(gzip.compress(tracker_script())) < 5_000


def test_nothing_is_stored_or_sent_before_the_shopper_agreed(waggle: Waggle, shop: Shop, browser: Browser) -> None:
    browser.open(shop.page(waggle, before="waggle.push(['product', 'honey'])"))
    browser.push("cart", CART)

    assert browser.stored() == []
    assert waggle.events() == []

    browser.push("consent", "given")

    assert waggle.told("cart-updated")[0]["items"] == [LINE]
    assert {kind for kind, _ in waggle.events()} == {"page-viewed", "product-viewed", "cart-updated"}
    assert browser.run("return document.cookie") == ""


def test_who_agreed_once_is_not_asked_again_and_keeps_their_anonymous_id(
    waggle: Waggle, shop: Shop, browser: Browser
) -> None:
    url = shop.page(waggle)
    browser.open(url)
    browser.push("consent", "given")
    [first] = waggle.told("page-viewed")
    browser.open(url)
    browser.push("product", "honey")

    [product] = waggle.told("product-viewed")

    assert product["anonymous_id"] == first["anonymous_id"]


def test_who_says_no_leaves_no_trace(waggle: Waggle, shop: Shop, browser: Browser) -> None:
    browser.open(shop.page(waggle, attributes=GIVEN))
    waggle.told("page-viewed")
    browser.push("consent", "denied")
    browser.push("product", "honey")
    browser.open(shop.page(waggle))
    browser.push("product", "wax")

    assert browser.stored() == []
    assert [kind for kind, _ in waggle.events()] == ["page-viewed"]


@pytest.mark.parametrize("signal", ["globalPrivacyControl', {value: true}", "doNotTrack', {value: '1'}"])
def test_a_browser_that_says_no_is_not_tracked_even_with_consent(
    signal: str, waggle: Waggle, shop: Shop, browser: Browser
) -> None:
    browser.say_at_start(f"Object.defineProperty(navigator, '{signal})")
    browser.open(shop.page(waggle, attributes=GIVEN))
    browser.push("cart", CART)
    browser.push("product", "honey")
    browser.cut_off(offline=False)

    assert not any("event" in name or "anonymous" in name for name in browser.stored())
    assert waggle.events() == []


def test_global_privacy_control_of_a_known_customer_is_an_opt_out_of_sale(
    waggle: Waggle, shop: Shop, browser: Browser
) -> None:
    browser.say_at_start("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    browser.open(shop.page(waggle, attributes=GIVEN))
    browser.push("identify", "c-1", {"first_name": "Ada"})
    browser.push("identify", "c-1")

    [told] = waggle.told("consent-withdrawn")

    assert (told["customer_id"], told["purpose"], told["mechanism"]) == ("c-1", "sale-share", "gpc")
    assert [kind for kind, _ in waggle.events()] == ["consent-withdrawn"]


def test_what_happened_offline_arrives_once_the_network_is_back_in_order(
    waggle: Waggle, shop: Shop, browser: Browser
) -> None:
    browser.open(shop.page(waggle, attributes=GIVEN))
    waggle.told("page-viewed")
    browser.cut_off(offline=True)
    for quantity in range(1, 6):
        browser.push("cart", {**CART, "items": [{**LINE, "quantity": quantity}]})
    assert len(waggle.events()) == 1

    browser.cut_off(offline=False)

    browser.until("return Object.keys(localStorage).every((name) => !name.startsWith('waggle.event.'))")
    assert [data["items"][0]["quantity"] for data in waggle.told("cart-updated")] == [1, 2, 3, 4, 5]


def test_what_the_last_page_could_not_send_the_next_one_sends(waggle: Waggle, shop: Shop, browser: Browser) -> None:
    browser.open(shop.page(waggle, attributes=GIVEN))
    waggle.told("page-viewed")
    browser.run("window.fetch = () => Promise.reject(new TypeError('away'))")
    browser.push("product", "honey")
    browser.open(shop.page(waggle, attributes=GIVEN))

    assert waggle.told("product-viewed")[0]["sku"] == "honey"


def test_an_identified_customer_keeps_what_they_did_before(waggle: Waggle, shop: Shop, browser: Browser) -> None:
    browser.open(shop.page(waggle, attributes=GIVEN))
    [viewed] = waggle.told("page-viewed")
    browser.push("identify", "c-1", {"email": "ada@example.com", "first_name": "Ada"})
    browser.push("add", {"cart_id": "cart-1", "currency": "EUR", **LINE})

    [told] = waggle.told("customer-identified")
    [added] = waggle.told("product-added")

    assert (told["customer_id"], told["anonymous_id"]) == ("c-1", viewed["anonymous_id"])
    assert added["customer_id"] == "c-1"


def test_who_signs_out_is_somebody_else_from_then_on(waggle: Waggle, shop: Shop, browser: Browser) -> None:
    browser.open(shop.page(waggle, attributes=GIVEN))
    browser.push("identify", "c-1")
    waggle.told("customer-identified")
    browser.push("reset")
    browser.push("product", "honey")

    [viewed] = waggle.told("product-viewed")

    assert "customer_id" not in viewed
    assert viewed["anonymous_id"] != waggle.told("page-viewed")[0]["anonymous_id"]


def test_of_an_address_only_the_campaign_is_kept(waggle: Waggle, shop: Shop, browser: Browser) -> None:
    browser.open(shop.page(waggle, attributes=GIVEN) + "?utm_source=mail&email=ada%40example.com#token=1")

    [viewed] = waggle.told("page-viewed")

    assert viewed["url"].endswith("/honey?utm_source=mail")


def test_a_shop_that_turns_its_pages_by_script_is_followed(waggle: Waggle, shop: Shop, browser: Browser) -> None:
    browser.open(shop.page(waggle, attributes=GIVEN))
    waggle.told("page-viewed")
    browser.run("history.pushState({}, '', '/wax')")
    browser.push("product", "wax")
    waggle.told("product-viewed")

    # The new page is told a moment after the address has changed.
    assert [data["url"].rpartition("/")[2] for data in waggle.told("page-viewed", at_least=2)] == ["honey", "wax"]


def test_a_banner_is_text_and_a_link_and_stays_closed(waggle: Waggle, shop: Shop, browser: Browser) -> None:
    url = shop.page(waggle, attributes=GIVEN)
    banner = {"key": "spring", "text": "<b onclick=x>10 %</b>", "link": "javascript:alert(1)", "label": "Take it"}
    browser.open(url)
    browser.push("show", "top", banner)
    place = "document.querySelector('[data-waggle-slot]')"

    assert browser.run(f"return {place}.querySelector('p').textContent") == banner["text"]
    assert browser.run(f"return {place}.querySelectorAll('a, b').length") == 0

    browser.run(f"{place}.querySelector('button').click()")
    browser.open(url)
    browser.push("show", "top", banner)

    assert browser.run(f"return {place}.childElementCount") == 0


def test_a_wrong_key_is_tried_once_a_page_and_loses_nothing(waggle: Waggle, shop: Shop, browser: Browser) -> None:
    browser.say_at_start(
        """window.answers = [];
        const own = fetch;
        window.fetch = async (...call) => {
          const answer = await own(...call);
          answers.push(answer.status);
          return answer;
        };
        """
    )
    browser.open(shop.page(waggle, attributes=GIVEN, key="wk_nobodys"))
    browser.until("return answers.length")
    browser.push("product", "honey")
    browser.wait(0.5)
    assert browser.run("return answers") == [401]

    browser.open(shop.page(waggle, attributes=GIVEN))

    assert waggle.told("product-viewed")[0]["sku"] == "honey"
