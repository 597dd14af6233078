"""What changed is told by element, in words; nothing that changes what a shopper gets is missed."""

import subprocess
from pathlib import Path

import pytest

from waggle.comparing import about, compare_files, of_git, of_path, page, picture
from waggle.errors import BadSettings
from waggle.resources import shipped

CART = (shipped("bpmn") / "journeys/abandoned-cart.bpmn").read_bytes()
OFFER = (shipped("bpmn") / "decisions/cart-offer.dmn").read_bytes()
SETTINGS = (shipped("config") / "journeys/abandoned-cart.toml").read_bytes()


def told(old: bytes, new: bytes, name: str = "abandoned-cart.bpmn") -> list[tuple[str, str]]:
    comparisons = compare_files({name: old}, {name: new})
    return [(each.kind, each.text) for comparison in comparisons for each in comparison.differences]


def changed(old: str, new: str, content: bytes = CART) -> bytes:
    assert old.encode() in content
    return content.replace(old.encode(), new.encode(), 1)


def test_the_same_file_has_no_differences() -> None:
    assert told(CART, CART) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        pytest.param(
            "=duration(settings.reply_window)",
            "=duration(settings.order_window)",
            'Timer "Reply window over" now waits settings.order_window instead of settings.reply_window',
            id="a timer, which usual differs miss",
        ),
        pytest.param(
            '<zeebe:taskDefinition type="read-cart" retries="5" />',
            '<zeebe:taskDefinition type="read-cart" retries="3" />',
            'Task "Read the cart" is now tried 3 times instead of 5',
            id="the tries",
        ),
        pytest.param(
            '<zeebe:taskDefinition type="read-cart"',
            '<zeebe:taskDefinition type="read-basket"',
            'Task "Read the cart" is now done by "read-basket" instead of "read-cart"',
            id="the worker",
        ),
        pytest.param(
            '<zeebe:input source="first-mail" target="step" />',
            '<zeebe:input source="mail" target="step" />',
            'Task "Send the cart mail" is now given step = "mail" instead of "first-mail"',
            id="an input",
        ),
        pytest.param(
            '<zeebe:output source="=eligible" target="eligible" />',
            "",
            'Task "Check eligibility" no longer fills eligible (it was eligible)',
            id="an output that went",
        ),
        pytest.param(
            "=eligible = true",
            "=eligible = false",
            'Arrow "yes" is now taken if eligible = false instead of if eligible = true',
            id="a condition",
        ),
        pytest.param(
            'default="Flow_MayWeWriteToRecordNotWritten"',
            'default="Flow_MayWeWriteToChooseAnOffer"',
            'Gateway "May we write?" now goes on by "yes" instead of "no" if nothing else fits',
            id="the default",
        ),
        pytest.param(
            'name="message-clicked"',
            'name="message-opened"',
            'Message event "Message clicked" now has the engine message "message-opened" instead of "message-clicked"',
            id="an engine message",
        ),
        pytest.param(
            'correlationKey="=enrolment_id"',
            'correlationKey="=customer_id"',
            'Message event "Message clicked" is now found by the key customer_id instead of enrolment_id',
            id="a correlation key",
        ),
        pytest.param(
            'errorCode="COUPON_BUDGET_EXHAUSTED"',
            'errorCode="NO_COUPONS"',
            'Error event "Budget exhausted" now has the error NO_COUPONS instead of COUPON_BUDGET_EXHAUSTED',
            id="an error",
        ),
        pytest.param(
            '<zeebe:calledDecision decisionId="cart-offer"',
            '<zeebe:calledDecision decisionId="best-offer"',
            'Decision "Decide the offer" now asks the decision "best-offer" instead of "cart-offer"',
            id="a decision",
        ),
        pytest.param(
            'name="Read the cart"',
            'name="Look into the cart"',
            'Task "Read the cart" is now called "Look into the cart" instead of "Read the cart"',
            id="a name",
        ),
        pytest.param(
            '<bpmn:boundaryEvent id="Event_BudgetExhausted"',
            '<bpmn:boundaryEvent cancelActivity="false" id="Event_BudgetExhausted"',
            'Error event "Budget exhausted" no longer interrupts what it sits on',
            id="an event that no longer interrupts",
        ),
        pytest.param(
            'executionPlatformVersion="8.6.0"',
            'executionPlatformVersion="8.7.0"',
            "The file is drawn for the engine version 8.7.0 instead of 8.6.0",
            id="the engine",
        ),
        pytest.param(
            '<zeebe:taskDefinition type="read-cart"',
            '<zeebe:executionListener eventType="start" type="spy" /><zeebe:taskDefinition type="read-cart"',
            'Task "Read the cart" has executionListener eventType = start',
            id="what nobody has words for",
        ),
    ],
)
def test_a_change_is_told_in_words(old: str, new: str, sentence: str) -> None:
    assert ("changed", sentence) in told(CART, changed(old, new))


