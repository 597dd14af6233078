"""The diagrams in bpmn/ and the workers, settings, messages and coupons beside them speak of the same things."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from waggle.errors import BadSettings
from waggle.registry import find_tasks
from waggle.resources import shipped
from waggle.services.diagram_checks import check_diagrams
from waggle.services.diagrams import read_diagram
from waggle.services.findings import Finding

JOURNEY = "bpmn/journeys/abandoned-cart.bpmn"
DECISION = "bpmn/decisions/cart-offer.dmn"
CATALOGUE = "bpmn/engine-messages.toml"
SETTINGS = "config/journeys/abandoned-cart.toml"
PICTURE = shipped("bpmn").parent / "docs/pictures/abandoned-cart.svg"

FIRST_MAIL = '<bpmn:serviceTask id="Task_SendFirstMail"'


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Return a folder with a copy of everything an analyst may change."""
    for folder in ("bpmn", "config"):
        shutil.copytree(shipped(folder), tmp_path / folder)
    return tmp_path


def found_in(shop: Path) -> list[Finding]:
    return check_diagrams(shop / "bpmn", shop / "config", find_tasks())


@dataclass(frozen=True)
class Change:
    """Replaces the first `old` that stands behind `after`."""

    old: str
    new: str
    after: str = ""

    def make_in(self, file: Path) -> None:
        text = file.read_text(encoding="utf-8")
        start = text.index(self.after)
        assert self.old in text[start:]
        file.write_text(text[:start] + text[start:].replace(self.old, self.new, 1), encoding="utf-8")


def test_nothing_is_wrong_with_what_is_shipped() -> None:
    assert [str(finding) for finding in check_diagrams(shipped("bpmn"), shipped("config"), find_tasks())] == []


