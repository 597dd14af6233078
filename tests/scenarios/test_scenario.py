"""The form of a scenario file: what can be said in it, and what its errors tell an analyst."""

from datetime import time, timedelta
from pathlib import Path

import pytest

from waggle.errors import BadSettings
from waggle.resources import shipped
from waggle.scenarios.scenario import (
    Click,
    Decide,
    MailServer,
    Open,
    Run,
    Tell,
    Unsubscribe,
    Wait,
    all_scenario_files,
    read_gaps,
    read_scenario,
)

WHOLE = """
title = "The shopper buys before the first mail"
starts_at = "20:50"
also = ["abandoned-cart"]

[settings]
reply_window = "PT13H"

[entry]
holdout_percent = 100

[policy]
quiet_from = "21:00:00"

[coupons.cart-10]
budget_count = 1

[[steps]]
tell = "cart-updated"
data = { cart_id = "cart-1" }
ago = "P2D"

[[steps]]
wait = "PT20M"

[[steps]]
click = 2

[[steps]]
open = "action_url"
fill = { score = "3" }

[[steps]]
unsubscribe = true

[[steps]]
mail_server = "defer"

[[steps]]
decide = { task = "Task_Approve", answer = "approved", by = "marta" }

[[steps]]
run = "occasions"

[expect]
outcome = "ordered"
mails = [{ template = "abandoned-cart", at = "PT20M", subject = "honey", to = "c-1@example.com" }]
not_sent = [{ step = "reminder", reason = "no_consent" }]
visits = ["Task_X"]
avoids = ["Task_Y"]
"""


def written(folder: Path, text: str, name: str = "case.toml") -> Path:
    file = folder / "abandoned-cart" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def refusal(folder: Path, text: str) -> str:
    file = written(folder, text)
    with pytest.raises(BadSettings) as caught:
        read_scenario(file)
    assert str(file) in caught.value.message
    return caught.value.message.replace(f"{file}: ", "")


def test_everything_that_may_be_said_is_read(tmp_path: Path) -> None:
    found = read_scenario(written(tmp_path, WHOLE))

    assert (found.label, found.starts_at, found.also) == ("abandoned-cart/case", time(20, 50), ("abandoned-cart",))
    kinds = [type(step) for step in found.steps]
    assert kinds == [Tell, Wait, Click, Open, Unsubscribe, MailServer, Decide, Run]
    first, second, *_ = found.steps
    assert isinstance(first, Tell)
    assert first.ago == timedelta(days=2)
    assert isinstance(second, Wait)
    assert second.wait == timedelta(minutes=20)
    assert found.expect.mails is not None
    assert found.expect.mails[0].at == timedelta(minutes=20)


def test_the_title_and_the_steps_are_enough(tmp_path: Path) -> None:
    found = read_scenario(written(tmp_path, 'title = "Nothing happens"'))

    assert (found.starts_at, found.is_known, found.steps) == (time(10), True, ())
    assert found.expect.mails is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it lacks `title`"),
        ('title = "A"\ntitel = "B"', "there is no key `titel`; known: title, starts_at"),
        ('title = "A"\nstarts_at = "noon"', "starts_at: 'noon' is no time of day; write \"10:00\", in UTC"),
        ('title = "A"\n[[steps]]\nwait = "20 minutes"', "step 1: wait: Invalid ISO8601 duration"),
        ('title = "A"\n[[steps]]\nwait = "PT0S"', "step 1: wait must be longer than nothing"),
        (
            'title = "A"\n[[steps]]\nwait = "PT1M"\n[[steps]]\nawait = "PT1M"',
            "step 2 says only await: write exactly one",
        ),
        (
            'title = "A"\n[[steps]]\nwait = "PT1M"\ntell = "x"',
            "step 1 has wait and tell: write exactly one of tell, wait",
        ),
        ('title = "A"\n[[steps]]\nmail_server = "off"', "step 1: mail_server: Invalid enum value 'off'"),
        ('title = "A"\n[[steps]]\ntell = "x"\ndate = {}', "step 1: there is no key `date`; known: tell, data, id, ago"),
        ('title = "A"\n[expect]\nresult = "x"', "there is no key `result`; known: enrolled, outcome"),
        ('title = "A"\n[expect]\nmails = [{ step = "x" }]', "expect.mails"),
    ],
)
def test_an_error_says_file_step_and_what_to_write(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, text)


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, "title = ")

    with pytest.raises(BadSettings, match="SCENARIO_UNREADABLE"):
        read_scenario(file)


def test_a_gap_needs_a_reason(tmp_path: Path) -> None:
    folder = tmp_path / "scenarios" / "abandoned-cart"
    folder.mkdir(parents=True)
    (folder / "gaps.toml").write_text('Flow_X = " "', encoding="utf-8")

    with pytest.raises(BadSettings, match="write why no scenario can reach it"):
        read_gaps(tmp_path, "abandoned-cart")


def test_every_shipped_scenario_is_well_formed_and_lies_beside_a_journey() -> None:
    bpmn_dir = shipped("bpmn")
    journeys = {file.stem for file in bpmn_dir.glob("journeys/*.bpmn")}

    scenarios = [read_scenario(file) for file in all_scenario_files(bpmn_dir)]

    assert scenarios
    assert {scenario.journey for scenario in scenarios} <= journeys