def test_what_came_and_what_went_are_told_with_what_they_do() -> None:
    task = (
        '<bpmn:serviceTask id="Task_Extra" name="Do more"><bpmn:extensionElements>'
        '<zeebe:taskDefinition type="read-order" retries="5" /></bpmn:extensionElements></bpmn:serviceTask>'
    )
    more = changed("</bpmn:process>", f"{task}</bpmn:process>")

    assert told(CART, more) == [("added", 'Task "Do more" is new (read-order)')]
    assert told(more, CART) == [("removed", 'Task "Do more" is gone (read-order)')]


def test_what_was_only_moved_is_one_line() -> None:
    moved = CART.replace(b'<dc:Bounds x="', b'<dc:Bounds x="1')

    [(kind, text)] = told(CART, moved)
    assert kind == "moved"
    assert text.endswith("elements were moved in the drawing; that changes nothing for shoppers")


def test_other_spaces_and_another_order_of_attributes_are_no_difference() -> None:
    other = changed(
        '<zeebe:taskDefinition type="read-cart" retries="5" />',
        '<zeebe:taskDefinition  retries="5"\n type="read-cart"/>',
    )

    assert told(CART, other) == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        pytest.param(
            "<text>&lt; 3000</text>",
            "<text>&lt; 2500</text>",
            'Decision "Cart offer": rule 1 now applies if cart_value_minor < 2500 '
            "instead of if cart_value_minor < 3000",
            id="a condition",
        ),
        pytest.param(
            '<text>"cart-15"</text>',
            '<text>"cart-20"</text>',
            'Decision "Cart offer": rule 6 (score_band is "lapsed" and cart_value_minor >= 8000) now answers '
            'coupon_campaign "cart-20", reason "win_back_large_cart" instead of coupon_campaign "cart-15", '
            'reason "win_back_large_cart"',
            id="an answer",
        ),
        pytest.param(
            'hitPolicy="FIRST"',
            'hitPolicy="UNIQUE"',
            'Decision "Cart offer": hit policy is now UNIQUE instead of FIRST',
            id="the hit policy",
        ),
    ],
)
def test_a_rule_that_changed_is_told(old: str, new: str, sentence: str) -> None:
    assert ("changed", sentence) in told(OFFER, changed(old, new, OFFER), "cart-offer.dmn")


def test_a_rule_that_came_is_told_with_what_it_says() -> None:
    before, _, rest = OFFER.decode().partition('      <rule id="Rule_Champion">')
    shorter = (before + rest.partition("</rule>\n")[2]).encode()

    told_now = told(shorter, OFFER, "cart-offer.dmn")
    assert told_now == [
        (
            "added",
            (
                'Decision "Cart offer": rule 3 is new: if score_band is "champion", then coupon_campaign null, '
                'reason "champion_returns_anyway"'
            ),
        )
    ]


def test_settings_are_compared_key_by_key() -> None:
    other = changed('reply_window = "PT24H"', 'reply_window = "PT36H"', SETTINGS)

    assert told(SETTINGS, other, "abandoned-cart.toml") == [
        ("changed", 'settings.reply_window is now "PT36H" instead of "PT24H"')
    ]


