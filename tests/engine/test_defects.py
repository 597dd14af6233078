import pytest

from waggle.engine.defects import known_defect
from waggle.engine.local.launcher import VERSION


@pytest.mark.parametrize("version", ["8.5.15", "8.6.0", "8.6.12", "8.6.0-alpha1", "8.4.25"])
def test_an_engine_that_forgets_jobs_is_known(version: str) -> None:
    said = known_defect(version)

    assert said is not None
    assert "run 8.6.13, 8.7 or later" in said


@pytest.mark.parametrize("version", ["8.5.25", "8.6.13", "8.6.39", "8.7.0", "8.10.1", "9.0.0", "", "unknown", "8.6"])
def test_an_engine_of_which_nothing_is_known_is_not_spoken_ill_of(version: str) -> None:
    assert known_defect(version) is None


def test_the_embedded_engine_is_one_that_has_to_be_mended() -> None:
    assert known_defect(VERSION) is not None