@pytest.mark.parametrize("file", sorted(shipped("bpmn").rglob("*.bpmn")), ids=lambda file: file.stem)
def test_every_journey_says_what_it_is_for(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    documentation = text[text.index("<bpmn:documentation>") : text.index("</bpmn:documentation>")]
    for word in ("Goal:", "Entry:", "Exits:", "Re-entry:", "Measure:", "Owner:"):
        assert word in documentation


@pytest.mark.parametrize(
    ("change", "element", "problem"),
    [
        pytest.param(
            Change('type="send-message"', 'type="sned-message"'),
            "Task_SendFirstMail",
            'no worker answers the task type "sned-message"',
            id="a task type that no worker has",
        ),
        pytest.param(
            Change('<zeebe:input source="first-mail" target="step" />', ""),
            "Task_SendFirstMail",
            'the input "step" is missing',
            id="an input that the worker must have",
        ),
        pytest.param(
            Change('target="coupon_id"', 'target="coupon"', after=FIRST_MAIL),
            "Task_SendFirstMail",
            'the worker does not read the input "coupon"',
            id="an input that the worker does not read",
        ),
        pytest.param(
            Change('source="=eligible"', 'source="=is_eligible"'),
            "Task_CheckEligibility",
            'the output "eligible" reads "is_eligible", which the worker does not return',
            id="a result that the worker does not return",
        ),
        pytest.param(
            Change('retries="5"', 'retries="five"', after=FIRST_MAIL),
            "Task_SendFirstMail",
            'retries are "five"',
            id="retries that are no number",
        ),
        pytest.param(
            Change('errorCode="COUPON_BUDGET_EXHAUSTED"', 'errorCode="COUPON_BUGDET_EXHAUSTED"'),
            "Event_BudgetExhausted",
            "nothing it stands on throws COUPON_BUGDET_EXHAUSTED",
            id="a caught error that nobody throws",
        ),
        pytest.param(
            Change('errorCode="COUPON_BUDGET_EXHAUSTED"', 'errorCode="COUPON_BUGDET_EXHAUSTED"'),
            "Task_IssueCoupon",
            "COUPON_BUDGET_EXHAUSTED is thrown here and caught nowhere",
            id="a thrown error that nobody catches",
        ),
        pytest.param(
            Change('name="message-clicked"', 'name="mail-clicked"'),
            "Event_MessageClicked",
            'the catalogue has no engine message "mail-clicked"',
            id="an engine message that the catalogue does not have",
        ),
        pytest.param(
            Change('messageRef="Message_MessageClicked"', 'messageRef="Message_OrderPlaced"'),
            "Event_MessageClicked",
            '"order-placed" is no move of abandoned-cart in the catalogue',
            id="an exit that is awaited as a move",
        ),
        pytest.param(
            Change('correlationKey="=enrolment_id"', 'correlationKey="=customer_id"'),
            "Event_MessageClicked",
            'the correlation key of "message-clicked" is =customer_id',
            id="another correlation key",
        ),
        pytest.param(
            Change('decisionId="cart-offer"', 'decisionId="cart-ofer"'),
            "Task_DecideOffer",
            'there is no decision "cart-ofer" in bpmn/decisions',
            id="a decision that does not exist",
        ),
        pytest.param(
            Change('bindingType="deployment"', 'bindingType="latest"'),
            "Task_DecideOffer",
            "the decision is not bound to the deployment",
            id="a decision that may change under way",
        ),
        pytest.param(
            Change("=duration(settings.reply_window)", '=duration("PT24H")'),
            "Event_ReplyWindowOver",
            'the time =duration("PT24H") is fixed in the diagram',
            id="a time fixed in the diagram",
        ),
        pytest.param(
            Change("settings.reply_window", "settings.answer_window"),
            "Event_ReplyWindowOver",
            "reads settings.answer_window, which the journey does not have",
            id="a setting that is not set",
        ),
        pytest.param(
            Change("=eligible = true", "=eligible"),
            "Flow_MayWeWriteToChooseAnOffer",
            "the condition =eligible is no comparison",
            id="a condition that may be null",
        ),
        pytest.param(
            Change("=eligible = true", "eligible = true"),
            "Flow_MayWeWriteToChooseAnOffer",
            "the condition eligible = true is no comparison",
            id="a condition without =",
        ),
        pytest.param(
            Change(' default="Flow_MayWeWriteToRecordNotWritten"', ""),
            "Gateway_MayWeWrite",
            "no default flow",
            id="a split without a default",
        ),
        pytest.param(
            Change('source="reminder" target="step"', 'source="first-mail" target="step"'),
            "Task_SendReminder",
            'the step "first-mail" stands at more than one task',
            id="a step used twice",
        ),
        pytest.param(
            Change('source="reminder" target="step"', 'source="=message_reason" target="step"'),
            "Task_SendReminder",
            "the step =message_reason is computed",
            id="a step that is computed",
        ),
        pytest.param(
            Change('source="abandoned-cart-reminder"', 'source="abandoned-card"'),
            "Task_SendReminder",
            'there is no message "abandoned-card" in config/messages',
            id="a message that does not exist",
        ),
        pytest.param(
            Change(
                '<bpmndi:BPMNShape id="Task_SendReminder_di" bpmnElement="Task_SendReminder">',
                '<bpmndi:BPMNShape id="Task_SendReminder_di" bpmnElement="Task_Other">',
            ),
            "Task_SendReminder",
            "it is not drawn",
            id="a task that is not drawn",
        ),
        pytest.param(
            Change(' isExpanded="true"', "", after='<bpmndi:BPMNShape id="SubProcess_RemindOnce_di"'),
            "SubProcess_RemindOnce",
            "the sub-process is folded",
            id="a folded sub-process",
        ),
        pytest.param(
            Change('<zeebe:versionTag value="1.0.0" />', ""), "abandoned-cart", "no version tag", id="no version tag"
        ),
        pytest.param(
            Change('executionPlatformVersion="8.6.0"', 'executionPlatformVersion="8.9.0"'),
            "abandoned-cart",
            "drawn for engine 8.9.0",
            id="another engine",
        ),
    ],
)
def test_a_mistake_in_a_journey_is_found(shop: Path, change: Change, element: str, problem: str) -> None:
    change.make_in(shop / JOURNEY)
    assert (element, problem) in [(finding.element, finding.problem) for finding in found_in(shop)]


def test_a_generated_id_is_found(shop: Path) -> None:
    file = shop / JOURNEY
    file.write_text(file.read_text(encoding="utf-8").replace("Task_SendReminder", "Activity_0x1a2b3"), encoding="utf-8")
    assert [(finding.element, finding.problem) for finding in found_in(shop)] == [
        ("Activity_0x1a2b3", "the id does not say what it is")
    ]


def test_a_crowded_level_is_found(shop: Path) -> None:
    more = "".join(f'<bpmn:task id="Task_More{letter}" />' for letter in "ABCDEFGH")
    Change("</bpmn:process>", f"{more}</bpmn:process>").make_in(shop / JOURNEY)
    assert "23 events, tasks and gateways on one level" in [finding.problem for finding in found_in(shop)]


def test_another_file_name_than_the_process_id_is_found(shop: Path) -> None:
    (shop / JOURNEY).rename(shop / "bpmn/journeys/forgotten-cart.bpmn")
    assert "the process id is not the file's name, forgotten-cart" in [finding.problem for finding in found_in(shop)]


def test_a_file_that_is_no_xml_is_a_finding(shop: Path) -> None:
    (shop / JOURNEY).write_text("<bpmn:definitions", encoding="utf-8")
    assert (shop / JOURNEY).name in [finding.element for finding in found_in(shop)]


def test_a_document_type_is_refused(shop: Path) -> None:
    Change("<bpmn:definitions", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]><bpmn:definitions').make_in(
        shop / JOURNEY
    )
    with pytest.raises(BadSettings, match="remove the <!DOCTYPE"):
        read_diagram(shop / JOURNEY)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        pytest.param('hitPolicy="FIRST"', 'hitPolicy="PRIORITY"', "hit policy PRIORITY", id="a hit policy"),
        pytest.param(
            '<text>"cart-5"</text>',
            '<text>"cart-50"</text>',
            'offers the coupon campaign "cart-50", which config/coupons.toml does not have',
            id="a coupon campaign that does not exist",
        ),
        pytest.param(
            '<output id="Output_Reason" label="Reason" name="reason" typeRef="string" />',
            "",
            "one output column only",
            id="one output column",
        ),
        pytest.param(
            '<zeebe:versionTag value="1.0.0" />',
            "",
            "no version tag",
            id="no version tag",
        ),
    ],
)
def test_a_mistake_in_a_decision_is_found(shop: Path, old: str, new: str, problem: str) -> None:
    Change(old, new).make_in(shop / DECISION)
    assert [(finding.element, finding.problem) for finding in found_in(shop)] == [("cart-offer", problem)]


