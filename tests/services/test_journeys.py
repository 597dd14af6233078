"""What an analyst may set is read strictly, and a journey without a file is no mistake."""

from datetime import timedelta
from pathlib import Path

import pytest

from waggle.errors import BadSettings
from waggle.resources import shipped
from waggle.services.journeys import JourneySettings, load_journeys


def test_the_shipped_journey_has_its_settings() -> None:
    journey = load_journeys(shipped("config")).of("abandoned-cart")

    assert journey.settings == {"cart_idle": "PT20M", "reply_window": "PT24H", "order_window": "PT48H"}
    assert (journey.entry.cool_down, journey.entry.holdout_percent) == (timedelta(days=7), 10)
    assert journey.exits == {"order_ends_other_carts": True}
    assert (journey.entry.enabled, journey.entry.priority) == (True, 50)


def test_a_journey_that_a_shop_must_switch_on_itself_is_shipped_off() -> None:
    book = load_journeys(shipped("config"))

    assert not book.enabled("birthday")
    assert book.enabled("abandoned-cart")


def test_a_journey_without_a_file_has_no_settings_no_cool_down_and_nobody_held_out(tmp_path: Path) -> None:
    book = load_journeys(tmp_path)

    assert book.names == []
    assert book.of("win-back") == JourneySettings()


@pytest.mark.parametrize(
    "text",
    [
        "[entry]\ncooldown = 'P7D'\n",
        "[entry]\ncool_down = 'a week'\n",
        "[entry]\nholdout_percent = 101\n",
        "[entry]\nholdout_percent = -1\n",
        "[entry]\npriority = 101\n",
        "[entry]\nenabled = 'no'\n",
        "[settings]\nbands = [1]\n",
        "[exits]\norder = 'yes'\n",
        "[entry\n",
    ],
)
def test_a_mistake_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "win-back.toml").write_text(text, encoding="utf-8")

    with pytest.raises(BadSettings, match="JOURNEY_SETTINGS_WRONG") as error:
        load_journeys(tmp_path)

    assert "win-back.toml" in error.value.message
