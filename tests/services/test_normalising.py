import pytest

from waggle.services.normalising import email_address, phone_number


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("ada@example.com", "ada@example.com"),
        (" Ada.Lovelace+shop@EXAMPLE.Com ", "Ada.Lovelace+shop@example.com"),
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ("ada@shop.test", "ada@shop.test"),
    ],
)
def test_an_address_has_one_way_of_writing(given: str, made: str) -> None:
    assert email_address(given) == made


@pytest.mark.parametrize(
    "given", ["", "ada", "ada@", "@example.com", "Ada <ada@example.com>", "a@b, c@d", "ada@127.0.0.1", "a\n@b.example"]
)
def test_what_cannot_be_written_to_is_refused_without_being_quoted(given: str) -> None:
    with pytest.raises(ValueError, match=r"^no e-mail address$"):
        email_address(given)


@pytest.mark.parametrize(
    ("given", "region", "made"),
    [
        ("+48 123 456 789", None, "+48123456789"),
        ("123-456-789", "PL", "+48123456789"),
        ("0048 123456789", "PL", "+48123456789"),
        ("(415) 555-2671", "US", "+14155552671"),
    ],
)
def test_a_number_is_written_as_e164(given: str, region: str | None, made: str) -> None:
    assert phone_number(given, region) == made


@pytest.mark.parametrize(("given", "region"), [("123456789", None), ("12", "PL"), ("call me", "PL"), ("123456", "XX")])
def test_what_cannot_be_called_is_refused_without_being_quoted(given: str, region: str | None) -> None:
    with pytest.raises(ValueError, match=r"^no phone number$"):
        phone_number(given, region)