def test_a_table_that_may_have_no_answer_is_found(shop: Path) -> None:
    Change("<text></text>", '<text>"new"</text>', after='<rule id="Rule_AnyoneElse">').make_in(shop / DECISION)
    assert [finding.problem for finding in found_in(shop)] == ["the last row does not match everything"]


def test_a_setting_that_no_diagram_reads_is_found(shop: Path) -> None:
    Change("[entry]", 'second_window = "PT1H"\n[entry]').make_in(shop / SETTINGS)
    assert [finding.problem for finding in found_in(shop)] == [f"does not read second_window, which {SETTINGS} sets"]


def test_a_message_for_a_journey_without_a_diagram_is_found(shop: Path) -> None:
    Change('journey = "abandoned-cart"', 'journey = "birthday"', after="[[consent-withdrawn.ends]]").make_in(
        shop / CATALOGUE
    )
    assert [(finding.element, finding.problem) for finding in found_in(shop)] == [
        ("consent-withdrawn", 'names the journey "birthday", which has no diagram'),
        ("Event_ConsentWithdrawn", '"consent-withdrawn" is no exit of abandoned-cart in the catalogue'),
    ]


def test_a_switch_that_the_journey_does_not_have_is_found(shop: Path) -> None:
    Change("order_ends_other_carts = true", "").make_in(shop / SETTINGS)
    assert [finding.element for finding in found_in(shop)] == ["order-placed"]


def test_a_finding_says_where_what_else_and_how_to_mend_it(shop: Path) -> None:
    Change('type="read-cart"', 'type="read-card"').make_in(shop / JOURNEY)
    assert str(found_in(shop)[0]).splitlines() == [
        f'{shop / JOURNEY}: Task_ReadCart "Read the cart": no worker answers the task type "read-card"',
        "    else: the journey waits here for ever",
        f"    mend: use one of {', '.join(find_tasks())}, or write workers/read_card.py",
    ]


def test_the_picture_in_the_readme_shows_the_journey_as_it_is() -> None:
    diagram = read_diagram(shipped("bpmn") / "journeys" / "abandoned-cart.bpmn")
    elements = {*diagram.nodes, *diagram.flows}

    assert not_alike(PICTURE.read_text("utf-8"), elements) == set(), "draw it anew: make pictures"
    # An element that came, and one that went, would each be noticed.
    assert not_alike(PICTURE.read_text("utf-8"), elements ^ {"Task_New", "Task_SendFirstMail"}) == {
        "Task_New",
        "Task_SendFirstMail",
    }


def not_alike(picture: str, elements: set[str]) -> set[str]:
    """Return the elements that only the picture or only the diagram has."""
    shown = {element.removesuffix("_label") for element in re.findall(r'data-element-id="([^"]+)"', picture)}
    kinds = tuple({element.partition("_")[0] + "_" for element in elements})
    return {element for element in shown if element.startswith(kinds)} ^ elements