def test_an_entry_of_the_catalogue_is_named_by_its_journey() -> None:
    old = b'[[order-placed.ends]]\njourney = "a"\n[[order-placed.ends]]\njourney = "b"\nscope = "customer"\n'
    new = b'[[order-placed.ends]]\njourney = "b"\nscope = "business_key"\n'

    assert told(old, new, "engine-messages.toml") == [
        ("changed", 'order-placed.ends[b].scope is now "business_key" instead of "customer"'),
        ("removed", 'order-placed.ends[a].journey is gone (it was "a")'),
    ]


def test_folders_are_compared_file_by_file(tmp_path: Path) -> None:
    for side, content in (("old", CART), ("new", changed("=eligible = true", "=eligible = false"))):
        (tmp_path / side / "journeys").mkdir(parents=True)
        (tmp_path / side / "journeys/abandoned-cart.bpmn").write_bytes(content)
    (tmp_path / "new/journeys/birthday.bpmn").write_bytes(CART)

    found = compare_files(of_path(tmp_path / "old"), of_path(tmp_path / "new"))

    assert [(each.name, each.differences[0].kind) for each in found] == [
        ("journeys/abandoned-cart.bpmn", "changed"),
        ("journeys/birthday.bpmn", "added"),
    ]


def test_a_commit_is_compared_with_what_is_there_now(tmp_path: Path) -> None:
    file = tmp_path / "bpmn/journeys/abandoned-cart.bpmn"
    file.parent.mkdir(parents=True)
    file.write_bytes(CART)
    me = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    for command in (["init", "--quiet"], ["add", "."], [*me, "commit", "--quiet", "--message", "Begin"]):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)

    side = of_git("HEAD", {"bpmn": tmp_path / "bpmn"})

    assert side == {"bpmn/journeys/abandoned-cart.bpmn": CART}
    with pytest.raises(BadSettings, match="DIFF_REF_UNKNOWN"):
        of_git("no-such-commit", {"bpmn": tmp_path / "bpmn"})


def test_a_journey_brings_its_settings_and_decisions_along() -> None:
    side = {
        "bpmn/journeys/abandoned-cart.bpmn": CART,
        "bpmn/decisions/cart-offer.dmn": OFFER,
        "bpmn/decisions/channel-choice.dmn": OFFER,
        "config/journeys/abandoned-cart.toml": SETTINGS,
        "config/journeys/birthday.toml": SETTINGS,
    }

    assert set(about(side, "abandoned-cart")) == {
        "bpmn/journeys/abandoned-cart.bpmn",
        "bpmn/decisions/cart-offer.dmn",
        "config/journeys/abandoned-cart.toml",
    }


def test_the_page_shows_both_diagrams_and_each_change() -> None:
    new = changed("=eligible = true", "=eligible &lt; true")
    comparisons = compare_files({"a.bpmn": CART}, {"a.bpmn": new})

    shown = page(comparisons, "yesterday", "today")

    assert shown.count("<svg ") >= 2
    assert "is now taken if eligible &lt; true instead of if eligible = true" in shown
    assert "://" not in shown.replace("http://www.w3.org/2000/svg", "")


def test_the_picture_holds_the_old_diagram_above_the_new_one() -> None:
    [comparison] = compare_files({"a.bpmn": CART}, {"a.bpmn": changed("=eligible = true", "=eligible = false")})

    drawn = picture(comparison)

    assert drawn.count('data-element-id="Task_ReadCart"') == 2
    assert "a.bpmn, before" in drawn
    assert "a.bpmn, now" in drawn


def test_a_file_that_is_no_xml_is_named() -> None:
    with pytest.raises(BadSettings, match=r"abandoned-cart\.bpmn"):
        told(CART, b"<bpmn:definitions")


def test_a_document_type_is_refused() -> None:
    with pytest.raises(BadSettings, match="DOCTYPE"):
        told(CART, b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>' + CART)
