"""What is laid out by hand reads, at the other end, as it was written."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.smtp.message import lay_out, parse_recipient, parse_sender
from waggle.ports.email import Email

SENDER = "Hive & Höney <hello@shop.example>"
AWKWARD = (
    "",
    ".\n..\n",
    "trailing \t\nFrom here\n",
    "x" * 2_000,
    "Grüße 🐝 = 100 %\r\nnext\rlast",
    "=_boundary\n--=_\n",
)


def laid_out(text: str, html: str = "<p>Hello</p>", subject: str = "Hello") -> tuple[bytes, EmailMessage]:
    email = Email(
        to="ada@example.com",
        sender=SENDER,
        subject=subject,
        text=text,
        html=html,
        message_id="<m-1@news.shop.example>",
        unsubscribe_url="https://go.shop.example/u/" + "t" * 120,
        list_id="news.shop.example",
    )
    raw = lay_out(email, parse_sender(email.sender), parse_recipient(email.to))
    return raw, message_from_bytes(raw, policy=policy.default)


@pytest.mark.parametrize("awkward", AWKWARD)
def test_awkward_text_arrives_as_it_was_written(awkward: str) -> None:
    raw, mail = laid_out(awkward, awkward)

    plain, html = mail.iter_parts()
    assert plain.get_content().splitlines() == html.get_content().splitlines() == awkward.splitlines()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert not mail.defects
    assert not [*plain.defects, *html.defects]
    assert raw.isascii()
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=300))
def test_any_line_arrives_as_it_was_written(line: str) -> None:
    raw, mail = laid_out(line)

    [plain, _] = mail.iter_parts()
    assert plain.get_content().rstrip("\r\n") == line
    body = raw.partition(b"\r\n\r\n")[2]
    assert max(map(len, body.split(b"\r\n"))) <= 76


def test_what_people_wrote_is_encoded_and_tokens_stay_whole() -> None:
    raw, mail = laid_out("Hello", subject="Grüße: " + "a word and " * 12)

    assert mail["From"] == SENDER
    assert mail["Subject"].split() == ("Grüße: " + "a word and " * 12).split()
    assert b"List-Unsubscribe: <https://go.shop.example/u/" + b"t" * 120 + b">\r\n" in raw
    assert (mail["To"], mail["Message-ID"]) == ("ada@example.com", "<m-1@news.shop.example>")
    assert mail["List-ID"] == "<news.shop.example>"
