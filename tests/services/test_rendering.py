"""What a shopper reads is what was meant, and a broken template is found before anybody does."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from waggle.errors import BadSettings, PermanentFailure
from waggle.resources import shipped
from waggle.services.rendering import (
    MessageContext,
    MessageCoupon,
    MessageItem,
    MessageLoyalty,
    MessageOrder,
    MessageProduct,
    MessageTemplates,
)

HONEY = MessageItem("Wildflower honey", 2, 1290, "€25.80", "https://shop.example/honey.jpg", "https://shop.example/p/1")
CANDLE = MessageItem("Candle", 1, 1850, "€18.50", None, None)
ORDER = MessageOrder(
    number="1042", items=(HONEY,), total="€31.70", placed_on="3 December 2026", url="https://shop.example/c/cart-token"
)
PRODUCT = MessageProduct(
    name="Heather honey",
    price="€10.40",
    url="https://shop.example/c/product-token",
    image_url="https://shop.example/heather.jpg",
    was_price="€12.90",
)
CONTEXT = MessageContext(
    shop_name="Hive & Honey",
    shop_address="1 Meadow Lane, 10000 Beeville",
    first_name="Anna",
    items=(HONEY, CANDLE),
    total="€44.30",
    currency="EUR",
    cart_url="https://shop.example/c/cart-token?a=1&b=2",
    coupon=MessageCoupon("7KQM-2XWA-R9TZ", 10, "3 December 2026"),
    unsubscribe_url="https://shop.example/u/leave-token",
    preferences_url="https://shop.example/y/data-token",
    action_url="https://shop.example/o/action-token",
    language="en",
    order=ORDER,
    product=PRODUCT,
    loyalty=MessageLoyalty(640, "Gold"),
)
SHIPPED = MessageTemplates.load(shipped("config") / "messages")
ADVERTISING = [name for name in sorted(SHIPPED.names) if SHIPPED.declaration(name).purpose == "marketing"]


def shows(name: str, part: str) -> bool:
    """Say whether a message includes shared/<part>.mjml."""
    body = (shipped("config") / "messages" / name / "body.mjml").read_text(encoding="utf-8")
    return f'path="shared/{part}.mjml"' in body


ABOUT_A_CART = [name for name in ADVERTISING if shows(name, "cart")]
WITH_A_COUPON = [name for name in ADVERTISING if "code" in SHIPPED.declaration(name).documentation]
ABOUT_AN_ORDER = [name for name in sorted(SHIPPED.names) if shows(name, "order")]
ABOUT_A_PRODUCT = [name for name in ADVERTISING if shows(name, "product")]

TOML = 'subject = "Hello {{ first_name }}"\npreheader = "x"\ndocumentation = "x"\n'
MJML = """<mjml>
<mj-body>
<mj-section><mj-column>
<mj-text>{{ shop_name }} <a href="{{ unsubscribe_url }}">leave</a></mj-text>
</mj-column></mj-section>
</mj-body>
</mjml>
"""
TEXT = "Hello\n{{ unsubscribe_url }}\n"


class Page(HTMLParser):
    """What a mail program makes of the HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.images: list[str] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "href":
                self.links.append(value or "")
            if name == "src":
                self.images.append(value or "")

    def handle_data(self, data: str) -> None:
        if data.strip() and self.tags[-1:] != ["style"]:
            self.words += " ".join(data.split()) + " "


def write(folder: Path, *, toml: str = TOML, mjml: str = MJML, text: str = TEXT) -> Path:
    message = folder / "hello"
    message.mkdir()
    (message / "message.toml").write_text(toml, encoding="utf-8")
    (message / "body.mjml").write_text(mjml, encoding="utf-8")
    (message / "body.txt.liquid").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("name", ABOUT_A_CART)
