"""One way of writing for addresses and numbers that people write in many ways."""

import phonenumbers
from email_validator import EmailNotValidError, validate_email


def email_address(text: str) -> str:
    """Return *text* with its domain in lower case and ASCII (IDNA); the local part is the mailbox's own and stays.

    Nothing is asked over the network. Whoever compares two addresses lowers both.

    Raises:
        ValueError: no address that can be written to; its text never quotes what was given.
    """
    try:
        # What is checked is the form alone: a name such as shop.test or localhost is somebody's to decide on.
        found = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise ValueError("no e-mail address") from None
    local = found.ascii_local_part or found.local_part
    return f"{local}@{(found.ascii_domain or found.domain).lower()}"


def phone_number(text: str, region: str | None = None) -> str:
    """Return *text* in E.164, such as +48123456789; without a country code it is read as dialled in *region* (`PL`).

    Raises:
        ValueError: no number that its country gives out; its text never quotes what was given.
    """
    try:
        found = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise ValueError("no phone number") from None
    if not phonenumbers.is_possible_number(found):
        raise ValueError("no phone number")
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164)
