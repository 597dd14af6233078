import pytest

from waggle.engine.variables import checked, checked_id, failure_text
from waggle.errors import PermanentFailure

PERSONAL = "jane.doe@example.com"
PHONE = "+48 601 234 567"


@pytest.mark.parametrize("value", ["enr-1", 7, 1.5, True, None, "2026-03-01T12:00:00+01:00", "PT20M", "x" * 256, ""])
def test_opaque_ids_and_small_scalars_pass(value: object) -> None:
    assert checked({"cart_id": value}, {"cart_id"}) == {"cart_id": value}


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(PERSONAL, id="address"),
        pytest.param(PHONE, id="phone number"),
        pytest.param("call +48601234567 now", id="phone number in a text"),
        pytest.param("x" * 257, id="long text"),
        pytest.param(["a"], id="list"),
        pytest.param({"a": 1}, id="object"),
        pytest.param(b"bytes", id="bytes"),
        pytest.param(float("nan"), id="no number"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param(2**63, id="65 bits"),
        pytest.param(object(), id="something else"),
    ],
)
def test_content_and_personal_data_are_refused_by_name_and_never_quoted(value: object) -> None:
    with pytest.raises(PermanentFailure) as refusal:
        checked({"cart_id": value}, {"cart_id"})

    assert refusal.value.code == "VARIABLE_REFUSED"
    assert "cart_id" in refusal.value.message
    assert str(value) not in str(refusal.value)


def test_an_undeclared_variable_is_refused() -> None:
    with pytest.raises(PermanentFailure, match="VARIABLE_REFUSED: first_name is not declared"):
        checked({"first_name": "J"}, {"cart_id"})


def test_a_name_that_is_itself_personal_is_not_quoted() -> None:
    with pytest.raises(PermanentFailure) as refusal:
        checked({PERSONAL: 1}, {"cart_id"})

    assert PERSONAL not in str(refusal.value)


def test_settings_may_be_one_level_deep() -> None:
    settings = {"cart_idle": "PT20M", "reminders": 1}

    assert checked({"settings": settings}, {"settings"}) == {"settings": settings}


@pytest.mark.parametrize(
    "settings", [{"a": {"b": 1}}, {"a": [1]}, [[1]], {"a": PERSONAL}, {PERSONAL: 1}, {1: 1}, [PHONE]], ids=repr
)
def test_settings_are_checked_to_the_bottom(settings: object) -> None:
    with pytest.raises(PermanentFailure) as refusal:
        checked({"settings": settings}, {"settings"})

    assert "jane" not in str(refusal.value)


@pytest.mark.parametrize("value", [PERSONAL, PHONE, "", "x" * 257])
def test_keys_of_messages_are_checked_like_variables(value: str) -> None:
    with pytest.raises(PermanentFailure, match="message_id"):
        checked_id("message_id", value)


def test_a_failure_text_has_a_code_and_opaque_words_only() -> None:
    assert failure_text("NO_STOCK", "send-message", "enr-1") == "NO_STOCK send-message enr-1"
    assert failure_text("NO_STOCK", PERSONAL, PHONE, "two words") == "NO_STOCK - - -"
    assert failure_text("mail to jane refused") == "CODE_REFUSED"