def test_a_mail_names_items_coupon_cart_and_the_way_out(name: str) -> None:
    rendered = SHIPPED.render(name, CONTEXT)
    page = Page(rendered.html)

    for words in (page.words, rendered.text):
        for said in (
            "Hive & Honey",
            "Anna",
            "Wildflower honey",
            "€25.80",
            "€44.30",
        ):
            assert said in words
        assert "1 Meadow Lane, 10000 Beeville" in words
    assert page.links.count(CONTEXT.cart_url) == 1
    assert page.links.count(CONTEXT.unsubscribe_url) == 1
    assert CONTEXT.cart_url in rendered.text
    assert CONTEXT.unsubscribe_url in rendered.text
    assert page.images == ["https://shop.example/honey.jpg"]


@pytest.mark.parametrize("name", sorted(SHIPPED.names))
def test_a_mail_without_coupon_and_name_speaks_of_neither(name: str) -> None:
    rendered = SHIPPED.render(name, replace(CONTEXT, coupon=None, first_name=None))

    for words in (rendered.subject, rendered.text, Page(rendered.html).words):
        assert not re.search(r"code|%|None|Hi\b|\{|\}", words), words
    assert "Hello," in rendered.text


@pytest.mark.parametrize("name", WITH_A_COUPON)
def test_a_mail_with_a_coupon_names_its_code_and_its_last_day_in_both_forms(name: str) -> None:
    rendered = SHIPPED.render(name, CONTEXT)

    for words in (Page(rendered.html).words, rendered.text):
        assert "7KQM-2XWA-R9TZ" in words
        assert "3 December 2026" in words


@pytest.mark.parametrize("name", ADVERTISING)
def test_advertising_offers_the_way_out_in_both_forms(name: str) -> None:
    rendered = SHIPPED.render(name, CONTEXT)

    for where in (Page(rendered.html).links, rendered.text):
        assert CONTEXT.unsubscribe_url in where
        assert CONTEXT.preferences_url in where
    assert "1 Meadow Lane, 10000 Beeville" in rendered.text


@pytest.mark.parametrize("name", ABOUT_A_PRODUCT)
def test_a_mail_about_a_product_names_it_its_price_and_its_page(name: str) -> None:
    rendered = SHIPPED.render(name, CONTEXT)
    page = Page(rendered.html)

    for words in (page.words, rendered.text):
        assert "Heather honey" in words
        assert "€10.40" in words
    assert PRODUCT.url in page.links
    assert PRODUCT.url in rendered.text
    assert page.images == [PRODUCT.image_url]


@pytest.mark.parametrize("name", ABOUT_A_PRODUCT)
def test_a_product_without_price_and_picture_is_shown_by_its_name(name: str) -> None:
    bare = replace(PRODUCT, price=None, was_price=None, image_url="javascript:alert(1)")
    rendered = SHIPPED.render(name, replace(CONTEXT, product=bare))

    assert Page(rendered.html).images == []
    assert "None" not in rendered.text + rendered.subject


@pytest.mark.parametrize("name", ABOUT_AN_ORDER)
def test_a_mail_about_an_order_names_its_number_its_day_and_its_lines(name: str) -> None:
    page = Page(SHIPPED.render(name, CONTEXT).html)

    for said in ("1042", "3 December 2026", "Wildflower honey", "€31.70"):
        assert said in page.words


def test_a_template_that_is_about_a_product_need_not_ask_whether_there_is_one(tmp_path: Path) -> None:
    body = MJML.replace("{{ shop_name }}", "{{ product.name }}")
    folder = write(tmp_path, toml=TOML + 'about = "product"\n', mjml=body)

    assert "Heather honey" in MessageTemplates.load(folder).render("hello", CONTEXT).html


def test_a_template_that_forgets_to_ask_whether_there_is_a_product_is_found(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="hello/body"):
        MessageTemplates.load(write(tmp_path, mjml=MJML.replace("{{ shop_name }}", "{{ product.name }}")))


