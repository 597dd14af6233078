"""What the mailbox says yes to is on the disk and can be read."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest

from waggle.errors import BadSettings
from waggle.mailbox.arrivals import Mailbox, read_arrivals
from waggle.mailbox.run import Doors, open_mailbox, run_mailbox
from waggle.testing.ports import kept_ports

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


class SteppingClock:
    """Each look at it is a minute later."""

    def __init__(self) -> None:
        self.time = NOON

    def now(self) -> datetime:
        self.time += timedelta(minutes=1)
        return self.time


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    async with open_mailbox(tmp_path, 0, 0, SteppingClock()) as opened:
        yield opened


@pytest.fixture
async def browser(doors: Doors) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{doors.page_port}") as client:
        yield client


def mail(
    subject: str = "Your cart", html: str | None = "<p>Hello <a href='https://shop.example'>cart</a></p>"
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Hive & Honey <shop@example.com>"
    message["To"] = "anna@example.com"
    message["Subject"] = subject
    message["Message-ID"] = f"<{len(subject)}@shop.example>"
    message.set_content("Hello,\n.\n<b>text</b>")
    if html is not None:
        message.add_alternative(html, subtype="html")
    return message


async def send(doors: Doors, message: EmailMessage | bytes, *recipients: str) -> str:
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=doors.smtp_port, start_tls=False) as smtp:
        content = message if isinstance(message, bytes) else message.as_bytes()
        _, answer = await smtp.sendmail("shop@example.com", recipients or ["anna@example.com"], content)
        return answer


def mails_in(folder: Path) -> list[Path]:
    return list(folder.glob("*.eml"))


async def test_a_mail_that_was_taken_is_listed_with_the_time_of_the_clock(tmp_path: Path, doors: Doors) -> None:
    answer = await send(doors, mail())
    (arrival,) = read_arrivals(tmp_path)

    assert answer == "2.0.0 Ok: queued as 000001.eml"
    assert (arrival.file, arrival.sender, arrival.to) == ("000001.eml", "shop@example.com", "anna@example.com")
    assert (arrival.message_id, arrival.subject) == ("<9@shop.example>", "Your cart")
    assert arrival.arrived_at == NOON + timedelta(minutes=1)


async def test_a_mail_to_two_people_arrives_twice(tmp_path: Path, doors: Doors) -> None:
    await send(doors, mail(), "anna@example.com", "bert@example.com")
    await send(doors, mail())

    assert [(arrival.file, arrival.to) for arrival in read_arrivals(tmp_path)] == [
        ("000001.eml", "anna@example.com"),
        ("000002.eml", "bert@example.com"),
        ("000003.eml", "anna@example.com"),
    ]


async def test_many_at_once_are_all_there_and_none_twice(tmp_path: Path, doors: Doors) -> None:
    await asyncio.gather(*(send(doors, mail("x" * length)) for length in range(1, 41)))
    arrivals = read_arrivals(tmp_path)

    assert sorted(len(arrival.subject) for arrival in arrivals) == list(range(1, 41))
    assert {arrival.file for arrival in arrivals} == {path.name for path in mails_in(tmp_path)}


async def test_what_cannot_be_stored_is_not_taken(tmp_path: Path, doors: Doors) -> None:
    folder = tmp_path.with_name("moved away")
    shutil.move(tmp_path, folder)
    with pytest.raises(aiosmtplib.SMTPDataError) as caught:
        await send(doors, mail())
    shutil.move(folder, tmp_path)
    await send(doors, mail("after"))

    assert caught.value.code == 452
    assert [arrival.subject for arrival in read_arrivals(tmp_path)] == ["after"]


async def test_malformed_mail_is_kept_as_it_is(tmp_path: Path, doors: Doors, browser: httpx.AsyncClient) -> None:
    raw = (
        b"Subject: =?utf-8?b?//8=?=\r\nMessage-ID: <<>\r\nTo: @@,\r\n"
        b"Content-Type: text/html; charset=nonsense\r\n\r\n\xff\xfe<p>x"
    )
    await send(doors, raw)

    assert (tmp_path / "000001.eml").read_bytes() == raw + b"\r\n"
    for path in ("/", "/mails/000001.eml", "/mails/000001.eml/html", "/raw/000001.eml", "/arrivals.json"):
        assert (await browser.get(path)).status_code == 200, path
    for view in ("html", "text", "source"):
        assert (await browser.get("/mails/000001.eml", params={"view": view})).status_code == 200, view


async def test_the_page_shows_the_newest_first(doors: Doors, browser: httpx.AsyncClient) -> None:
    empty = (await browser.get("/")).text
    await send(doors, mail("first"))
    await send(doors, mail("second"))
    page = (await browser.get("/")).text

    assert "Nothing has arrived yet" in empty
    assert page.index("second") < page.index("first")
    assert "2 mails" in page


async def test_a_mail_is_shown_as_html_text_and_source(doors: Doors, browser: httpx.AsyncClient) -> None:
    await send(doors, mail())

    page = await browser.get("/mails/000001.eml")
    text = await browser.get("/mails/000001.eml", params={"view": "text"})
    source = await browser.get("/mails/000001.eml", params={"view": "source"})

    assert 'src="/mails/000001.eml/html" sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    assert "&lt;b&gt;text&lt;/b&gt;" in text.text
    assert "Message-ID: &lt;9@shop.example&gt;" in source.text


async def test_a_mail_cannot_run_anything_in_the_page(doors: Doors, browser: httpx.AsyncClient) -> None:
    await send(doors, mail("<script>alert(1)</script>", "<html><head></head><script>alert(1)</script></html>"))

    for path in ("/", "/mails/000001.eml"):
        page = await browser.get(path)
        assert "<script" not in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    inner = await browser.get("/mails/000001.eml/html")
    policy = inner.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert '<base target="_blank">' in inner.text


async def test_a_mail_without_html_is_shown_as_text(doors: Doors, browser: httpx.AsyncClient) -> None:
    await send(doors, mail(html=None))

    page = (await browser.get("/mails/000001.eml")).text

    assert "iframe" not in page.partition("</style>")[2]
    assert "&lt;b&gt;text&lt;/b&gt;" in page
    assert (await browser.get("/mails/000001.eml/html")).status_code == 404


async def test_programs_read_the_list_and_the_files(tmp_path: Path, doors: Doors, browser: httpx.AsyncClient) -> None:
    await send(doors, mail())

    (listed,) = (await browser.get("/arrivals.json")).json()
    raw = await browser.get(f"/raw/{listed['file']}")

    assert listed == {
        "file": "000001.eml",
        "arrived_at": "2026-05-04T12:01:00+00:00",
        "sender": "shop@example.com",
        "to": "anna@example.com",
        "message_id": "<9@shop.example>",
        "subject": "Your cart",
    }
    assert raw.content == (tmp_path / "000001.eml").read_bytes()
    assert raw.headers["Content-Type"] == "message/rfc822"


@pytest.mark.parametrize(
    "name", ["000002.eml", "arrivals.jsonl", "..%2Farrivals.jsonl", "..%2F..%2Fetc%2Fpasswd", "%00"]
)
async def test_only_mails_are_served(doors: Doors, browser: httpx.AsyncClient, name: str) -> None:
    await send(doors, mail())

    for path in (f"/raw/{name}", f"/mails/{name}", f"/mails/{name}/html"):
        assert (await browser.get(path)).status_code == 404


async def test_another_web_site_cannot_read_along(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/arrivals.json", headers={"Host": "evil.example"})

    assert answer.status_code == 400


async def test_it_ends_at_once_though_a_client_stays_connected(tmp_path: Path) -> None:
    with kept_ports(2) as [smtp_port, page_port]:
        async with open_mailbox(tmp_path, smtp_port, page_port, SteppingClock()) as doors:
            smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=doors.smtp_port, start_tls=False)
            await smtp.connect()
        smtp.close()

        async with open_mailbox(tmp_path, smtp_port, page_port, SteppingClock()) as again:
            assert again == doors


async def test_it_stops_when_told(tmp_path: Path) -> None:
    stop = asyncio.Event()
    running = asyncio.create_task(run_mailbox(tmp_path, 0, 0, SteppingClock(), stop))
    stop.set()

    await running


async def test_a_taken_port_is_named_with_who_has_it(tmp_path: Path, doors: Doors) -> None:
    with pytest.raises(BadSettings) as caught:
        await run_mailbox(tmp_path / "other", doors.smtp_port, 0, SteppingClock(), asyncio.Event())

    assert caught.value.code == "PORT_TAKEN"
    assert f"port {doors.smtp_port}" in caught.value.message
    assert f"(process {os.getpid()})" in caught.value.message
    assert "mailbox.smtp_port" in caught.value.message


def test_what_a_crash_left_unfinished_is_not_counted(tmp_path: Path) -> None:
    before = Mailbox(tmp_path, SteppingClock())
    before.recover()
    before.take("shop@example.com", ["anna@example.com"], mail().as_bytes())
    (tmp_path / "000002.eml").write_bytes(b"its line is missing")
    (tmp_path / "000003.eml.part").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("not ours")
    with (tmp_path / "arrivals.jsonl").open("ab") as index:
        index.write(b'{"file": "000002.eml", "arr')
    assert len(read_arrivals(tmp_path)) == 1

    after = Mailbox(tmp_path, SteppingClock())
    after.recover()
    after.take("shop@example.com", ["bert@example.com"], mail("next").as_bytes())

    assert [(arrival.file, arrival.subject) for arrival in read_arrivals(tmp_path)] == [
        ("000001.eml", "Your cart"),
        ("000002.eml", "next"),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000001.eml",
        "000002.eml",
        "arrivals.jsonl",
        "notes.txt",
    ]


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert read_arrivals(tmp_path / "nowhere") == []
