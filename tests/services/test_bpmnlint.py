"""What bpmnlint alone finds, in words of our own; without Node these are left out, as `waggle check` says."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services.planting import CART, SAMPLE, Change, lay_out
from waggle.cli.bpmnlint import folder, lint
from waggle.resources import shipped
from waggle.services.bpmnlint_words import WORDS, in_words
from waggle.services.checks_listed import listed
from waggle.services.findings import Finding

needs_node = pytest.mark.skipif(
    shutil.which("node") is None or shutil.which("npm") is None, reason="Node is not installed: bpmnlint needs it"
)
RULES = """
const recommended = require('bpmnlint/config/recommended').rules;
const compat = require('bpmnlint-plugin-camunda-compat').configs['camunda-cloud-8-6'].rules;
const own = require('bpmnlint-plugin-waggle').configs.recommended.rules;
const ours = Object.keys({ ...recommended, ...own });
console.log(JSON.stringify([ ...ours, ...Object.keys(compat).map(rule => `camunda-compat/${ rule }`) ]));
"""


@dataclass(frozen=True)
class Planted:
    file: str
    rule: str
    element: str
    change: Change


MISTAKES = {
    "an event gateway with one way": Planted(
        CART, "event-based-gateway", "Gateway_ReplyOrSilence",
        Change("<bpmn:outgoing>Flow_ReplyOrSilenceToMessageClicked</bpmn:outgoing>", "", 'id="Gateway_ReplyOrSilence"'),
    ),
    "an error without a code": Planted(
        CART, "error-reference", "Event_BudgetExhausted", Change(' errorCode="COUPON_BUDGET_EXHAUSTED"', "")
    ),
    "an event that names no message": Planted(
        SAMPLE, "message-reference", "Event_CustomerErased", Change(' messageRef="Message_CustomerErased"', "")
    ),
    "a message that nothing uses": Planted(
        SAMPLE, "global", "Message_Unused",
        Change('<bpmn:message id="Message_SampleStarted"',
               '<bpmn:message id="Message_Unused" name="unused" /><bpmn:message id="Message_SampleStarted"'),
    ),
    "two arrows out of a task": Planted(
        SAMPLE, "no-implicit-split", "Task_RecordReply",
        Change("<bpmn:outgoing>Flow_ReplyToReplied</bpmn:outgoing>",
               "<bpmn:outgoing>Flow_ReplyToReplied</bpmn:outgoing><bpmn:outgoing>Flow_SilenceToNoReply</bpmn:outgoing>"),
    ),
    "a decision without a result variable": Planted(
        CART, "implementation", "Task_DecideOffer", Change(' resultVariable="offer"', "")
    ),
    "a call activity that calls nothing": Planted(
        SAMPLE, "called-element", "CallActivity_SendMail", Change('processId="send-when-allowed" ', "")
    ),
}  # fmt: skip


@needs_node
def test_each_mistake_is_found_and_told_in_words(tmp_path: Path) -> None:
    shop = lay_out(tmp_path / "shop")
    files = {}
    for number, (what, mistake) in enumerate(MISTAKES.items()):
        files[what] = tmp_path / f"{number}.bpmn"
        text = (shop / mistake.file).read_text(encoding="utf-8")
        files[what].write_text(mistake.change.made_in(text), encoding="utf-8")

    found, left_out = lint(list(files.values()), folder())

    assert left_out is None
    told = in_words(found, [])
    for what, mistake in MISTAKES.items():
        rule = f"bpmnlint/{mistake.rule}"
        about = [each for each in told if (each.file, each.rule, each.element) == (files[what], rule, mistake.element)]
        assert about, (what, [(each.rule, each.element) for each in told if each.file == files[what]])
        assert all(each.problem and each.consequence and each.mend for each in about)


@needs_node
def test_every_rule_that_is_switched_on_has_words(tmp_path: Path) -> None:
    script = tmp_path / "rules.js"
    script.write_text(RULES, encoding="utf-8")
    lint([], folder())
    done = subprocess.run(
        [shutil.which("node") or "node", script],
        env={"NODE_PATH": str(folder() / "node_modules"), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE,
        check=True,
    )
    switched_off = json.loads((folder() / ".bpmnlintrc").read_text(encoding="utf-8"))["rules"]

    assert {rule.rpartition("/")[2] for rule in {*json.loads(done.stdout)} - switched_off.keys()} <= WORDS.keys()


def test_what_our_own_rules_said_of_an_element_is_not_said_twice(tmp_path: Path) -> None:
    file = tmp_path / "a.bpmn"
    reported = {"file": str(file), "rule": "label-required", "id": "Task_A", "name": None, "message": "no label"}
    own = Finding(file, "Task_A", "", "it has no name", "x", "y", "names-say-something")

    assert in_words([reported], [own]) == []
    assert [each.rule for each in in_words([reported], [])] == ["bpmnlint/label-required"]


def test_an_installation_from_a_package_says_that_it_was_left_out(tmp_path: Path) -> None:
    why = "bpmnlint did not look at the diagrams: it comes with a checkout of Waggle, not with a package"

    assert lint([], tmp_path) == ([], why)


def test_a_rule_without_words_is_told_as_it_speaks(tmp_path: Path) -> None:
    reported = {"file": str(tmp_path / "a.bpmn"), "rule": "new-rule", "id": "Task_A", "message": "Looks odd"}

    assert "(Looks odd)" in in_words([reported], [])[0].problem


def test_the_list_of_rules_is_made_from_the_rules() -> None:
    page = shipped("bpmn").parent / "docs" / "checks.md"

    assert page.read_text(encoding="utf-8") == listed(), "write it anew: python tools/lint/checks_table.py"