@pytest.mark.parametrize("name", ABOUT_A_CART)
def test_a_long_cart_makes_a_short_mail(name: str) -> None:
    rendered = SHIPPED.render(name, replace(CONTEXT, items=(HONEY,) * 500))

    assert "and 494 more" in rendered.text
    assert "and 494 more" in Page(rendered.html).words
    # Beyond 102 kB a large mail service cuts the mail off, and the unsubscribe link with it.
    assert len(rendered.html.encode()) < 100_000


@pytest.mark.parametrize("name", sorted(SHIPPED.names))
@pytest.mark.parametrize(
    "hostile",
    [
        "{{7*7}}",
        "{% raw %}",
        "{{ coupon.code }}",
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "%s %(x)s",
    ],
)
def test_data_is_never_a_template_nor_markup(name: str, hostile: str) -> None:
    line = replace(CANDLE, name=hostile)
    context = replace(
        CONTEXT,
        shop_name=hostile,
        items=(line,),
        first_name=hostile,
        order=replace(ORDER, number=hostile, items=(line,)),
        product=replace(PRODUCT, name=hostile, image_url=None),
    )
    rendered = SHIPPED.render(name, context)
    page = Page(rendered.html)

    assert hostile in rendered.text
    assert hostile in page.words
    assert "script" not in page.tags
    assert page.images == []


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//shop.example/x", " https://x", ""])
def test_only_web_addresses_become_links_and_images(url: str) -> None:
    page = Page(
        SHIPPED.render("abandoned-cart", replace(CONTEXT, items=(replace(HONEY, url=url, image_url=url),))).html
    )

    assert page.images == []
    assert sorted(page.links) == [CONTEXT.cart_url, CONTEXT.unsubscribe_url, CONTEXT.preferences_url]


@pytest.mark.parametrize(
    "name", ["WIN at www.evil.example", "see http://evil.example", "a@b.example", "x" * 61, " \n "]
)
def test_what_is_no_first_name_is_not_greeted(name: str) -> None:
    rendered = SHIPPED.render("abandoned-cart", replace(CONTEXT, first_name=name))

    assert rendered.text.startswith("Hello,")
    assert "Hello, we kept" in Page(rendered.html).words


def test_a_subject_is_one_line(tmp_path: Path) -> None:
    templates = MessageTemplates.load(write(tmp_path))

    rendered = templates.render("hello", replace(CONTEXT, first_name="Anna\r\nBcc: x\x00\u2028y"))

    assert rendered.subject == "Hello Anna Bcc: x y"


