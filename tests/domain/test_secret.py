"""A secret prints as nothing worth stealing."""

from waggle.domain.secret import Secret


def test_a_secret_prints_as_stars_wherever_it_is_printed() -> None:
    secret = Secret("hunter2")

    assert [str(secret), repr(secret), f"{secret}", f"{[secret]}"] == ["***", "***", "***", "[***]"]
    assert secret.reveal() == "hunter2"


def test_equal_secrets_are_equal() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert len({Secret("a"), Secret("a")}) == 1
