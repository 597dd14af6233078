"""Scenarios on the real engine: what they find, and that none leaves anything to the next."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from waggle.engine.local import RunningEngine
from waggle.engine.records import RecordStream
from waggle.errors import BadSettings
from waggle.resources import shipped
from waggle.scenarios.house import open_stage
from waggle.scenarios.player import Player
from waggle.scenarios.scenario import Scenario, read_scenario
from waggle.scenarios.selection import Library

pytestmark = [pytest.mark.anyio, pytest.mark.engine]

BPMN = shipped("bpmn")
NO_ANSWER = BPMN / "scenarios" / "abandoned-cart" / "no-answer.toml"
CART = """
tell = "cart-updated"
data = { cart_id = "cart-1", customer_id = "c-1", currency = "EUR",
  items = [{ sku = "honey", name = "Honey", quantity = 2, unit_price_minor = 5000 }] }
""".replace("\n  ", " ")


@pytest.fixture
async def player(engine: RunningEngine, records: RecordStream, tmp_path: Path) -> AsyncIterator[Player]:
    async with open_stage(engine, records) as stage:
        player = Player(stage, Library(BPMN), shipped("config"), tmp_path)
        await player.deploy(["abandoned-cart"])
        yield player


def scenario(folder: Path, text: str) -> Scenario:
    file = folder / "case.toml"
    file.write_text(f'title = "A case"\n{text}', encoding="utf-8")
    return read_scenario(file, "abandoned-cart")


async def test_four_days_of_a_journey_are_told_step_by_step(player: Player) -> None:
    played = await player.play(read_scenario(NO_ANSWER))

    assert played.differences == []
    assert [mail.template for mail in played.mails] == ["abandoned-cart", "abandoned-cart-reminder"]
    told = [(each.kind, each.text) for each in played.happenings]
    assert told[0] == ("told", "cart-updated")
    assert ("passed", "May we write? yes") in told
    assert told.index(("passed", "Send the reminder")) > told.index(("passed", "Reply window over"))
    assert "Flow_ReplyOrSilenceToReplyWindowOver" in played.paths["abandoned-cart"].flows


async def test_one_scenario_leaves_nothing_to_the_next(player: Player, tmp_path: Path) -> None:
    begun = f"[[steps]]\n{CART}\n[[steps]]\nwait = 'PT5M'\n[expect]\nmails = []"
    nothing = "[[steps]]\nwait = 'P3D'\n[expect]\nenrolled = false\nmails = []"

    first = await player.play(scenario(tmp_path, begun))
    second = await player.play(scenario(tmp_path, nothing))

    assert (first.differences, second.differences) == ([], [])
    assert first.ending.startswith("still running at ")
    assert second.paths == {}


async def test_a_shopper_unsubscribes_by_the_mails_own_link(player: Player, tmp_path: Path) -> None:
    mailed = f"[[steps]]\n{CART}\n[[steps]]\nwait = 'PT25M'\n"
    text = f"{mailed}[[steps]]\nunsubscribe = true\n[expect]\noutcome = 'consent_withdrawn'"

    assert (await player.play(scenario(tmp_path, text))).differences == []


async def test_what_is_not_as_expected_is_said_in_words(player: Player, tmp_path: Path) -> None:
    text = f"[[steps]]\n{CART}\n[[steps]]\nwait = 'PT25M'\n[expect]\noutcome = 'ordered'\nmails = []"

    played = await player.play(scenario(tmp_path, text))

    first, second = played.differences
    assert first.startswith("outcome ordered was expected; it is still running")
    assert second == "mail abandoned-cart came after 20 min and was not expected"


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("[[steps]]\nclick = 'cart_url'", "step 1 (click cart_url): no mail has come yet"),
        ("[[steps]]\ntell = 'cart-upset'", "step 1 (tell cart-upset): the event was not accepted: "),
        (f"[[steps]]\n{CART}\n[[steps]]\nwait = 'PT25M'\n[[steps]]\nclick = 9", "step 3 (click 9): the newest mail"),
        ("[[steps]]\ndecide = { task = 'Task_X', answer = 'approved', by = 'kim' }", "step 1 (decide Task_X): nobody"),
    ],
)
async def test_a_step_that_cannot_be_taken_ends_the_scenario_and_is_named(
    player: Player, tmp_path: Path, steps: str, said: str
) -> None:
    [difference] = (await player.play(scenario(tmp_path, steps))).differences

    assert difference.startswith(said)


async def test_a_setting_that_is_none_is_refused_with_the_files_name(player: Player, tmp_path: Path) -> None:
    wrong = scenario(tmp_path, "[policy]\nquiet_form = '21:00:00'")

    with pytest.raises(BadSettings, match=r"case.toml: .*quiet_form"):
        await player.play(wrong)


async def test_a_mail_server_that_refuses_ends_the_message_with_its_reason(player: Player) -> None:
    given = read_scenario(BPMN / "scenarios" / "abandoned-cart" / "address-refused.toml")

    played = await player.play(replace(given, name="again"))

    assert played.differences == []
    assert any(each.kind == "not sent" and "ADDRESS_REFUSED" in each.text for each in played.happenings)