@pytest.mark.parametrize(
    ("part", "source", "where"),
    [
        ("toml", 'subject = "x"\n', "hello/message.toml"),
        ("toml", TOML + 'colour = "red"\n', "hello/message.toml"),
        ("toml", TOML.replace("first_name", "fist_name"), "hello/message.toml:1"),
        ("toml", "subject = ", "hello/message.toml"),
        ("mjml", MJML.replace("{{ shop_name }}", "{{ shop_nam }}"), "hello/body.mjml:4"),
        ("mjml", MJML.replace("{{ shop_name }}", "{{ coupon.cod }}"), "hello/body.mjml:4"),
        ("mjml", MJML.replace("{{ shop_name }}", "{% if order %}{{ order.nr }}{% endif %}"), "hello/body.mjml:4"),
        ("mjml", MJML.replace("{{ shop_name }}", "{% if product %}{{ product.sku }}{% endif %}"), "hello/body.mjml:4"),
        ("toml", TOML + 'about = "weather"\n', "hello/message.toml"),
        ("mjml", MJML.replace("{{ shop_name }}", "{{ coupon.code }}"), "hello/body.mjml:4"),
        ("mjml", MJML.replace("{{ shop_name }}", "{% for i in items %}{{ i.nam }}{% endfor %}"), "hello/body.mjml:4"),
        ("mjml", MJML.replace("{{ shop_name }}", "{% if false %}{{ nobody }}{% endif %}"), "hello/body.mjml:4"),
        ("mjml", MJML.replace("{{ shop_name }}", "{{ shop_name | shout }}"), "hello/body.mjml:4"),
        ("mjml", MJML.replace("{{ shop_name }}", "{{ shop_name | safe }}"), "hello/body.mjml:4"),
        ("mjml", MJML.replace("{{ shop_name }}", "{{ 'now' | date: '%Y' }}"), "hello/body.mjml:4"),
        ("mjml", MJML.replace("{{ shop_name }}", "{% if shop_name %}"), "hello/body.mjml"),
        ("mjml", MJML.replace("{{ shop_name }}", "{% for i in (1..5000) %}{% endfor %}"), "hello/body.mjml:4"),
        ("mjml", MJML.replace("</mj-column>", ""), "hello/body.mjml:5"),
        ("mjml", MJML.replace("mj-text", "mj-txet"), "hello/body.mjml:4"),
        ("mjml", MJML.replace("<mj-section>", '<mj-include path="nothing.mjml" /><mj-section>'), "hello/body.mjml"),
        ("mjml", MJML.replace("unsubscribe_url", "cart_url"), "hello/body.mjml"),
        ("text", "Hello\n{{ fist_name }}\n{{ unsubscribe_url }}", "hello/body.txt.liquid:2"),
        ("text", "Hello", "hello/body.txt.liquid"),
    ],
)
def test_a_broken_template_is_found_when_it_is_loaded(tmp_path: Path, part: str, source: str, where: str) -> None:
    with pytest.raises(BadSettings) as caught:
        MessageTemplates.load(write(tmp_path, **{part: source}))

    assert caught.value.code == "MESSAGE_TEMPLATE_INVALID"
    assert f"{where}: " in caught.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (write(tmp_path) / "hello" / "body.mjml").unlink()

    with pytest.raises(BadSettings, match=r"hello/body\.mjml: the file is missing"):
        MessageTemplates.load(tmp_path)


def test_a_whole_template_is_taken(tmp_path: Path) -> None:
    templates = MessageTemplates.load(write(tmp_path))

    assert templates.names == {"hello"}
    assert templates.declaration("hello").purpose == "marketing"
    assert "Hive &amp; Honey" in templates.render("hello", CONTEXT).html


def test_only_marketing_must_offer_a_way_out(tmp_path: Path) -> None:
    folder = write(
        tmp_path, toml=TOML + 'purpose = "order"\n', text="Hello", mjml=MJML.replace("unsubscribe_url", "cart_url")
    )

    assert MessageTemplates.load(folder).declaration("hello").purpose == "order"


def test_a_template_that_nobody_wrote_is_an_incident() -> None:
    with pytest.raises(PermanentFailure) as caught:
        SHIPPED.render("abandoned-basket", CONTEXT)

    assert caught.value.code == "MESSAGE_TEMPLATE_UNKNOWN"


def test_a_mail_that_grows_beyond_its_limit_names_nobody() -> None:
    with pytest.raises(PermanentFailure) as caught:
        SHIPPED.render("abandoned-cart", replace(CONTEXT, items=(replace(HONEY, name="Anna " * 60_000),)))

    assert caught.value.code == "MESSAGE_NOT_RENDERED"
    assert "Anna" not in str(caught.value)


def test_what_was_found_right_is_not_compiled_again_in_another_folder(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first, second = (MessageTemplates.load(write(tmp_path / name)) for name in ("one", "two"))

    assert first._templates["hello"] is second._templates["hello"]


def test_a_template_that_changed_is_compiled_anew(tmp_path: Path) -> None:
    before = MessageTemplates.load(write(tmp_path))
    (tmp_path / "hello" / "body.txt.liquid").write_text("Changed. {{ unsubscribe_url }}", encoding="utf-8")

    after = MessageTemplates.load(tmp_path)

    assert "Changed." not in before.render("hello", CONTEXT).text
    assert "Changed." in after.render("hello", CONTEXT).text
